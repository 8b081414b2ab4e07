//! OCI registries (distribution-spec 1.1): pull and push, resumable both ways.
//!
//! The protocol is spoken here, over the engine's HTTP client: it has to be
//! bounded in memory whatever a registry sends, to take broken transfers up
//! where they broke, and to ask for the rights that a cross-repository mount
//! needs.

mod auth;
mod challenge;
mod credentials;
mod endpoint;
mod mirrors;
mod pull;
mod push;
mod referrers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jettison_image::Reference;

pub use credentials::CredentialsError;
pub(crate) use credentials::{Login, logins};
pub(crate) use mirrors::PullSource;
pub(crate) use pull::RegistrySource;
pub(crate) use push::Uploaded;

use crate::http::{HttpClient, HttpError};
use crate::transport::Environment;
use endpoint::Endpoint;
use mirrors::Mirrors;

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The exchange failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Credentials are configured and cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The registry wants to know who is asking, or does not let them.
    #[error("{registry} does not allow {deed} {repository}{}", login_advice(*known, registry))]
    Denied {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// What was tried.
        deed: &'static str,
        /// True when credentials were sent.
        known: bool,
    },
    /// There is no such thing in the registry.
    #[error("{registry} has no {what}")]
    NotFound {
        /// The registry.
        registry: String,
        /// What was looked for.
        what: String,
    },
    /// The registry breaks the protocol.
    #[error("{registry}: {problem}")]
    Protocol {
        /// The registry.
        registry: String,
        /// What it did.
        problem: String,
    },
    /// A file of registries.conf(5) cannot be used.
    #[error("{}: {problem}", file.display())]
    Configuration {
        /// Which file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// registries.conf(5) forbids the name.
    #[error("{name} is blocked by {prefix} in registries.conf")]
    Blocked {
        /// The name.
        name: String,
        /// The entry.
        prefix: String,
    },
    /// The image itself cannot be read.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// How registries are spoken to.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Plain HTTP is allowed where HTTPS does not answer. Registries on this
    /// machine's loopback addresses are spoken to either way without it.
    pub plain_http: bool,
    /// The most bytes sent in one request; all at once when it is not given,
    /// which every registry takes.
    pub chunk_bytes: Option<u64>,
}

/// All registries that were spoken to, with their connections and tokens.
#[derive(Clone)]
pub(crate) struct Registries {
    inner: Arc<Inner>,
}

struct Inner {
    http: HttpClient,
    options: RegistryOptions,
    environment: Environment,
    endpoints: Mutex<HashMap<(String, bool), Arc<Endpoint>>>,
    /// What registries.conf(5) says, once a registry is needed.
    mirrors: Mutex<Option<Arc<Mirrors>>>,
}

/// One repository of one registry.
#[derive(Clone)]
pub(crate) struct Repository {
    endpoint: Arc<Endpoint>,
    path: String,
    chunk_bytes: Option<u64>,
}

impl Registries {
    pub(crate) fn new(
        http: HttpClient,
        options: RegistryOptions,
        environment: Environment,
    ) -> Self {
        let endpoints = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                http,
                options,
                environment,
                endpoints,
                mirrors: Mutex::default(),
            }),
        }
    }

    /// The repository that a reference names; the first time, its registry is
    /// asked which protocol it speaks.
    pub(crate) fn repository(&self, reference: &Reference) -> Result<Repository, RegistryError> {
        let insecure = self.mirrors()?.is_insecure(reference)?;
        self.repository_at(reference, insecure)
    }

    /// Where an image may be pulled from, best first.
    pub(crate) fn sources(&self, reference: &Reference) -> Result<Vec<PullSource>, RegistryError> {
        self.mirrors()?.sources(reference)
    }

    fn mirrors(&self) -> Result<Arc<Mirrors>, RegistryError> {
        let held = self.inner.mirrors.lock();
        let mut held = held.unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(mirrors) = &*held {
            return Ok(mirrors.clone());
        }
        let mirrors = Arc::new(Mirrors::read(&self.inner.environment)?);
        *held = Some(mirrors.clone());
        Ok(mirrors)
    }

    /// The repository that a reference names; an insecure one may speak plain
    /// HTTP, and its certificate is not looked at.
    pub(crate) fn repository_at(
        &self,
        reference: &Reference,
        insecure: bool,
    ) -> Result<Repository, RegistryError> {
        let inner = &self.inner;
        let mut endpoints = inner
            .endpoints
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = (reference.domain().to_owned(), insecure);
        let endpoint = match endpoints.get(&key) {
            Some(endpoint) => endpoint.clone(),
            None => {
                let endpoint = Endpoint::find(
                    reference.domain(),
                    &inner.http,
                    &RegistryOptions {
                        plain_http: inner.options.plain_http || insecure,
                        ..inner.options.clone()
                    },
                    insecure,
                    &inner.environment,
                )?;
                let endpoint = Arc::new(endpoint);
                endpoints.insert(key, endpoint.clone());
                endpoint
            }
        };
        Ok(Repository {
            endpoint,
            path: reference.path().to_owned(),
            chunk_bytes: inner.options.chunk_bytes,
        })
    }
}

fn login_advice(known: bool, registry: &str) -> String {
    match known {
        true => " with the credentials that are configured".to_owned(),
        false => format!(" to anybody; `docker login {registry}` first"),
    }
}
