//! A path inside an image: bytes, relative to the image's root, normalised.

use std::borrow::Borrow;
use std::fmt;

use crate::escape::is_bidi_control;

/// A normalised path inside an image: components joined by `/`, without a
/// leading or trailing slash and without `.`, `..` or empty components. The
/// root itself is the empty path. Bytes need not be UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(Box<[u8]>);

/// Why bytes are not a path inside an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A `..` component would leave, or could leave, the root.
    #[error("path contains `..`")]
    ParentComponent,
    /// A NUL byte cannot be part of a file name.
    #[error("path contains a NUL byte")]
    Nul,
}

impl ImagePath {
    /// The root of the image.
    pub fn root() -> Self {
        Self(Box::default())
    }

    /// Normalises a path as tar archives and configs write it: leading `/`
    /// and `./`, doubled slashes and `.` components go; `..` is refused.
    pub fn new(raw: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut path = Vec::with_capacity(raw.as_ref().len());
        for component in raw.as_ref().split(|&b| b == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(PathError::ParentComponent),
                _ if component.contains(&0) => return Err(PathError::Nul),
                _ => {}
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(component);
        }
        Ok(Self(path.into()))
    }

    /// Joins what is already known to be components or paths of this form.
    pub(crate) fn from_components(components: &[&[u8]]) -> Self {
        let filled: Vec<&[u8]> = components
            .iter()
            .copied()
            .filter(|c| !c.is_empty())
            .collect();
        Self(filled.join(&b'/').into())
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True for the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory that holds this path; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(Self(self.0[..end].into()))
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        let start = self
            .0
            .iter()
            .rposition(|&b| b == b'/')
            .map_or(0, |at| at + 1);
        &self.0[start..]
    }

    /// The components from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|c| !c.is_empty())
    }

    /// This path with one more component or relative path below it.
    pub fn join(&self, below: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut raw = self.0.to_vec();
        raw.push(b'/');
        raw.extend_from_slice(below.as_ref());
        Self::new(raw)
    }

    /// True when this path is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || (self.0.starts_with(&ancestor.0)
                && matches!(self.0.get(ancestor.0.len()), None | Some(b'/')))
    }

    /// The path as an absolute host-style text with a leading slash; bytes
    /// that are not UTF-8 and control characters are escaped.
    pub fn display(&self) -> impl fmt::Display + '_ {
        DisplayPath(&self.0)
    }
}

struct DisplayPath<'a>(&'a [u8]);

impl fmt::Display for DisplayPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() || is_bidi_control(c) {
                    write!(f, "{}", c.escape_unicode())?;
                } else {
                    fmt::Write::write_char(f, c)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&DisplayPath(&self.0), f)
    }
}

impl Borrow<[u8]> for ImagePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for ImagePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The names of a path or of a link's target, last one first: what a walk that
/// follows it pops next.
pub fn names_ahead(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = path.split(|&byte| byte == b'/').rev();
    names.filter(|name| !matches!(*name, b"" | b"."))
}
