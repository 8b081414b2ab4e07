//! What a build is handed from this machine: arguments, secrets, agents, and
//! what a company's network needs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use jettison_engine::dockerfile::Secret;

use crate::commands::csv;
use crate::failure::Failure;
use crate::settings::variable;

/// `--build-arg`, several.
pub(super) fn build_args(words: &[String]) -> BTreeMap<String, Vec<u8>> {
    let pairs = words.iter().filter_map(|word| match word.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        // One that is set to nothing is set.
        None => Some((word.clone(), std::env::var(word).ok()?)),
    });
    pairs
        .map(|(name, value)| (name, value.into_bytes()))
        .collect()
}

/// `--secret`: `id=ID,src=FILE`, `id=ID,env=NAME`, `type=env,id=ID,src=NAME`. With
/// an id alone it is the variable of that name, or the file, as buildx has it.
pub(super) fn secret(text: &str) -> Result<(String, Secret), Failure> {
    let wrong = |problem: &str| Failure::new(format!("--secret: `{text}` {problem}"));
    let (mut id, mut file, mut env, mut is_env) = (None, None, None, false);
    for field in csv::split(text).map_err(wrong)? {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(value.to_owned()),
            Some(("env", value)) => env = Some(value.to_owned()),
            Some(("type", kind @ ("file" | "env"))) => is_env = kind == "env",
            _ => return Err(wrong("is not id=ID,src=FILE or id=ID,env=NAME")),
        }
    }
    let id = id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| wrong("names no id"))?;
    if is_env && env.is_none() {
        env = file.take();
    }
    let known = |name: &str| std::env::var_os(name).map(OsString::into_vec);
    let read = |path: &str, problem: &str| {
        std::fs::read(path).map_err(|error| wrong(&format!("{problem}: {error}")))
    };
    let content = match (file, env) {
        (Some(file), _) => read(&file, "names a file that cannot be read")?,
        (None, Some(name)) => {
            known(&name).ok_or_else(|| wrong(&format!("names {name}, which is not set")))?
        }
        (None, None) => match known(&id) {
            Some(value) => value,
            None => read(
                &id,
                &format!("has no src, {id} is not set, nor is it a file"),
            )?,
        },
    };
    Ok((id, Secret(content)))
}

/// `--ssh`.
pub(super) fn agent(text: &str) -> Result<(String, PathBuf), Failure> {
    let (id, socket) = match text.split_once('=') {
        Some((id, socket)) => (id, Some(socket.to_owned())),
        None => (text, variable("SSH_AUTH_SOCK")),
    };
    let socket = socket.ok_or_else(|| {
        Failure::new("--ssh: no agent is running here").with_hint("eval $(ssh-agent); ssh-add")
    })?;
    Ok((id.to_owned(), PathBuf::from(socket)))
}

pub type Lent = (Vec<(String, String)>, Vec<(PathBuf, String)>);

/// Where the machine's CA bundle may lie, and where RUN steps see it.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const LENT_BUNDLE: &str = "/run/jettison/ca-certificates.crt";
/// What clients look for a bundle under.
const BUNDLE_VARIABLES: [&str; 8] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
];
const PROXY_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// `--trust-host-ca`: variables and files.
pub fn lent() -> Result<Lent, Failure> {
    let own = variable("SSL_CERT_FILE").map(PathBuf::from);
    let known = BUNDLES.iter().map(PathBuf::from);
    let bundle = own.into_iter().chain(known).find(|path| path.is_file());
    let bundle = bundle.ok_or_else(|| {
        Failure::new("--trust-host-ca: this machine has no CA bundle in a known place")
            .with_hint("name it by SSL_CERT_FILE")
    })?;
    let bundles = BUNDLE_VARIABLES.map(|name| (name.to_owned(), LENT_BUNDLE.to_owned()));
    let proxies = PROXY_VARIABLES.iter();
    let proxies = proxies.filter_map(|name| Some(((*name).to_owned(), variable(name)?)));
    let variables = bundles.into_iter().chain(proxies).collect();
    Ok((variables, vec![(bundle, LENT_BUNDLE.to_owned())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("token");
        std::fs::write(&path, [0xff, 0]).expect("room");
        let text = format!("type=file,id=a,src={}", path.display());
        let (id, secret) = super::secret(&text).expect("a secret");
        assert_eq!((id.as_str(), secret), ("a", Secret(vec![0xff, 0])));
        let quoted = scratch.path().join("a,b");
        std::fs::write(&quoted, "x").expect("room");
        let text = format!("id=a,\"src={}\"", quoted.display());
        assert!(super::secret(&text).is_ok(), "{text}");
        // PATH is a variable wherever tests run.
        let path = std::env::var_os("PATH").expect("a PATH").into_vec();
        for text in ["id=PATH", "id=a,env=PATH", "type=env,id=a,src=PATH"] {
            let (_, secret) = super::secret(text).expect(text);
            assert_eq!(secret, Secret(path.clone()), "{text}");
        }
        let (_, secret) = super::secret("id=Cargo.toml").expect("a file of the folder");
        assert!(secret.0.starts_with(b"[package]"));
        for wrong in [
            "",
            "a",
            "src=/x",
            "id=is_not_set",
            "id=a,src=/is/not/there",
            "id=a,what=b",
        ] {
            assert!(super::secret(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments() {
        let found = build_args(&["a=b=c".to_owned(), "is_not_set_anywhere".to_owned()]);
        assert_eq!(found, BTreeMap::from([("a".to_owned(), b"b=c".to_vec())]));
    }
}
