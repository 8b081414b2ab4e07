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
mod pull;
mod push;
mod referrers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jettison_image::Reference;

pub use credentials::CredentialsError;
pub(crate) use credentials::{Login, logins};
pub(crate) use pull::RegistrySource;
pub(crate) use push::Uploaded;

use crate::http::{HttpClient, HttpError};
use crate::transport::Environment;
use endpoint::Endpoint;

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
    endpoints: Mutex<HashMap<String, Arc<Endpoint>>>,
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
            }),
        }
    }

    /// The repository that a reference names; the first time, its registry is
    /// asked which protocol it speaks.
    pub(crate) fn repository(&self, reference: &Reference) -> Result<Repository, RegistryError> {
        let inner = &self.inner;
        let mut endpoints = inner
            .endpoints
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let endpoint = match endpoints.get(reference.domain()) {
            Some(endpoint) => endpoint.clone(),
            None => {
                let endpoint = Endpoint::find(
                    reference.domain(),
                    &inner.http,
                    &inner.options,
                    &inner.environment,
                )?;
                let endpoint = Arc::new(endpoint);
                endpoints.insert(reference.domain().to_owned(), endpoint.clone());
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
