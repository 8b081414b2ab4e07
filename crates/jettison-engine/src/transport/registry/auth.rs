//! Who may do what: answers a registry's challenge and remembers the answer.
//!
//! Credentials go to the registry itself, or to the token server that it
//! names, never to less than HTTPS when the registry is spoken to over HTTPS.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::RegistryError;
use super::challenge::{Challenge, parse};
use super::credentials::{Credentials, CredentialsError, find};
use crate::http::{Body, HttpClient, HttpError, Request, Response, until_answered};
use crate::transport::Environment;

/// Tokens are a few kilobytes.
const TOKEN_BYTES: u64 = 1 << 20;

pub(super) struct Authorizer {
    registry: String,
    secure: bool,
    http: HttpClient,
    environment: Environment,
    credentials: OnceLock<Option<Credentials>>,
    /// The header for each scope that was granted.
    headers: Mutex<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authorizer {
    pub(super) fn new(
        registry: &str,
        base: &Url,
        http: HttpClient,
        environment: Environment,
    ) -> Self {
        Self {
            registry: registry.to_owned(),
            secure: base.scheme() == "https",
            http,
            environment,
            credentials: OnceLock::new(),
            headers: Mutex::default(),
        }
    }

    /// The header that was granted for a scope before, if any.
    pub(super) fn known(&self, scope: &str) -> Option<String> {
        self.headers
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .get(scope)
            .cloned()
    }

    /// True when there are credentials for the registry.
    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.get().is_some_and(Option::is_some)
    }

    /// Answers a refusal; none when there is no way to answer it.
    pub(super) fn answer(
        &self,
        refusal: &Response,
        repository: &str,
        scope: &str,
    ) -> Result<Option<String>, RegistryError> {
        let challenges: Vec<Challenge> = refusal
            .headers("www-authenticate")
            .flat_map(parse)
            .collect();
        let credentials = self.credentials(repository)?;
        let header = match (challenges.first(), credentials) {
            (_, Some(Credentials::Bearer(token))) => Some(format!("Bearer {token}")),
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope: wanted,
                }),
                credentials,
            ) => {
                let scope = match wanted {
                    Some(wanted) if !covers(scope, wanted) => format!("{scope} {wanted}"),
                    _ => scope.to_owned(),
                };
                Some(self.token(realm, service.as_deref(), &scope, credentials)?)
            }
            (Some(Challenge::Basic), Some(Credentials::Password { user, password })) => {
                Some(basic(user, password))
            }
            _ => None,
        };
        let mut headers = self
            .headers
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match &header {
            Some(header) => headers.insert(scope.to_owned(), header.clone()),
            None => headers.remove(scope),
        };
        Ok(header)
    }

    fn credentials(&self, repository: &str) -> Result<Option<&Credentials>, CredentialsError> {
        if let Some(known) = self.credentials.get() {
            return Ok(known.as_ref());
        }
        let found = find(&self.environment, &self.registry, repository)?;
        Ok(self.credentials.get_or_init(|| found).as_ref())
    }

    /// Fetches a token (distribution's token and OAuth2 specifications).
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, RegistryError> {
        let bad = |problem: &str| HttpError::Url {
            url: realm.to_owned(),
            problem: format!("token server of {}: {problem}", self.registry),
        };
        let mut url = Url::parse(realm).map_err(|_| bad("not a URL"))?;
        if self.secure && url.scheme() != "https" {
            return Err(bad("not HTTPS, though the registry is").into());
        }
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(service.map(|service| ("service", service)));
        let answer = match credentials {
            Some(Credentials::Identity(token)) => {
                pairs.extend([
                    ("scope", scope),
                    ("grant_type", "refresh_token"),
                    ("client_id", "jettison"),
                    ("refresh_token", token),
                ]);
                let mut form = Url::parse("form:").map_err(|_| bad("not a URL"))?;
                form.query_pairs_mut().extend_pairs(pairs);
                let form = form.query().unwrap_or_default().as_bytes().to_vec();
                until_answered(&self.http.options().retry, || {
                    let request = Request::new(Method::POST, url.clone())
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(Body::Bytes(form.clone()));
                    self.http.send(request)
                })?
            }
            _ => {
                // Several scopes are several parameters, as docker sends them.
                pairs.extend(scope.split(' ').map(|scope| ("scope", scope)));
                url.query_pairs_mut().extend_pairs(pairs);
                let header = match credentials {
                    Some(Credentials::Password { user, password }) => Some(basic(user, password)),
                    _ => None,
                };
                until_answered(&self.http.options().retry, || {
                    let request = Request::new(Method::GET, url.clone());
                    self.http.send(request.authorization(header.as_deref()))
                })?
            }
        };
        match answer.status() {
            200 => {}
            400 | 401 | 403 if credentials.is_some() => {
                return Err(RegistryError::Protocol {
                    registry: self.registry.clone(),
                    problem: format!(
                        "its token server refuses the credentials that are configured ({})",
                        answer.status()
                    ),
                });
            }
            _ => return Err(answer.into_error().into()),
        }
        let json = answer.bytes(TOKEN_BYTES)?;
        serde_json::from_slice::<TokenAnswer>(&json)
            .ok()
            .and_then(|answer| {
                answer
                    .token
                    .filter(|token| !token.is_empty())
                    .or(answer.access_token)
            })
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| bad("its answer holds no token").into())
    }
}

/// True when every right of `wanted` is among ours already.
fn covers(scope: &str, wanted: &str) -> bool {
    wanted.split(' ').all(|wanted| {
        let Some((resource, actions)) = wanted.rsplit_once(':') else {
            return false;
        };
        scope.split(' ').any(|ours| {
            ours.rsplit_once(':')
                .is_some_and(|(our_resource, our_actions)| {
                    our_resource == resource
                        && actions
                            .split(',')
                            .all(|action| our_actions.split(',').any(|our| our == action))
                })
        })
    })
}

fn basic(user: &str, password: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_parts() {
        let ours = "repository:a/b:pull,push repository:c/d:pull";
        assert!(covers(ours, "repository:a/b:push"));
        assert!(covers(ours, "repository:c/d:pull repository:a/b:pull,push"));
        assert!(!covers(ours, "repository:c/d:push"));
        assert!(!covers(ours, "registry:catalog:*"));
    }
}
