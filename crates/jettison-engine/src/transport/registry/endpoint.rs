//! Where a registry answers: scheme, host, certificates.

use std::path::{Path, PathBuf};

use reqwest::{Method, Url};

use super::auth::Authorizer;
use super::{RegistryError, RegistryOptions};
use crate::http::{HttpClient, HttpError, HttpOptions, Request, is_loopback};
use crate::transport::Environment;

/// Where engines keep certificates per registry.
const CERTIFICATE_DIRECTORIES: [&str; 2] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

pub(super) struct Endpoint {
    /// As references name it.
    pub(super) registry: String,
    /// `scheme://host[:port]/`.
    pub(super) base: Url,
    pub(super) http: HttpClient,
    pub(super) authorizer: Authorizer,
}

impl Endpoint {
    pub(super) fn find(
        registry: &str,
        http: &HttpClient,
        options: &RegistryOptions,
        unverified: bool,
        environment: &Environment,
    ) -> Result<Self, RegistryError> {
        let host = api_host(registry);
        let url = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/")).map_err(|error| HttpError::Url {
                url: registry.to_owned(),
                problem: error.to_string(),
            })
        };
        let mut http = with_certificates(http, registry)?;
        if unverified {
            http = http.with_options(HttpOptions {
                unverified,
                ..http.options().clone()
            })?;
        }
        let (secure, plain) = (url("https")?, url("http")?);
        let base = if secure.host_str().is_some_and(is_loopback) {
            if speaks_plain_http(&http, &plain) {
                plain
            } else {
                secure
            }
        } else if options.plain_http && !answers(&http, &secure) {
            plain
        } else {
            secure
        };
        Ok(Self {
            registry: registry.to_owned(),
            authorizer: Authorizer::new(registry, &base, http.clone(), environment.clone()),
            base,
            http,
        })
    }

    /// A URL below `/v2/`; the path holds only what reference, digest and tag
    /// grammars allow.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base
            .join(&format!("v2/{path}"))
            .map_err(|_| self.broken(format!("{path:?} is no path")))
    }

    /// The error for a registry that breaks the protocol.
    pub(super) fn broken(&self, problem: impl Into<String>) -> RegistryError {
        RegistryError::Protocol {
            registry: self.registry.clone(),
            problem: problem.into(),
        }
    }
}

/// The default registry's API answers at a host of its own, which is not the
/// one that names carry.
fn api_host(registry: &str) -> String {
    match registry {
        "docker.io" => format!("registry-1.{registry}"),
        _ => registry.to_owned(),
    }
}

/// A TLS server answers plain HTTP with 400 or not at all; a registry answers
/// the version check with 200 or 401. Nothing secret is sent.
fn speaks_plain_http(http: &HttpClient, base: &Url) -> bool {
    let Ok(url) = base.join("v2/") else {
        return false;
    };
    http.send(Request::new(Method::GET, url))
        .is_ok_and(|response| response.status() != 400)
}

fn answers(http: &HttpClient, base: &Url) -> bool {
    let Ok(url) = base.join("v2/") else {
        return false;
    };
    http.send(Request::new(Method::GET, url)).is_ok()
}

/// Adds the certificates that engines are told to use for this registry:
/// `*.crt` are authorities, `NAME.cert` with `NAME.key` is who we are
/// (docker, "Verify repository client with certificates").
fn with_certificates(http: &HttpClient, registry: &str) -> Result<HttpClient, HttpError> {
    let mut options = http.options().clone();
    let mut changed = false;
    for directory in CERTIFICATE_DIRECTORIES {
        // A registry's name is a single component by the reference grammar.
        for file in files(&Path::new(directory).join(registry)) {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => options.ca_files.push(file),
                Some("cert") if file.with_extension("key").exists() => {
                    options.identity = Some((file.clone(), file.with_extension("key")));
                }
                _ => continue,
            }
            changed = true;
        }
    }
    if changed {
        http.with_options(options)
    } else {
        Ok(http.clone())
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}
