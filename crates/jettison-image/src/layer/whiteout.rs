//! What an entry of a layer does to the tree below it (OCI image-spec,
//! layer.md, "Whiteouts"). Refuses whiteouts that name nothing or the
//! directory above, which once let layers delete outside their root.

use crate::{EntryKind, Error, ImagePath};

/// What an entry of a layer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds or replaces the path of the entry.
    Put,
    /// `.wh.NAME`: hides a path of the layers below.
    Whiteout(ImagePath),
    /// `.wh..wh..opq`: hides everything of the layers below in a directory.
    Opaque(ImagePath),
    /// AUFS' own book-keeping (`.wh..wh.aufs`, `.wh..wh.plnk`, …), which old
    /// engines let into layers and every engine leaves out.
    Ignored,
}

impl Change {
    /// Reads the meaning off an entry's path.
    pub fn of(path: &ImagePath, kind: &EntryKind) -> Result<Self, Error> {
        let name = path.file_name();
        if path
            .components()
            .next()
            .is_some_and(|first| first.starts_with(b".wh..wh."))
            && path.as_bytes() != b".wh..wh..opq"
        {
            return Ok(Self::Ignored);
        }
        let Some(hidden) = name.strip_prefix(b".wh.") else {
            return Ok(Self::Put);
        };
        let parent = path.parent().unwrap_or_else(ImagePath::root);
        if name == b".wh..wh..opq" {
            return Ok(Self::Opaque(parent));
        }
        if hidden.starts_with(b".wh.") {
            return Ok(Self::Ignored);
        }
        let malformed = |problem: &str| Error::malformed(path.display().to_string(), problem);
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(malformed("whiteout hides nothing that has a name"));
        }
        if *kind == EntryKind::Directory {
            return Err(malformed("whiteout is a directory"));
        }
        let hidden = parent
            .join(hidden)
            .map_err(|error| malformed(&error.to_string()))?;
        Ok(Self::Whiteout(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        fn check(path: &str, expected: &str) {
            let path = ImagePath::new(path).expect("test path");
            let kind = EntryKind::File { size_bytes: 0 };
            let change = match Change::of(&path, &kind) {
                Ok(change) => format!("{change:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(change, expected);
        }
        check("etc/passwd", "Put");
        check(".wh.etc", "Whiteout(/etc)");
        check("a/b/.wh.c", "Whiteout(/a/b/c)");
        check("a/b/.wh..wh..opq", "Opaque(/a/b)");
        check(".wh..wh..opq", "Opaque(/)");
        check(".wh..wh.aufs", "Ignored");
        check(".wh..wh.plnk/123.456", "Ignored");
        check("a/.wh..wh.orph", "Ignored");
        check("a/.wh.", "/a/.wh.: whiteout hides nothing that has a name");
        check(
            "a/.wh..",
            "/a/.wh..: whiteout hides nothing that has a name",
        );
        check(
            "a/.wh...",
            "/a/.wh...: whiteout hides nothing that has a name",
        );
        check("a/.wh....", "Whiteout(/a/...)");
        check("a/x.wh.y", "Put");
    }
}
