//! One request, one answer: proxies, certificate authorities, redirects.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Identity, Method, NoProxy, Proxy, Url};
use tokio::runtime::Runtime;

use super::error::{causes, plain_url};
use super::{Body, HttpError, Response, Retry};
use crate::files::{open_named, read_bounded};

/// As many as browsers and registries' own clients follow.
const REDIRECTS: usize = 10;
/// A bundle of all public authorities has about 250 KiB.
const CERTIFICATE_BYTES: u64 = 16 << 20;

/// How to reach servers.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Proxies; loopback addresses are always reached directly.
    pub proxies: Proxies,
    /// PEM files with certificate authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// PEM files with a certificate and its key that say who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Any certificate will do; for registries that are said to be insecure.
    pub unverified: bool,
    /// When to try again.
    pub retry: Retry,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long nothing at all may move on a connection.
    pub stall_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            proxies: Proxies::default(),
            ca_files: Vec::new(),
            identity: None,
            unverified: false,
            retry: Retry::default(),
            connect_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(60),
        }
    }
}

/// Proxies by the scheme of the URL that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http:` URLs.
    pub http: Option<String>,
    /// For `https:` URLs.
    pub https: Option<String>,
    /// Hosts, domains and networks that are reached directly, comma-separated.
    pub none: Option<String>,
}

impl Proxies {
    /// Takes the proxies from variables as every tool understands them:
    /// `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, either case.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_ascii_uppercase()))
                .filter(|value| !value.is_empty())
        };
        let all = find("all_proxy");
        Self {
            http: find("http_proxy").or_else(|| all.clone()),
            https: find("https_proxy").or(all),
            none: find("no_proxy"),
        }
    }
}

/// A client for HTTP and HTTPS. Clones share connections.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    options: HttpOptions,
    runtime: Arc<Runtime>,
    /// Made when first used: loading the system's authorities takes longer
    /// than a whole exchange with a registry on this machine, and a machine
    /// without any can still speak plain HTTP.
    clients: [OnceLock<reqwest::Client>; 4],
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Sent to the origin of `url` only, never after a redirect elsewhere.
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: Body,
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            authorization: None,
            body: Body::Empty,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn authorization(mut self, value: Option<&'a str>) -> Self {
        self.authorization = value;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

impl HttpClient {
    /// Prepares a client; nothing is connected yet.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        // Another provider may be installed already; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("jettison-network")
            .enable_all()
            .build()
            .map_err(|error| HttpError::Setup(error.to_string()))?;
        let inner = Inner {
            options,
            runtime: Arc::new(runtime),
            clients: Default::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// A client with other options on the same threads.
    pub(crate) fn with_options(&self, options: HttpOptions) -> Result<Self, HttpError> {
        let inner = Inner {
            options,
            runtime: self.inner.runtime.clone(),
            clients: Default::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The threads on which it works, for other clients.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        self.inner.runtime.clone()
    }

    /// How it was prepared.
    pub fn options(&self) -> &HttpOptions {
        &self.inner.options
    }

    /// Sends a request once. Redirects of GET and HEAD are followed, never
    /// from HTTPS to HTTP, and credentials stay with the origin they were meant for.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Response, HttpError> {
        let Request {
            method,
            mut url,
            headers,
            authorization,
            mut body,
        } = request;
        let origin = url.origin();
        for _ in 0..=REDIRECTS {
            let sent = std::mem::replace(&mut body, Body::Empty);
            let with = authorization.filter(|_| url.origin() == origin);
            let response = self.send_to(&method, &url, &headers, with, sent)?;
            let follows = (method == Method::GET || method == Method::HEAD)
                && matches!(response.status(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.header(LOCATION.as_str()).filter(|_| follows) else {
                return Ok(response);
            };
            let wrong = |problem: &str| HttpError::Url {
                url: plain_url(&url),
                problem: format!("redirects to {problem}"),
            };
            let next = url.join(location).map_err(|_| wrong("what is not a URL"))?;
            if next.scheme() != "https" && next.scheme() != url.scheme() {
                return Err(wrong(&format!("{}, from HTTPS to less", plain_url(&next))));
            }
            url = next;
        }
        Err(HttpError::Url {
            url: plain_url(&url),
            problem: "redirects without end".to_owned(),
        })
    }

    fn send_to(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(&'static str, String)],
        authorization: Option<&str>,
        body: Body,
    ) -> Result<Response, HttpError> {
        let bad = |problem: &str| HttpError::Url {
            url: plain_url(url),
            problem: problem.to_owned(),
        };
        let client = self.client_for(url)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| bad("a header holds control characters"))?;
            map.append(HeaderName::from_static(name), value);
        }
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| bad("the credentials hold control characters"))?;
            value.set_sensitive(true);
            map.insert(AUTHORIZATION, value);
        }
        let mut builder = client.request(method.clone(), url.clone()).headers(map);
        let (body, taken) = body.into_parts();
        let stream_bytes = match body {
            Some((body, size_bytes)) => {
                builder = builder.header("content-length", size_bytes).body(body);
                size_bytes
            }
            None if *method == Method::POST || *method == Method::PUT => {
                builder = builder.header("content-length", 0);
                0
            }
            None => 0,
        };
        let stall = self.inner.options.stall_timeout;
        let watched = async {
            let mut sending = std::pin::pin!(builder.send());
            let mut seen = u64::MAX;
            loop {
                match tokio::time::timeout(stall, &mut sending).await {
                    Ok(outcome) => return outcome.map_err(causes),
                    Err(_) => {
                        let now = taken.load(Ordering::Relaxed);
                        // All is sent and the server thinks, or nothing moves.
                        if now == seen {
                            return Err(format!(
                                "nothing moved for {} seconds, {now} of {stream_bytes} bytes sent",
                                stall.as_secs()
                            ));
                        }
                        seen = now;
                    }
                }
            }
        };
        let outcome = self.inner.runtime.block_on(watched);
        let response = outcome.map_err(|problem| {
            let url = plain_url(url);
            // Another try would meet the same certificate.
            if problem.contains("invalid peer certificate") {
                HttpError::Certificates { url, problem }
            } else if problem.contains("client error (Connect)") {
                HttpError::Unreachable { url, problem }
            } else {
                HttpError::Connection { url, problem }
            }
        })?;
        Ok(Response::new(self.inner.runtime.clone(), response, stall))
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => {
                return Err(HttpError::Url {
                    url: plain_url(url),
                    problem: "neither http nor https".to_owned(),
                });
            }
        };
        let direct = url.host_str().is_none_or(is_loopback);
        let slot = &self.inner.clients[usize::from(tls) * 2 + usize::from(direct)];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = build(&self.inner.options, tls, direct)?;
        Ok(slot.get_or_init(|| client))
    }
}

