//! Names of images, as docker reads them (distribution reference grammar;
//! the familiar forms of docker's `ParseNormalizedNamed`).
//!
//! `alpine` is `docker.io/library/alpine`; a first component with a dot, a
//! colon or an upper-case letter, or `localhost`, is a registry. Names that
//! docker refuses are refused, each with what is wrong.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, DigestParseError, escape};

mod grammar;

/// The registry that is meant when a name does not say one.
const DEFAULT_DOMAIN: &str = "docker.io";
/// The name under which that registry was known to early clients.
const LEGACY_DOMAIN: &str = "index.docker.io";
/// Where the default registry keeps names of one component.
const OFFICIAL: &str = "library/";
/// The longest repository path a registry accepts.
const LONGEST_PATH: usize = 255;

/// An image's name: registry, repository, and optionally tag and digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not the name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image name: {problem}")]
pub struct ReferenceError {
    text: String,
    /// What is wrong.
    pub problem: ReferenceProblem,
}

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceProblem {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It is an image id.
    #[error("it is an image id; ids name images inside one engine only")]
    ImageId,
    /// The repository has upper-case letters.
    #[error("the repository must be lower-case: {0}")]
    UpperCase(String),
    /// The repository is too long.
    #[error("the repository has more than 255 characters")]
    TooLong,
    /// A component of the repository is malformed.
    #[error(
        "`{0}` is no part of a repository: use a-z and 0-9, joined by one of `.`, `_`, `__` or any number of `-`"
    )]
    Component(String),
    /// The registry is malformed.
    #[error("`{0}` is no registry: expected HOST[:PORT]")]
    Domain(String),
    /// The tag is malformed.
    #[error(
        "`{0}` is no tag: use up to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`, not beginning with `.` or `-`"
    )]
    Tag(String),
    /// The digest is malformed.
    #[error("{0}")]
    Digest(DigestParseError),
}

impl Reference {
    /// Reads a name and fills in what docker fills in, the tag excepted.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|problem| ReferenceError {
            text: escape(text),
            problem,
        })
    }

    /// The registry, `docker.io` where none was said.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository inside the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, where one was said.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where one was said.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag that is meant: `latest` where neither tag nor digest was said.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag.as_deref(),
        }
    }

    /// Registry and repository.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The name as docker's output shows it: without the default registry
    /// and its `library/`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The whole reference as docker's output shows it.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// The same repository with `latest` where neither tag nor digest was said.
    pub fn with_default_tag(mut self) -> Self {
        self.tag = self.tag_or_latest().map(str::to_owned);
        self
    }

    /// The same repository with another tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        if !grammar::is_tag(tag) {
            let problem = ReferenceProblem::Tag(escape(tag));
            return Err(ReferenceError {
                text: format!("{}:{}", self.familiar_name(), escape(tag)),
                problem,
            });
        }
        Ok(Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same repository by digest, without a tag.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(tag) = &self.tag {
            suffix = format!(":{tag}");
        }
        if let Some(digest) = &self.digest {
            suffix += &format!("@{digest}");
        }
        suffix
    }
}

/// The whole name, registry included.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn parse(text: &str) -> Result<Reference, ReferenceProblem> {
    if text.is_empty() {
        return Err(ReferenceProblem::Empty);
    }
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(ReferenceProblem::ImageId);
    }
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (
            named,
            Some(digest.parse().map_err(ReferenceProblem::Digest)?),
        ),
        None => (text, None),
    };
    let (domain, remainder) = split_domain(named);
    let (path, tag) = match remainder.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (remainder.as_str(), None),
    };
    if path.chars().any(char::is_uppercase) {
        return Err(ReferenceProblem::UpperCase(escape(&path.to_lowercase())));
    }
    if !grammar::is_domain(&domain) {
        return Err(ReferenceProblem::Domain(escape(&domain)));
    }
    if path.len() > LONGEST_PATH {
        return Err(ReferenceProblem::TooLong);
    }
    if let Some(wrong) = path
        .split('/')
        .find(|component| !grammar::is_path_component(component))
    {
        return Err(ReferenceProblem::Component(escape(wrong)));
    }
    if let Some(wrong) = tag.filter(|tag| !grammar::is_tag(tag)) {
        return Err(ReferenceProblem::Tag(escape(wrong)));
    }
    Ok(Reference {
        domain,
        path: path.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// Docker's rule for what is a registry and what the first component of a
/// repository.
fn split_domain(named: &str) -> (String, String) {
    let is_domain = |first: &str| {
        first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first
    };
    let (domain, remainder) = match named.split_once('/') {
        Some((first, rest)) if is_domain(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, named),
    };
    let domain = if domain == LEGACY_DOMAIN {
        DEFAULT_DOMAIN
    } else {
        domain
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain.to_owned(), format!("{OFFICIAL}{remainder}"));
    }
    (domain.to_owned(), remainder.to_owned())
}

#[cfg(test)]
mod tests;
