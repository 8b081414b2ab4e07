//! `os-release` (os-release(5)): which distribution an image says it is.

use super::{Files, known};

pub(super) const PATHS: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// What an image says about its distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OsRelease {
    /// `ID`, for instance `debian`; `linux` when not given.
    pub id: String,
    /// `VERSION_ID`, for instance `12`; may be empty.
    pub version_id: String,
    /// `VERSION_CODENAME`; may be empty.
    pub codename: String,
    /// `PRETTY_NAME`; may be empty.
    pub pretty_name: String,
}

pub(super) fn read(files: &dyn Files) -> Option<OsRelease> {
    let content = PATHS.iter().find_map(|path| files.content(&known(path)))?;
    Some(OsRelease::parse(&String::from_utf8_lossy(&content)))
}

impl OsRelease {
    /// Reads the file's text; what is no assignment is skipped.
    pub fn parse(text: &str) -> Self {
        let mut found = Self {
            id: "linux".into(),
            ..Self::default()
        };
        for line in text.lines().take(1000) {
            let Some((name, value)) = line.trim().split_once('=') else {
                continue;
            };
            let field = match name {
                "ID" => &mut found.id,
                "VERSION_ID" => &mut found.version_id,
                "VERSION_CODENAME" => &mut found.codename,
                "PRETTY_NAME" => &mut found.pretty_name,
                _ => continue,
            };
            *field = unquote(value);
        }
        found
    }
}

/// Shell quotes as os-release allows them.
fn unquote(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let mut text = String::new();
    let mut chars = inner.chars().take(1000);
    while let Some(c) = chars.next() {
        if c == '\\' {
            text.extend(chars.next());
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let got = OsRelease::parse(
            "# c\nPRETTY_NAME=\"Debian \\\"12\\\"\"\nID=debian\nVERSION_ID='12'\nodd\nID_LIKE=x\n",
        );
        assert_eq!(got.pretty_name, "Debian \"12\"");
        assert_eq!(
            (&*got.id, &*got.version_id, &*got.codename),
            ("debian", "12", "")
        );
        assert_eq!(OsRelease::parse("").id, "linux");
    }
}
