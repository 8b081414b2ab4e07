//! Where images can come from and go to. An engine on another machine is not
//! asked: `doctor` makes no network request.

use super::{DoctorRequest, Row, State};

const AREA: &str = "engines and registries";

pub(super) fn rows(request: &DoctorRequest<'_>) -> Vec<Row> {
    let mut rows = vec![engine(request)];
    for context in crate::transport::docker_contexts(request.environment) {
        let detail = match context.current {
            true => format!("{} (current)", context.host),
            false => context.host,
        };
        let what = format!("docker context {}", context.name);
        rows.push(Row::new(AREA, what, State::Ok, detail));
    }
    rows.extend(logins(request));
    rows
}

fn engine(request: &DoctorRequest<'_>) -> Row {
    let what = "Docker engine or podman";
    let Ok(context) = &request.context else {
        return Row::new(
            AREA,
            what,
            State::Missing,
            "not asked without a store".into(),
        );
    };
    let address = context.transports.engine_address();
    if let Ok(address) = &address
        && !is_local(address)
    {
        let detail = format!("{address}, on another machine: not asked");
        return Row::new(AREA, what, State::Limited, detail);
    }
    match context.transports.engine() {
        Ok(host) => Row::new(AREA, what, State::Ok, format!("answers at {host}")),
        Err(error) => Row::new(AREA, what, State::Missing, error.to_string())
            .hint("none is needed; `apt-get install podman` or docker.io brings one"),
    }
}

fn is_local(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    scheme == "unix"
        || host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Registries that somebody has logged in to; never what with.
fn logins(request: &DoctorRequest<'_>) -> Vec<Row> {
    let logins = crate::transport::logins(request.environment);
    let row = |login: crate::transport::Login| match &login.helper {
        Some(helper) => {
            let program = format!("docker-credential-{helper}");
            let there = on_path(request, &program);
            let state = if there { State::Ok } else { State::Limited };
            let detail = match there {
                true => format!("credentials from {program}"),
                false => format!("credentials from {program}, which is not on the PATH"),
            };
            Row::new(AREA, login.registry, state, detail)
        }
        None => Row::new(
            AREA,
            login.registry,
            State::Ok,
            format!("login in {}", login.file),
        ),
    };
    if logins.is_empty() {
        let detail = "none: registries are asked without a name".to_owned();
        return vec![
            Row::new(AREA, "logins", State::Missing, detail).hint("docker login REGISTRY"),
        ];
    }
    logins.into_iter().map(row).collect()
}

fn on_path(request: &DoctorRequest<'_>, program: &str) -> bool {
    let path = request.environment.variable("PATH").unwrap_or_default();
    std::env::split_paths(path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_machine_is_asked() {
        for (address, local) in [
            ("unix:///var/run/docker.sock", true),
            ("tcp://127.0.0.1:2375", true),
            ("tcp://localhost:2375", true),
            ("tcp://[::1]:2375", true),
            ("tcp://far.test:2376", false),
            ("tcp://192.0.2.1:2376", false),
            ("ssh://somebody@far.test", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_local(address), local, "{address}");
        }
    }
}
