//! What differs from machine to machine and from run to run, hidden.

use std::path::Path;

/// Hides a directory's path and every digest.
pub(crate) fn masked(text: &str, home: &Path) -> String {
    let text = text.replace(&home.display().to_string(), "HOME");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("sha256:") {
        let (before, digest) = rest.split_at(at + "sha256:".len());
        let digits = digest
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(digest.len());
        out.push_str(before);
        out.push_str(if digits > 0 { "…" } else { "" });
        rest = &digest[digits..];
    }
    out + rest
}
