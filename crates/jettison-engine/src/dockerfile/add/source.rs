//! What a source word of ADD is: a path of the context, a URL, a repository.

use url::Url;

use super::AddError;
use super::git::Repository;

/// A source by its kind.
#[derive(Debug)]
pub(super) enum Source {
    Local,
    Url(Url),
    Repository(Repository),
}

/// Whether a word names something that is not in the context.
pub(crate) fn is_remote(word: &[u8]) -> bool {
    !matches!(Source::of(word), Ok(Source::Local))
}

impl Source {
    /// HTTP URLs whose path ends in `.git` are repositories, as are `git:` and
    /// `ssh:` URLs and `user@host:path`.
    pub(super) fn of(word: &[u8]) -> Result<Self, AddError> {
        let Ok(word) = std::str::from_utf8(word) else {
            return Ok(Self::Local);
        };
        let Some((scheme, _)) = word.split_once("://") else {
            return Ok(match scp(word) {
                Some((remote, query, fragment)) => {
                    Self::Repository(Repository::new(word, remote, query, fragment)?)
                }
                None => Self::Local,
            });
        };
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https" | "ssh" | "git") {
            return Ok(Self::Local);
        }
        let url = Url::parse(word).map_err(|error| AddError::Source {
            what: jettison_image::escape(word),
            problem: error.to_string(),
        })?;
        if scheme.starts_with("http") && !url.path().ends_with(".git") {
            return Ok(Self::Url(url));
        }
        let mut remote = url.clone();
        remote.set_fragment(None);
        remote.set_query(None);
        Ok(Self::Repository(Repository::new(
            word,
            remote.as_str(),
            url.query(),
            url.fragment(),
        )?))
    }
}

/// `user@host:path?query#fragment`.
fn scp(word: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let (user, rest) = word.split_once('@')?;
    let (host, _) = rest.split_once(':')?;
    let is_name = |text: &str, more: &[char]| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    if !is_name(user, &['-', '_']) || !is_name(host, &['-', '.']) {
        return None;
    }
    let (word, fragment) = match word.split_once('#') {
        Some((word, fragment)) => (word, Some(fragment)),
        None => (word, None),
    };
    match word.split_once('?') {
        Some((remote, query)) => Some((remote, Some(query), fragment)),
        None => Some((word, None, fragment)),
    }
}
