//! What git knows about the sources, for labels and the version stamp. No git,
//! or no repository, is no error: there is just nothing to know.

use std::path::Path;
use std::process::{Command, Stdio};

/// Facts about a checkout; each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// `git describe --tags --always --dirty`.
    pub(crate) version: Option<String>,
    /// The commit.
    pub(crate) revision: Option<String>,
    /// When it was made, seconds since 1970.
    pub(crate) committed: Option<i64>,
    /// Where it was cloned from, without credentials.
    pub(crate) remote: Option<String>,
}

impl Checkout {
    /// Asks git about `directory`.
    pub(crate) fn of(directory: &Path) -> Self {
        let revision = ask(directory, &["rev-parse", "--verify", "HEAD"]);
        if revision.is_none() {
            return Self::default();
        }
        let remote = ask(directory, &["config", "--get", "remote.origin.url"]);
        Self {
            version: ask(directory, &["describe", "--tags", "--always", "--dirty"]),
            revision,
            committed: ask(directory, &["log", "-1", "--format=%ct"])
                .and_then(|text| text.parse().ok()),
            remote: remote.and_then(|url| public_url(&url)),
        }
    }
}

fn ask(directory: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !text.is_empty()).then_some(text)
}

/// The address of a repository as others may see it: no user, no password,
/// and `git@host:path` as a URL. A path of this machine is nobody's business.
fn public_url(url: &str) -> Option<String> {
    if let Some((scheme, rest)) = url.split_once("://") {
        if !matches!(scheme, "http" | "https" | "ssh" | "git") {
            return None;
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let host = rest[..end].rsplit('@').next().unwrap_or_default();
        let scheme = if scheme == "http" { "http" } else { "https" };
        return Some(format!("{scheme}://{host}{}", &rest[end..]));
    }
    let (host, path) = url.split_once(':')?;
    let host = host.rsplit('@').next().unwrap_or_default();
    let is_host = host.len() > 1 && !host.contains('/') && !path.starts_with('/');
    is_host.then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::public_url;

    #[test]
    fn addresses_lose_their_secrets() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(public_url(url).as_deref(), expected, "{url}");
        };
        check(
            "https://example.com/a/b.git",
            Some("https://example.com/a/b.git"),
        );
        check(
            "https://user:secret@example.com/a",
            Some("https://example.com/a"),
        );
        check(
            "git@example.com:a/b.git",
            Some("https://example.com/a/b.git"),
        );
        check("ssh://git@example.com/a", Some("https://example.com/a"));
        check("/srv/git/a", None);
        check("file:///srv/git/a", None);
        check("../a", None);
    }
}
