//! Who we are to a registry: `docker login`'s config.json with its credential
//! helpers, podman's auth.json after it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde::Deserialize;

use crate::files::{open_named, read_bounded};
use crate::transport::Environment;

/// Under which docker keeps the credentials of the default registry.
const DEFAULT_KEY: &str = "https://index.docker.io/v1/";
const FILE_BYTES: u64 = 4 << 20;
const HELPER_BYTES: u64 = 1 << 20;
/// A helper may ask its person to unlock a keychain.
const HELPER_PATIENCE: Duration = Duration::from_secs(60);

/// How to prove who we are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// User and password.
    Password { user: String, password: String },
    /// An OAuth2 refresh token (docker's `identitytoken`).
    Identity(String),
    /// A bearer token that is sent as it is (docker's `registrytoken`).
    Bearer(String),
}

/// Why credentials that are configured cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("credentials of {registry}: {problem}")]
pub struct CredentialsError {
    registry: String,
    problem: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct AuthFile {
    auths: BTreeMap<String, AuthEntry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct AuthEntry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// A registry that somebody has logged in to.
pub(crate) struct Login {
    pub(crate) registry: String,
    /// The program that keeps the secret.
    pub(crate) helper: Option<String>,
    /// The file that names it.
    pub(crate) file: String,
}

/// Registries for which there are credentials, without the credentials. A
/// helper is not asked: it may want its person to unlock a keychain.
pub(crate) fn logins(environment: &Environment) -> Vec<Login> {
    let mut found = Vec::new();
    for path in files(environment) {
        let json = open_named(&path).and_then(|file| read_bounded(file, FILE_BYTES));
        let Some(file) = json
            .ok()
            .and_then(|json| serde_json::from_slice::<AuthFile>(&json).ok())
        else {
            continue;
        };
        let mut add = |registry: &str, helper: Option<&String>| {
            if found.iter().all(|login: &Login| login.registry != registry) {
                found.push(Login {
                    registry: registry.to_owned(),
                    helper: helper.cloned(),
                    file: path.display().to_string(),
                });
            }
        };
        for (registry, helper) in &file.cred_helpers {
            add(registry, Some(helper));
        }
        for registry in file.auths.keys() {
            add(registry, file.creds_store.as_ref());
        }
    }
    found
}

/// Finds the credentials for a repository; none means anonymous.
pub(super) fn find(
    environment: &Environment,
    registry: &str,
    repository: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    let fail = |problem: String| CredentialsError {
        registry: registry.to_owned(),
        problem,
    };
    for path in files(environment) {
        let json = match open_named(&path).and_then(|file| read_bounded(file, FILE_BYTES)) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fail(format!("{}: {error}", path.display()))),
        };
        let file: AuthFile = serde_json::from_slice(&json)
            .map_err(|error| fail(format!("{}: {error}", path.display())))?;
        if let Some(found) = in_file(environment, &file, registry, repository).map_err(fail)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn files(environment: &Environment) -> Vec<PathBuf> {
    let variable = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    let home = variable("HOME").map(PathBuf::from);
    let mut files = Vec::new();
    if let Some(directory) = environment.docker_config() {
        files.push(directory.join("config.json"));
    }
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        files.push(file.into());
    }
    if let Some(runtime) = variable("XDG_RUNTIME_DIR") {
        files.push(PathBuf::from(runtime).join("containers/auth.json"));
    }
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    if let Some(config) = config.or_else(|| home.map(|home| home.join(".config"))) {
        files.push(config.join("containers/auth.json"));
    }
    files
}

fn in_file(
    environment: &Environment,
    file: &AuthFile,
    registry: &str,
    repository: &str,
) -> Result<Option<Credentials>, String> {
    let is_default = registry == "docker.io";
    let key = if is_default { DEFAULT_KEY } else { registry };
    let helper = file
        .cred_helpers
        .get(registry)
        .or_else(|| file.cred_helpers.get(key));
    if let Some(helper) = helper
        .or(file.creds_store.as_ref())
        .filter(|name| !name.is_empty())
        && let Some(found) = ask_helper(environment, helper, key)?
    {
        return Ok(Some(found));
    }
    // podman keeps credentials of single repositories too; the longest name wins.
    let mut scope = format!("{registry}/{repository}");
    loop {
        if let Some(entry) = file.auths.get(&scope)
            && let Some(found) = entry.credentials()?
        {
            return Ok(Some(found));
        }
        let Some(end) = scope.rfind('/') else { break };
        scope.truncate(end);
    }
    for (name, entry) in &file.auths {
        let host = name
            .split_once("://")
            .map_or(name.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let same = host == registry
            || is_default && matches!(host, "index.docker.io" | "registry-1.docker.io");
        // A bare `host/path` is podman's and was looked at above.
        if same
            && (name.contains("://") || name.trim_end_matches('/') == host)
            && let Some(found) = entry.credentials()?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl AuthEntry {
    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credentials::Bearer(self.registrytoken.clone())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::Identity(self.identitytoken.clone())));
        }
        if !self.auth.is_empty() {
            let decoded = base64::engine::general_purpose::STANDARD
                .decode(self.auth.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or("`auth` is not base64")?;
            let (user, password) = decoded
                .split_once(':')
                .ok_or("`auth` is not user:password")?;
            // docker pads old files with NUL bytes.
            let password = password.trim_end_matches('\0').to_owned();
            return Ok(Some(Credentials::Password {
                user: user.to_owned(),
                password,
            }));
        }
        if !self.username.is_empty() {
            let (user, password) = (self.username.clone(), self.password.clone());
            return Ok(Some(Credentials::Password { user, password }));
        }
        Ok(None)
    }
}

/// Runs `docker-credential-NAME get` (docker-credential-helpers' protocol):
/// the server on stdin, JSON on stdout, a failure with a known text when there is nothing.
fn ask_helper(
    environment: &Environment,
    name: &str,
    server: &str,
) -> Result<Option<Credentials>, String> {
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    {
        return Err(format!("{name:?} is not the name of a credential helper"));
    }
    let program = format!("docker-credential-{name}");
    let fail = |problem: String| format!("{program}: {problem}");
    let mut command = Command::new(&program);
    if let Some(path) = environment.variable("PATH") {
        // Where it is looked for, too.
        command.env("PATH", path);
    }
    let mut child = command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ends without reading has said what it has to say.
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(HELPER_BYTES).read_to_end(&mut text);
        }
        text
    });
    let end = Instant::now() + HELPER_PATIENCE;
    let status = loop {
        match child.try_wait().map_err(|error| fail(error.to_string()))? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(fail(format!(
                    "no answer for {} seconds",
                    HELPER_PATIENCE.as_secs()
                )));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let text = reader.join().unwrap_or_default();
    if !status.success() {
        let text = String::from_utf8_lossy(&text);
        return match text.contains("credentials not found") {
            true => Ok(None),
            false => Err(fail(format!("{status}: {}", crate::http::shown(&text)))),
        };
    }
    let answer: HelperAnswer = serde_json::from_slice(&text)
        .map_err(|_| fail("its answer is not understood".to_owned()))?;
    Ok(match answer.username.as_str() {
        "<token>" => Some(Credentials::Identity(answer.secret)),
        "" => None,
        _ => Some(Credentials::Password {
            user: answer.username,
            password: answer.secret,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_as_docker_and_podman_find_them() {
        #[track_caller]
        fn check(config: &str, registry: &str, repository: &str, expected: Option<&str>) {
            let file: AuthFile = serde_json::from_str(config).unwrap();
            let found = in_file(&Environment::default(), &file, registry, repository)
                .unwrap()
                .map(|found| match found {
                    Credentials::Password { user, password } => format!("{user}:{password}"),
                    Credentials::Identity(token) => format!("identity {token}"),
                    Credentials::Bearer(token) => format!("bearer {token}"),
                });
            assert_eq!(
                found.as_deref(),
                expected,
                "{registry}/{repository} in {config}"
            );
        }
        // u:p:q and v:w
        let both = r#"{"auths":{"r.test":{"auth":"dTpwOnE="},"https://index.docker.io/v1/":{"auth":"djp3"}}}"#;
        check(both, "r.test", "a/b", Some("u:p:q"));
        check(both, "docker.io", "library/alpine", Some("v:w"));
        check(both, "r.test:5000", "a/b", None);
        check(both, "other.test", "a/b", None);
        let urls = r#"{"auths":{"https://r.test/v2/":{"auth":"djp3"},"http://s.test:5000":{"username":"a","password":"b"}}}"#;
        check(urls, "r.test", "a", Some("v:w"));
        check(urls, "s.test:5000", "a", Some("a:b"));
        let scoped =
            r#"{"auths":{"r.test/team/app":{"auth":"djp3"},"r.test/team":{"auth":"dTpw"}}}"#;
        check(scoped, "r.test", "team/app", Some("v:w"));
        check(scoped, "r.test", "team/other", Some("u:p"));
        check(scoped, "r.test", "teams/app", None);
        let tokens = r#"{"auths":{"a.test":{"identitytoken":"i"},"b.test":{"registrytoken":"b"},"c.test":{}},"experimental":"enabled"}"#;
        check(tokens, "a.test", "x", Some("identity i"));
        check(tokens, "b.test", "x", Some("bearer b"));
        check(tokens, "c.test", "x", None);
    }

    #[test]
    fn a_helper_name_is_no_path() {
        assert!(ask_helper(&Environment::default(), "../../tmp/x", "r.test").is_err());
        assert!(ask_helper(&Environment::default(), "surely-not-installed", "r.test").is_err());
    }
}
