//! The config of a composed image: how it starts, as whom, and what it says
//! about itself.

use jettison_image::{Healthcheck, ImageConfig, Platform};
use jettison_recipes::{HealthCheck, LabelFacts, Recipe, Settings, labels};

use super::SettingsError;
use crate::signal::check_signal;

/// Where the shell of most images looks for programs; docker's default.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The CA bundle's place in Debian, which Go, OpenSSL and rustls look at.
pub(crate) const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The label that dates an image.
const CREATED: &str = "org.opencontainers.image.created";
/// distroless' `nonroot`.
const NONROOT: &str = "65532:65532";

/// The config on top of an empty image or of a base's own.
pub(crate) fn config(
    settings: &Settings,
    recipe: &Recipe,
    facts: &LabelFacts,
    entrypoint: &str,
    base: Option<&ImageConfig>,
    has_ca_bundle: bool,
) -> Result<ImageConfig, SettingsError> {
    let platform = Platform::new("linux", recipe.target.architecture(), "");
    let mut config = base.cloned().unwrap_or_else(|| ImageConfig::new(&platform));
    let mut labels = labels(&recipe.package, facts);
    config.created = labels.get(CREATED).cloned();
    let run = &mut config.run;
    if run.env_value("PATH").is_none() {
        run.env.push(PATH.to_owned());
    }
    if has_ca_bundle && run.env_value("SSL_CERT_FILE").is_none() {
        run.set_env("SSL_CERT_FILE", CA_BUNDLE);
    }
    for (name, value) in &settings.env {
        run.set_env(name, value);
    }
    run.entrypoint = std::iter::once(entrypoint.to_owned())
        .chain(settings.args.clone())
        .collect();
    run.cmd.clone_from(&settings.cmd);
    run.args_escaped = false;
    run.user = user(settings.user.as_deref().unwrap_or(NONROOT))?;
    run.working_dir = working_dir(settings.workdir.as_deref())?;
    run.exposed_ports
        .extend(settings.ports.iter().cloned().map(String::from));
    run.stop_signal = match &settings.stop_signal {
        Some(signal) => Some(stop_signal(signal)?),
        None => run.stop_signal.take(),
    };
    // A base's own speaks of a base's own program.
    run.healthcheck = settings.healthcheck.as_ref().map(healthcheck).transpose()?;
    labels.extend(settings.labels.clone());
    run.labels.extend(labels);
    Ok(config)
}

/// Numbers only: an image without `/etc/passwd` has no names, and Kubernetes'
/// `runAsNonRoot` believes nothing else.
fn user(text: &str) -> Result<String, SettingsError> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = |part: &&str| part.parse::<u32>().is_ok();
    if parts.len() > 2 || !parts.iter().all(fits) {
        return Err(SettingsError::new("--user", text, "UID[:GID] in numbers"));
    }
    Ok(match parts.as_slice() {
        [uid] => format!("{uid}:{uid}"),
        _ => text.to_owned(),
    })
}

fn working_dir(text: Option<&str>) -> Result<String, SettingsError> {
    let text = text.unwrap_or("/");
    if !text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(SettingsError::new("--workdir", text, "an absolute path"));
    }
    Ok(text.to_owned())
}

fn stop_signal(text: &str) -> Result<String, SettingsError> {
    check_signal(text)
        .map_err(|_| SettingsError::new("--stop-signal", text, "a signal such as SIGTERM or 15"))?;
    Ok(text.to_owned())
}

fn healthcheck(check: &HealthCheck) -> Result<Healthcheck, SettingsError> {
    if check.exec.first().is_none_or(String::is_empty) {
        return Err(SettingsError::new(
            "--healthcheck",
            "",
            "a command with its arguments",
        ));
    }
    let nanoseconds = |text: &Option<String>| text.as_deref().map_or(Ok(0), duration_ns);
    Ok(Healthcheck {
        test: std::iter::once("CMD".to_owned())
            .chain(check.exec.clone())
            .collect(),
        interval_ns: nanoseconds(&check.interval)?,
        timeout_ns: nanoseconds(&check.timeout)?,
        start_period_ns: nanoseconds(&check.start_period)?,
        retries: check.retries.map_or(0, i64::from),
        ..Healthcheck::default()
    })
}

/// Go's `time.ParseDuration` as Dockerfiles use it: `30s`, `1m30s`, `1.5s`, `500ms`.
fn duration_ns(text: &str) -> Result<i64, SettingsError> {
    let bad = || SettingsError::new("healthcheck", text, "a duration such as 30s or 1m30s");
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(bad()),
        };
        rest = &rest[letters..];
        total += number * unit;
    }
    // The largest duration of docker's own is 292 years.
    if text.is_empty() || total > 9e18 {
        return Err(bad());
    }
    Ok(total as i64)
}

/// What a health check runs inside the container; `None` for `NONE` and for
/// one that inherits.
pub(crate) fn healthcheck_argv(config: &ImageConfig) -> Option<Vec<String>> {
    let test = &config.run.healthcheck.as_ref()?.test;
    match test.split_first()? {
        (first, argv) if first == "CMD" && !argv.is_empty() => Some(argv.to_vec()),
        (first, [command]) if first == "CMD-SHELL" => {
            let shell = &config.run.shell;
            let mut argv = if shell.is_empty() {
                vec!["/bin/sh".to_owned(), "-c".to_owned()]
            } else {
                shell.clone()
            };
            argv.push(command.clone());
            Some(argv)
        }
        _ => None,
    }
}

/// The exposed TCP ports.
pub(crate) fn exposed_ports(config: &ImageConfig) -> Vec<u16> {
    let tcp = |text: &String| match text.split_once('/') {
        Some((port, "tcp")) => port.parse().ok(),
        Some(_) => None,
        None => text.parse().ok(),
    };
    config.run.exposed_ports.iter().filter_map(tcp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(user("1000").expect("fits"), "1000:1000");
        assert_eq!(user("1000:0").expect("fits"), "1000:0");
        assert_eq!(stop_signal("SIGRTMIN+3").expect("fits"), "SIGRTMIN+3");
        assert_eq!(duration_ns("1m30s").expect("fits"), 90_000_000_000);
        assert_eq!(duration_ns("1.5s").expect("fits"), 1_500_000_000);
        for error in [
            user("app").map(drop),
            user("1:2:3").map(drop),
            stop_signal("SIGNOT").map(drop),
            working_dir(Some("srv")).map(drop),
            duration_ns("30").map(drop),
            duration_ns("s").map(drop),
            duration_ns("").map(drop),
        ] {
            let text = error.expect_err("refused").to_string();
            assert!(text.contains("is not"), "{text}");
        }
    }
}
