//! How bytes are asked for. The engine implements [`Fetch`] with its cache, its
//! network client and its file access; here is only what is wanted.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use jettison_image::Digest;

/// Where a file of an archive lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// An `http` or `https` URL.
    Url(String),
    /// A file of the host, from a `file:` or `copy:` source.
    File(PathBuf),
}

impl Location {
    /// Reads an apt URI. Only `http`, `https`, `file` and `copy` are served;
    /// the error names what another scheme would need.
    pub fn parse(uri: &str) -> Result<Self, String> {
        let uri = uri.trim_end_matches('/');
        let (scheme, rest) = uri
            .split_once(':')
            .ok_or_else(|| format!("`{uri}` is not a URI"))?;
        match scheme {
            "http" | "https" => match rest.strip_prefix("//") {
                Some(host) if !host.is_empty() && !host.starts_with('/') => {
                    if uri.contains(|c: char| c.is_control() || c.is_whitespace()) {
                        return Err("a URI contains white space".into());
                    }
                    Ok(Self::Url(uri.to_owned()))
                }
                _ => Err(format!("`{uri}` names no host")),
            },
            "file" | "copy" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if !path.starts_with('/') {
                    return Err(format!("`{uri}` is not an absolute path"));
                }
                Ok(Self::File(path.into()))
            }
            _ if scheme.starts_with("mirror") => Err(format!(
                "mirror lists (`{scheme}:`) are not followed; name one mirror of the list"
            )),
            "cdrom" => Err("`cdrom:` sources are not read".into()),
            _ => Err(format!("apt transport `{scheme}:` is not supported")),
        }
    }

    /// The file at `path` below this one. Empty, absolute and `..` paths are
    /// refused: they come from indexes.
    pub fn join(&self, path: &str) -> Option<Self> {
        let plain = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\'])
        };
        if path.contains(|c: char| c.is_control() || c.is_whitespace())
            || !path.split('/').all(plain)
        {
            return None;
        }
        Some(match self {
            Self::Url(url) => Self::Url(format!("{url}/{}", escape_path(path))),
            Self::File(file) => Self::File(file.join(path)),
        })
    }
}

/// Escapes what would end a URL's path early. Package file names contain `+`,
/// `~` and `%3a`, which servers take as they are written in the index.
fn escape_path(path: &str) -> String {
    path.replace('?', "%3F").replace('#', "%23")
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&without_password(url)),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A URL may carry `user:password@`; messages must not.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => url.to_owned(),
    }
}

/// One file that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it lies.
    pub location: Location,
    /// Its content, when that is known before: a cache may answer by it. The
    /// answer is verified again all the same.
    pub digest: Option<Digest>,
    /// Its size, when that is known before.
    pub size_bytes: Option<u64>,
}

impl Request {
    /// A file whose content is not known before.
    pub fn any(location: Location) -> Self {
        Self {
            location,
            digest: None,
            size_bytes: None,
        }
    }
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The place answers, and has no such file.
    #[error("not there")]
    NotFound,
    /// Anything else.
    #[error("cannot be fetched")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Fetches files of an archive. Implemented by the engine.
pub trait Fetch {
    /// Opens the wanted file for reading from its start.
    fn fetch(&self, wanted: &Request) -> Result<Box<dyn Read + Send>, FetchError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        #[track_caller]
        fn check(uri: &str, expected: Result<&str, &str>) {
            let got = Location::parse(uri);
            match (&got, expected) {
                (Ok(location), Ok(text)) => assert_eq!(location.to_string(), text),
                (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
                _ => panic!("{uri}: {got:?}"),
            }
        }
        check(
            "http://mirror.example/debian/",
            Ok("http://mirror.example/debian"),
        );
        check("https://u:secret@m.example/d", Ok("https://m.example/d"));
        check("file:/srv/mirror", Ok("/srv/mirror"));
        check("copy:///srv/mirror", Ok("/srv/mirror"));
        check("file:srv", Err("absolute"));
        check("mirror+file:/etc/apt/mirrors.list", Err("mirror lists"));
        check("cdrom:[Debian]/", Err("cdrom"));
        check("tor+https://x", Err("transport"));
        check("http://", Err("host"));
        check("debian", Err("not a URI"));
    }

    #[test]
    fn paths_from_an_index_stay_below() {
        let root = Location::parse("http://m.example/debian").unwrap();
        assert!(root.join("pool/main/a/a+b_1%3a2~3_all.deb").is_some());
        for bad in [
            "../x",
            "/x",
            "a//b",
            "",
            "a/../../b",
            "a/./b",
            "a b",
            "a\nb",
            "a\\b",
        ] {
            assert!(root.join(bad).is_none(), "{bad}");
        }
    }
}
