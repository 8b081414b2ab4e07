//! What a project says about its image in `jettison.toml`, and what a person
//! says on the command line: the latter wins, lists add up.

use std::path::Path;

use jettison_plan::{Action, Expectation, HttpRequest, Probe, Scheme};
use jettison_recipes::{ProbeTable, SETTINGS_FILE, ServiceTable, Settings};

use super::parts::plain_name;
use super::{BuildError, BuildRequest};
use crate::files;
use crate::surroundings::{Service, ServiceKind, Surroundings};

/// The largest `jettison.toml`.
const SETTINGS_BYTES: u64 = 1 << 20;

/// Everything that was said, as one.
pub(crate) struct Said {
    pub(crate) settings: Settings,
    pub(crate) probes: Vec<Probe>,
    pub(crate) surroundings: Surroundings,
}

/// Reads the project's file and puts the request on top.
pub(crate) fn said(request: &BuildRequest) -> Result<Said, BuildError> {
    let file = read(&request.project)?;
    let mut probes: Vec<Probe> = file.probe.iter().map(probe).collect();
    probes.extend(request.probes.iter().cloned());
    let mut surroundings = request.surroundings.clone();
    for table in &file.service {
        // A service that is named on the command line is that one.
        if surroundings
            .services
            .iter()
            .all(|service| service.name != table.name)
        {
            surroundings.services.push(service(table)?);
        }
    }
    Ok(Said {
        settings: merge(file, request.flags.clone()),
        probes,
        surroundings,
    })
}

fn read(project: &Path) -> Result<Settings, BuildError> {
    let path = project.join(SETTINGS_FILE);
    let failed = |source| BuildError::SettingsFile {
        path: path.clone(),
        source,
    };
    let file = match files::open_named(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        other => other.map_err(failed)?,
    };
    let bytes = files::read_bounded(file, SETTINGS_BYTES).map_err(failed)?;
    let mut settings = Settings::parse(&String::from_utf8_lossy(&bytes))?;
    // Paths in the file are relative to it, wherever the command was started.
    let beside = |path: &mut String| *path = project.join(&path).to_string_lossy().into_owned();
    settings.ca.iter_mut().for_each(beside);
    settings.keyring.iter_mut().for_each(beside);
    Ok(settings)
}

fn merge(file: Settings, flags: Settings) -> Settings {
    fn add<T>(mut below: Vec<T>, above: Vec<T>) -> Vec<T> {
        below.extend(above);
        below
    }
    fn or<T>(below: Vec<T>, above: Vec<T>) -> Vec<T> {
        if above.is_empty() { below } else { above }
    }
    /// A part of which the command line says the opposite is not the file's.
    fn but(mut file: Vec<String>, opposite: &[String]) -> Vec<String> {
        let said = |part: &String| opposite.iter().any(|o| plain_name(o) == plain_name(part));
        file.retain(|part| !said(part));
        file
    }
    let mut env = file.env;
    env.extend(flags.env);
    let keep = add(but(file.keep, &flags.drop), flags.keep.clone());
    let drop = add(but(file.drop, &flags.keep), flags.drop);
    let mut labels = file.labels;
    labels.extend(flags.labels);
    Settings {
        name: flags.name.or(file.name),
        bin: flags.bin.or(file.bin),
        user: flags.user.or(file.user),
        workdir: flags.workdir.or(file.workdir),
        args: or(file.args, flags.args),
        cmd: or(file.cmd, flags.cmd),
        env,
        ports: add(file.ports, flags.ports),
        labels,
        stop_signal: flags.stop_signal.or(file.stop_signal),
        healthcheck: flags.healthcheck.or(file.healthcheck),
        include: add(file.include, flags.include),
        keep,
        drop,
        base: flags.base.or(file.base),
        mirror: flags.mirror.or(file.mirror),
        keyring: flags.keyring.or(file.keyring),
        ca: add(file.ca, flags.ca),
        platform: flags.platform.or(file.platform),
        build: file.build,
        probe: file.probe,
        service: file.service,
    }
}

