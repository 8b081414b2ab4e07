//! The config of a composed image: how it starts, as whom, and what it says
//! about itself.

use std::collections::BTreeMap;

use jettison_image::{Healthcheck, ImageConfig, Platform};
use jettison_plan::words;
use jettison_recipes::Recipe;

use super::git::Checkout;
use super::time::rfc3339;
use super::{BuildRequest, SettingsError};

/// Where the shell of most images looks for programs; docker's default.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The CA bundle's place in Debian, which Go, OpenSSL and rustls look at.
pub(crate) const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// distroless' `nonroot`.
const NONROOT: &str = "65532:65532";

/// The config on top of an empty image or of a base's own.
pub(crate) fn config(
    request: &BuildRequest,
    recipe: &Recipe,
    checkout: &Checkout,
    entrypoint: &str,
    base: Option<&ImageConfig>,
    has_ca_bundle: bool,
) -> Result<ImageConfig, SettingsError> {
    let platform = Platform::new("linux", recipe.target.architecture(), "");
    let mut config = base.cloned().unwrap_or_else(|| ImageConfig::new(&platform));
    config.created = Some(rfc3339(request.created(checkout)));
    let run = &mut config.run;
    if run.env_value("PATH").is_none() {
        run.env.push(PATH.to_owned());
    }
    if has_ca_bundle && run.env_value("SSL_CERT_FILE").is_none() {
        run.set_env("SSL_CERT_FILE", CA_BUNDLE);
    }
    for (name, value) in &request.image_env {
        run.set_env(name, value);
    }
    run.entrypoint = vec![entrypoint.to_owned()];
    run.cmd.clone_from(&request.arguments);
    run.args_escaped = false;
    run.user = user(request.user.as_deref().unwrap_or(NONROOT))?;
    run.working_dir = working_dir(request.working_dir.as_deref())?;
    for port in &request.expose {
        run.exposed_ports.insert(exposed(port)?);
    }
    run.stop_signal = match &request.stop_signal {
        Some(signal) => Some(stop_signal(signal)?),
        None => run.stop_signal.take(),
    };
    run.healthcheck = match &request.healthcheck {
        Some(command) => Some(healthcheck(command)?),
        // A base's own speaks of a base's own program.
        None => None,
    };
    run.labels.extend(labels(request, recipe, checkout)?);
    Ok(config)
}

/// The standard labels (OCI image-spec, annotations.md), then the person's.
fn labels(
    request: &BuildRequest,
    recipe: &Recipe,
    checkout: &Checkout,
) -> Result<BTreeMap<String, String>, SettingsError> {
    let package = &recipe.package;
    let standard = [
        ("title", Some(recipe.name.clone())),
        ("created", Some(rfc3339(request.created(checkout)))),
        (
            "version",
            checkout.version.clone().or_else(|| package.version.clone()),
        ),
        ("revision", checkout.revision.clone()),
        (
            "source",
            package
                .repository
                .clone()
                .or_else(|| checkout.remote.clone()),
        ),
        ("description", package.description.clone()),
        ("licenses", package.license.clone()),
    ];
    let named = |(key, value): (&str, Option<String>)| {
        Some((
            format!("org.opencontainers.image.{key}"),
            value.filter(|text| !text.is_empty())?,
        ))
    };
    let mut labels: BTreeMap<_, _> = standard.into_iter().filter_map(named).collect();
    for label in &request.labels {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        if key.is_empty() {
            return Err(SettingsError::new("--label", label, "KEY=VALUE"));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
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

/// `PORT[/PROTOCOL]`, the protocol tcp, udp or sctp.
fn exposed(text: &str) -> Result<String, SettingsError> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let fits = port.parse::<u16>().is_ok_and(|port| port > 0);
    if !fits || !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(SettingsError::new(
            "--expose",
            text,
            "PORT[/tcp|/udp|/sctp]",
        ));
    }
    Ok(format!("{port}/{protocol}"))
}

fn stop_signal(text: &str) -> Result<String, SettingsError> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known = name
        .parse::<u8>()
        .is_ok_and(|number| (1..=64).contains(&number))
        || (!name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"+-".contains(&b)));
    if !known {
        return Err(SettingsError::new(
            "--stop-signal",
            text,
            "a signal such as SIGTERM or 15",
        ));
    }
    Ok(text.to_owned())
}

/// Exec form: there is no shell to read another.
fn healthcheck(command: &str) -> Result<Healthcheck, SettingsError> {
    let bad = || SettingsError::new("--healthcheck", command, "a command with its arguments");
    let argv: Vec<String> = words::split(command)
        .ok_or_else(bad)?
        .into_iter()
        .map(|word| word.text)
        .collect();
    if argv.is_empty() {
        return Err(bad());
    }
    let test = std::iter::once("CMD".to_owned()).chain(argv).collect();
    Ok(Healthcheck {
        test,
        ..Healthcheck::default()
    })
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
        assert_eq!(exposed("80").expect("fits"), "80/tcp");
        assert_eq!(exposed("53/udp").expect("fits"), "53/udp");
        assert_eq!(stop_signal("SIGRTMIN+3").expect("fits"), "SIGRTMIN+3");
        assert_eq!(healthcheck("/app --ok 'a b'").expect("fits").test[3], "a b");
        for error in [
            user("app").map(drop),
            user("1:2:3").map(drop),
            exposed("0").map(drop),
            exposed("80/http").map(drop),
            stop_signal("term").map(drop),
            working_dir(Some("srv")).map(drop),
            healthcheck(" ").map(drop),
        ] {
            let text = error.expect_err("refused").to_string();
            assert!(text.starts_with("--"), "{text}");
        }
    }
}
