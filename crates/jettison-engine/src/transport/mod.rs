//! Where images come from and go to, in skopeo's words.
//!
//! Asynchronous clients live behind this module and are never seen outside.

mod attach;
mod convert;
mod counted;
mod daemon;
mod environment;
mod error;
mod host_files;
mod location;
mod open;
mod pack;
mod parallel;
mod registry;
mod spool;
mod whole;
mod write;

use std::sync::Arc;

use jettison_image::Limits;

pub use attach::{Attached, Document, DocumentKind};
pub use daemon::DaemonError;
pub(crate) use daemon::contexts as docker_contexts;
pub use environment::Environment;
pub use error::TransportError;
pub(crate) use host_files::Output as FileOutput;
pub use location::{Location, LocationError};
pub use open::{Opened, Origin};
pub(crate) use parallel::each;
pub use registry::{CredentialsError, RegistryError, RegistryOptions};
pub(crate) use registry::{Login, logins};
pub use write::{Moved, Written};

pub use crate::store_source::StoreSource;

use crate::base::ArchiveOptions;
use crate::http::{HttpClient, HttpError, HttpOptions};
use crate::progress::Progress;
use crate::store::Store;
use daemon::Daemon;
use registry::Registries;

/// How transports behave.
#[derive(Debug, Clone, Default)]
pub struct TransportOptions {
    /// How servers are reached.
    pub http: HttpOptions,
    /// How registries are spoken to.
    pub registry: RegistryOptions,
    /// The caller's environment: credentials, engines.
    pub environment: Environment,
    /// Bounds on what is read.
    pub limits: Limits,
    /// Where Debian packages come from.
    pub archives: ArchiveOptions,
}

/// All transports, ready for use.
#[derive(Clone)]
pub struct Transports {
    store: Store,
    http: HttpClient,
    registries: Registries,
    environment: Environment,
    archives: ArchiveOptions,
    limits: Limits,
    progress: Arc<dyn Progress>,
}

impl Transports {
    /// Prepares the transports; nothing is opened or connected yet.
    pub fn new(
        store: Store,
        options: TransportOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, HttpError> {
        let http = HttpClient::new(options.http)?;
        let environment = options.environment;
        let registries = Registries::new(http.clone(), options.registry, environment.clone());
        Ok(Self {
            store,
            http,
            registries,
            environment,
            archives: options.archives,
            limits: options.limits,
            progress,
        })
    }

    /// The same ways with another store.
    pub(crate) fn with_store(&self, store: Store) -> Self {
        Self {
            store,
            ..self.clone()
        }
    }

    /// Takes Debian packages from elsewhere than the machine says.
    pub fn use_archives(&mut self, archives: ArchiveOptions) {
        self.archives = archives;
    }

    /// The local store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The client for everything else on the network.
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where a Docker engine or podman answers; the error says why none does.
    pub fn engine(&self) -> Result<String, TransportError> {
        Ok(self.daemon()?.host().to_owned())
    }

    /// Where an engine would be looked for, without asking it.
    pub fn engine_address(&self) -> Result<String, TransportError> {
        Ok(daemon::find(&self.environment)?.host)
    }

    fn daemon(&self) -> Result<Daemon, DaemonError> {
        Daemon::connect(&self.environment, self.http.runtime())
    }
}
