//! Where the engine listens: DOCKER_HOST, docker's contexts, the usual
//! sockets, podman's.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use jettison_image::Digest;
use serde::Deserialize;

use super::DaemonError;
use crate::files::{open_named, read_bounded};
use crate::transport::Environment;

const FILE_BYTES: u64 = 1 << 20;
/// A person with more has other worries.
const MOST_CONTEXTS: usize = 1000;

/// An engine's address.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) struct Found {
    /// `unix:///path` or `tcp://host:port`.
    pub(in crate::transport) host: String,
    pub(in crate::transport) tls: Option<Tls>,
}

/// The files of a TLS connection to an engine.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) struct Tls {
    pub(in crate::transport) ca: PathBuf,
    pub(in crate::transport) certificate: PathBuf,
    pub(in crate::transport) key: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ClientConfig {
    current_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    #[serde(default)]
    name: String,
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    #[serde(default)]
    host: String,
}

/// Looks in docker's own order: DOCKER_HOST, then DOCKER_CONTEXT, then the
/// current context, then sockets.
pub(in crate::transport) fn find(environment: &Environment) -> Result<Found, DaemonError> {
    let set = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        let verify = set("DOCKER_TLS_VERIFY").is_some();
        let tls = if verify && !host.starts_with("unix:") {
            let directory = set("DOCKER_CERT_PATH")
                .map(PathBuf::from)
                .or_else(|| environment.docker_config())
                .unwrap_or_default();
            Some(Tls::in_directory(&directory))
        } else {
            None
        };
        return Ok(Found {
            host: host.to_owned(),
            tls,
        });
    }
    if let Some(configuration) = environment.docker_config()
        && let Some(found) = in_context(&configuration, set("DOCKER_CONTEXT"))?
    {
        return Ok(found);
    }
    let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    sockets.extend(runtime.iter().map(|runtime| runtime.join("docker.sock")));
    sockets.extend(
        runtime
            .iter()
            .map(|runtime| runtime.join("podman/podman.sock")),
    );
    sockets.push("/run/podman/podman.sock".into());
    if let Some(host) = set("CONTAINER_HOST").filter(|host| host.starts_with("unix://")) {
        return Ok(Found {
            host: host.to_owned(),
            tls: None,
        });
    }
    // A socket may outlive its engine, or be somebody else's: one that answers is better.
    let answers = |socket: &&PathBuf| UnixStream::connect(socket).is_ok();
    let there = || sockets.iter().find(|socket| socket.exists());
    match sockets.iter().find(answers).or_else(there) {
        Some(socket) => Ok(Found {
            host: format!("unix://{}", socket.display()),
            tls: None,
        }),
        None => Err(DaemonError::Unreachable(
            "no Docker engine: DOCKER_HOST is not set and there is no socket of docker or podman"
                .to_owned(),
        )),
    }
}

/// One of docker's contexts.
pub(crate) struct DockerContext {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) current: bool,
}

/// Docker's contexts, sorted by name; those that cannot be read are left out.
pub(crate) fn contexts(environment: &Environment) -> Vec<DockerContext> {
    let Some(configuration) = environment.docker_config() else {
        return Vec::new();
    };
    let client = read::<ClientConfig>(&configuration.join("config.json"));
    let chosen = environment.variable("DOCKER_CONTEXT").map(str::to_owned);
    let chosen = chosen.unwrap_or_else(|| match client {
        Ok(Some(client)) => client.current_context,
        _ => String::new(),
    });
    let Ok(entries) = std::fs::read_dir(configuration.join("contexts/meta")) else {
        return Vec::new();
    };
    let mut found: Vec<DockerContext> = entries
        .flatten()
        .take(MOST_CONTEXTS)
        .filter_map(|entry| {
            let meta = read::<ContextMeta>(&entry.path().join("meta.json")).ok()??;
            Some(DockerContext {
                host: meta.endpoints.docker?.host,
                current: meta.name == chosen,
                name: meta.name,
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn in_context(directory: &Path, chosen: Option<&str>) -> Result<Option<Found>, DaemonError> {
    let current = match chosen {
        Some(chosen) => chosen.to_owned(),
        None => {
            read::<ClientConfig>(&directory.join("config.json"))?
                .unwrap_or_default()
                .current_context
        }
    };
    if current.is_empty() || current == "default" {
        return Ok(None);
    }
    // docker files contexts under the digest of their name.
    let id = Digest::of(current.as_bytes()).hex();
    let meta = directory.join("contexts/meta").join(&id).join("meta.json");
    let host = read::<ContextMeta>(&meta)?
        .and_then(|meta| meta.endpoints.docker)
        .map(|endpoint| endpoint.host)
        .filter(|host| !host.is_empty())
        .ok_or_else(|| {
            let name = jettison_image::escape(&current);
            DaemonError::Unreachable(format!(
                "docker context {name} is not there or names no engine"
            ))
        })?;
    let tls = directory.join("contexts/tls").join(&id).join("docker");
    let tls = tls.join("ca.pem").exists().then(|| Tls::in_directory(&tls));
    Ok(Some(Found { host, tls }))
}

impl Tls {
    fn in_directory(directory: &Path) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            certificate: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, DaemonError> {
    let fail = |problem: String| DaemonError::Unreachable(format!("{}: {problem}", path.display()));
    match open_named(path).and_then(|file| read_bounded(file, FILE_BYTES)) {
        Ok(json) => serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| fail(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_found_in_dockers_order() {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path();
        let id = Digest::of(b"far").hex();
        let meta = home.join(".docker/contexts/meta").join(&id);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            home.join(".docker/config.json"),
            r#"{"currentContext":"far","auths":{}}"#,
        )
        .unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far.test:2376","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        let tls = home.join(".docker/contexts/tls").join(&id).join("docker");
        std::fs::create_dir_all(&tls).unwrap();
        std::fs::write(tls.join("ca.pem"), "").unwrap();

        let home = home.to_str().unwrap();
        let check = |variables: &[(&str, &str)], expected: Result<(&str, bool), &str>| {
            let mut all = variables.to_vec();
            all.push(("HOME", home));
            match (find(&Environment::new(all)), expected) {
                (Ok(found), Ok((host, tls))) => {
                    assert_eq!((found.host.as_str(), found.tls.is_some()), (host, tls));
                }
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (found, expected) => panic!("{found:?} where {expected:?} was expected"),
            }
        };
        check(&[], Ok(("tcp://far.test:2376", true)));
        check(
            &[("DOCKER_HOST", "unix:///x.sock")],
            Ok(("unix:///x.sock", false)),
        );
        check(
            &[("DOCKER_HOST", "tcp://h:2376"), ("DOCKER_TLS_VERIFY", "1")],
            Ok(("tcp://h:2376", true)),
        );
        check(
            &[("DOCKER_CONTEXT", "gone")],
            Err("context gone is not there"),
        );
    }
}
