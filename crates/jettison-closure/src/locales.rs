//! Compiled locales of an image: directories below `/usr/lib/locale`, and what
//! glibc's locale-archive lists.

use std::collections::BTreeSet;

use jettison_image::{FileContents, Follow, Tree};

const DIRECTORY: &str = "/usr/lib/locale";
const ARCHIVE: &str = "/usr/lib/locale/locale-archive";

/// glibc's `AR_MAGIC` (locale/locarchive.h).
const MAGIC: u32 = 0xde02_0109;
/// Names lie behind the table of hashes; with all locales of glibc they end
/// before this.
const MOST_HEAD: u64 = 1 << 20;

/// The names of all compiled locales, as they are installed: `de_DE.utf8`.
pub fn installed(tree: &Tree, contents: &dyn FileContents) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(directory) = tree.resolve(DIRECTORY, Follow::All) {
        let locales = directory.children().filter(|node| node.is_directory());
        names.extend(locales.map(|node| String::from_utf8_lossy(node.name()).into_owned()));
    }
    if let Ok(archive) = tree.resolve(ARCHIVE, Follow::All)
        && archive.is_file()
        && let Ok(head) = contents.read(archive, MOST_HEAD)
    {
        names.extend(listed(&head).unwrap_or_default());
    }
    names
}

/// The names in the head of a locale-archive.
fn listed(head: &[u8]) -> Option<Vec<String>> {
    let field = |number: usize| {
        let bytes = head.get(number * 4..number * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if field(0)? != MAGIC {
        return None;
    }
    let start = field(5)? as usize;
    let end = start.checked_add(field(6)? as usize)?.min(head.len());
    let names = head.get(start..end)?.split(|&byte| byte == 0);
    let names = names.filter(|name| !name.is_empty() && name.is_ascii());
    Some(
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
}

/// The language of a locale's name, or of a directory of catalogs:
/// `de` of `de_DE.utf8`.
pub(crate) fn language(name: &str) -> &str {
    name.split(['_', '.', '@']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{MAGIC, language, listed};

    #[test]
    fn names_in_an_archive() {
        let mut archive = Vec::new();
        for field in [MAGIC, 0, 56, 2, 907, 64, 22, 4096] {
            archive.extend_from_slice(&field.to_le_bytes());
        }
        archive.resize(64, 0);
        archive.extend_from_slice(b"de_DE.utf8\0fr_FR.utf8\0");
        assert_eq!(
            listed(&archive).expect("an archive"),
            ["de_DE.utf8", "fr_FR.utf8"]
        );
        assert_eq!(listed(b"not an archive, but long enough to be read"), None);
        assert_eq!(listed(&archive[..20]), None);
    }

    #[test]
    fn languages() {
        for (name, expected) in [
            ("de_DE.utf8", "de"),
            ("sr@latin", "sr"),
            ("C.utf8", "C"),
            ("pt", "pt"),
        ] {
            assert_eq!(language(name), expected);
        }
    }
}
