//! A Docker engine's own store, or podman's, over the Docker API.

mod export;
mod find;
mod load;

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use jettison_image::Reference;
use tokio::runtime::Runtime;

pub(crate) use find::contexts;
pub(super) use find::{Tls, find};

use crate::one_line;
use crate::transport::Environment;

/// A busy engine answers a ping in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Saving and loading take as long as they take; this only ends what hangs.
const TRANSFER_SECONDS: u64 = 4 * 3600;

/// Why an engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// There is none, or its configuration is not understood.
    #[error("{0}")]
    Unreachable(String),
    /// It has no such image.
    #[error("the engine at {host} has no image {name}")]
    NoSuchImage {
        /// Where the engine listens.
        host: String,
        /// What was asked for.
        name: String,
    },
    /// It said no, or what it said makes no sense.
    #[error("the engine at {host}: {problem}")]
    Failed {
        /// Where the engine listens.
        host: String,
        /// In its words.
        problem: String,
    },
    /// What it sent is no image.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// What it sent does not hold the image.
    #[error(transparent)]
    Find(#[from] jettison_image::layout::FindError),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// An engine that answers.
pub(crate) struct Daemon {
    docker: Docker,
    host: String,
    runtime: Arc<Runtime>,
}

impl Daemon {
    /// Finds the engine as docker's own client does, podman's socket last, and
    /// asks whether it is there.
    pub(crate) fn connect(
        environment: &Environment,
        runtime: Arc<Runtime>,
    ) -> Result<Self, DaemonError> {
        let found = find(environment)?;
        let host = found.host.clone();
        let unreachable = |problem: String| {
            DaemonError::Unreachable(format!("no Docker engine answers at {host}: {problem}"))
        };
        let connected = match (host.split_once("://"), &found.tls) {
            (Some(("unix", path)), _) => {
                Docker::connect_with_unix(path, TRANSFER_SECONDS, API_DEFAULT_VERSION)
            }
            (
                Some(("tcp" | "http" | "https", address)),
                Some(Tls {
                    ca,
                    certificate,
                    key,
                }),
            ) => {
                let address = format!("tcp://{address}");
                let version = API_DEFAULT_VERSION;
                Docker::connect_with_ssl(&address, key, certificate, ca, TRANSFER_SECONDS, version)
            }
            (Some(("tcp" | "http", address)), None) => {
                let address = format!("tcp://{address}");
                Docker::connect_with_http(&address, TRANSFER_SECONDS, API_DEFAULT_VERSION)
            }
            (Some(("ssh", address)), _) => {
                return Err(unreachable(format!(
                    "ssh is not spoken; `ssh -NL /tmp/docker.sock:/var/run/docker.sock {address}` \
                     and DOCKER_HOST=unix:///tmp/docker.sock do the same"
                )));
            }
            _ => return Err(unreachable("expected unix:// or tcp://".to_owned())),
        };
        let docker = connected.map_err(|error| unreachable(error.to_string()))?;
        let negotiated = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, docker.negotiate_version()).await });
        match negotiated {
            Ok(Ok(docker)) => Ok(Self {
                docker,
                host: found.host,
                runtime,
            }),
            Ok(Err(error)) => Err(unreachable(causes(&error))),
            Err(_) => Err(unreachable(format!(
                "no answer in {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Where it listens.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn failed(&self, error: &bollard::errors::Error) -> DaemonError {
        DaemonError::Failed {
            host: self.host.clone(),
            problem: causes(error),
        }
    }
}

/// The name as the engine's API takes it, which is a path: nothing but what
/// the reference grammar or an id allows.
fn api_name(name: &str) -> Result<String, DaemonError> {
    if super::location::is_id(name) || is_short_id(name) {
        return Ok(name.to_owned());
    }
    let reference =
        Reference::parse(name).map_err(|error| DaemonError::Unreachable(error.to_string()))?;
    Ok(reference.with_default_tag().familiar())
}

fn is_short_id(name: &str) -> bool {
    let digits = name.strip_prefix("sha256:");
    digits.is_some_and(|digits| {
        !digits.is_empty()
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn causes(error: &dyn std::error::Error) -> String {
    crate::http::shown(&one_line(error))
}