fn build(options: &HttpOptions, tls: bool, direct: bool) -> Result<reqwest::Client, HttpError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("jettison/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(options.connect_timeout)
        .no_proxy();
    if tls {
        builder = builder
            .tls_certs_merge(certificates(options)?)
            .tls_danger_accept_invalid_certs(options.unverified);
        if let Some((certificate, key)) = &options.identity {
            let mut pem = read_pem(certificate)?;
            pem.push(b'\n');
            pem.extend(read_pem(key)?);
            let identity = Identity::from_pem(&pem).map_err(|error| HttpError::Certificate {
                path: certificate.display().to_string(),
                problem: causes(error),
            })?;
            builder = builder.identity(identity);
        }
    } else {
        // Redirects to HTTPS go through the other client: no authority is needed.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    if !direct {
        let (proxies, setup) = (&options.proxies, |error: reqwest::Error| {
            HttpError::Setup(format!("proxy: {}", causes(error)))
        });
        let exceptions = || proxies.none.as_deref().and_then(NoProxy::from_string);
        if let Some(url) = &proxies.http {
            builder = builder.proxy(Proxy::http(url).map_err(setup)?.no_proxy(exceptions()));
        }
        if let Some(url) = &proxies.https {
            builder = builder.proxy(Proxy::https(url).map_err(setup)?.no_proxy(exceptions()));
        }
    }
    builder
        .build()
        .map_err(|error| HttpError::Setup(causes(error)))
}

fn certificates(options: &HttpOptions) -> Result<Vec<Certificate>, HttpError> {
    let mut all = Vec::new();
    for path in &options.ca_files {
        let fail = |problem: String| HttpError::Certificate {
            path: path.display().to_string(),
            problem,
        };
        let pem = read_pem(path)?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| fail(causes(error)))?;
        if found.is_empty() {
            return Err(fail("holds no certificate in PEM form".to_owned()));
        }
        all.extend(found);
    }
    Ok(all)
}

fn read_pem(path: &Path) -> Result<Vec<u8>, HttpError> {
    let read = open_named(path).and_then(|file| read_bounded(file, CERTIFICATE_BYTES));
    read.map_err(|error| HttpError::Certificate {
        path: path.display().to_string(),
        problem: error.to_string(),
    })
}

/// True for this machine's own addresses and names.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
