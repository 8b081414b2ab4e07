//! Texts from images, cut to what a line of a table can hold.

use crate::ui::escape;

/// The beginning of a text, escaped.
pub(super) fn beginning(text: &str, width: usize) -> String {
    let safe = escape::line(text);
    if safe.chars().count() <= width {
        return safe.into_owned();
    }
    let mut cut: String = safe.chars().take(width.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut + "…"
}

/// The end of a path, which tells more than its beginning, escaped.
pub(super) fn end(path: &str, width: usize) -> String {
    let safe = escape::line(path);
    let count = safe.chars().count();
    if count <= width {
        return safe.into_owned();
    }
    let kept: String = safe.chars().skip(count - width.saturating_sub(1)).collect();
    // A whole component where that does not cost half of what is shown.
    let whole = kept.find('/').filter(|&at| at < kept.len() / 2);
    format!("…{}", &kept[whole.unwrap_or(0)..])
}

/// A command of an image's history without what builders put around it.
pub(super) fn command(created_by: &str) -> String {
    let mut text = created_by.trim();
    for prefix in ["/bin/sh -c #(nop)", "/bin/sh -c"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            text = rest.trim_start();
            break;
        }
    }
    // BuildKit's own form of the same.
    let text = text.trim_end_matches("# buildkit").trim_end();
    let text = text.replacen("RUN /bin/sh -c ", "RUN ", 1);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{beginning, command, end};

    #[test]
    fn texts_fit_and_are_escaped() {
        assert_eq!(beginning("abcdef", 6), "abcdef");
        assert_eq!(beginning("abc defg", 5), "abc…");
        assert_eq!(beginning("\x1b[2J", 20), "\\x1b[2J");
        assert_eq!(end("/usr/lib/x.so", 13), "/usr/lib/x.so");
        assert_eq!(end("/usr/lib/x/y.so", 13), "…/lib/x/y.so");
        assert_eq!(end("/usr/averyveryverylong.so", 10), "…rylong.so");
        assert_eq!(command("/bin/sh -c #(nop)  CMD [\"x\"]"), "CMD [\"x\"]");
        assert_eq!(
            command("RUN /bin/sh -c apt-get  update # buildkit"),
            "RUN apt-get update"
        );
    }
}