/// A table that the settings have checked as one of the probe's forms.
fn probe(table: &ProbeTable) -> Probe {
    let exactly = |code: Option<i32>| code.map_or(Expectation::Success, Expectation::Exactly);
    if let Some(port) = table.tcp {
        return Probe::asked(
            Action::Tcp {
                port,
                say: Vec::new(),
            },
            Expectation::Success,
        );
    }
    if let Some(argv) = &table.exec {
        return Probe::asked(Action::Exec { argv: argv.clone() }, exactly(table.code));
    }
    if let Some(command) = &table.sh {
        return Probe::asked(
            Action::Shell {
                command: command.clone(),
            },
            exactly(table.code),
        );
    }
    let request = HttpRequest {
        scheme: match table.scheme.as_deref() {
            Some("https") => Scheme::Https,
            _ => Scheme::Http,
        },
        method: table.method.clone().unwrap_or_else(|| "GET".to_owned()),
        port: table.port,
        path: table.path.clone().unwrap_or_else(|| "/".to_owned()),
        headers: table.headers.clone().into_iter().collect(),
        body: table.body.clone(),
    };
    Probe::asked(Action::Http(request), exactly(table.status.map(i32::from)))
}

fn service(table: &ServiceTable) -> Result<Service, BuildError> {
    let mut service: Service = match (&table.tcp, &table.image) {
        (Some(address), _) => format!("{}=tcp:{address}", table.name).parse()?,
        (None, image) => {
            let image = image.clone().unwrap_or_default();
            let mut service: Service = format!("{}=x", table.name).parse()?;
            service.kind = ServiceKind::Image {
                image,
                command: table.command.clone(),
            };
            service
        }
    };
    service.env = table.env.clone().into_iter().collect();
    Ok(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_and_lists_add_up() {
        let file = Settings::parse(
            "user = '1'\nkeep = ['tzdata']\nports = [80]\nenv = { A = '1', B = '1' }\n",
        );
        let flags = Settings::parse(
            "user = '2'\nkeep = ['netbase']\nenv = { B = '2' }\nbase = 'scratch'\n",
        );
        let merged = merge(file.expect("settings"), flags.expect("settings"));
        assert_eq!(merged.user.as_deref(), Some("2"));
        assert_eq!(merged.keep, ["tzdata", "netbase"]);
        assert_eq!(merged.ports.len(), 1);
        assert_eq!(merged.env["B"], "2");
        assert_eq!(merged.base.as_deref(), Some("scratch"));
    }

    #[test]
    fn the_command_line_takes_back_what_the_file_keeps_or_drops() {
        let file = Settings::parse("keep = ['tzdata', 'tmp']\ndrop = ['passwd']\n");
        let flags = Settings::parse("keep = ['users']\ndrop = ['zoneinfo']\n");
        let merged = merge(file.expect("settings"), flags.expect("settings"));
        assert_eq!(merged.keep, ["tmp", "users"]);
        assert_eq!(merged.drop, ["zoneinfo"]);
    }

    #[test]
    fn tables_are_probes_and_services() {
        let settings = Settings::parse(
            "[[probe]]\npath = '/x'\nmethod = 'POST'\nbody = 'b'\nstatus = 201\nport = 81\n\
             [[probe]]\nexec = ['/a', 'b c']\ncode = 2\n[[probe]]\ntcp = 5\n\
             [[service]]\nname = 'db'\ntcp = '127.0.0.1:5432'\n\
             [[service]]\nname = 'q'\nimage = 'redis'\ncommand = ['serve']\nenv = { P = 'x' }\n",
        )
        .expect("settings");
        let lines: Vec<String> = settings
            .probe
            .iter()
            .map(|table| probe(table).to_string())
            .collect();
        assert_eq!(
            lines,
            ["POST :81/x -d b -> 201", "exec:/a 'b c' -> 2", "tcp:5"]
        );
        let tcp = service(&settings.service[0]).expect("a service");
        assert_eq!(
            tcp.kind,
            ServiceKind::Tcp {
                host: "127.0.0.1".into(),
                port: 5432
            }
        );
        let image = service(&settings.service[1]).expect("a service");
        assert_eq!((image.name.as_str(), image.env.len()), ("q", 1));
    }
}
