//! Why a path is, or is not, in a small image.

use jettison_engine::slim::Why;
use jettison_plan::{Kept, Reason};

use crate::ui::escape;

/// For a person.
pub fn text(answer: &Why) -> String {
    match answer {
        Why::Kept { chain, rewritten } => kept(chain, rewritten.as_deref()),
        Why::Dropped {
            path,
            class,
            package,
            kept_by,
        } => {
            let of = package.as_ref().map(|name| format!(" of {name}"));
            let mut text = format!("{path}{} went: {class}\n", of.unwrap_or_default());
            text.push_str("it would stay by:\n");
            for way in kept_by {
                text.push_str(&format!("  {way}\n"));
            }
            escape::lines(&text).into_owned()
        }
        Why::Unknown { path, alike } => {
            let mut text =
                format!("{path} is neither kept nor dropped: the original has no such path\n");
            for path in alike {
                text.push_str(&format!("  there is {path}\n"));
            }
            escape::lines(&text).into_owned()
        }
    }
}

fn kept(chain: &[Kept], rewritten: Option<&str>) -> String {
    let mut text = String::new();
    for (depth, kept) in chain.iter().enumerate() {
        let indent = "  ".repeat(depth);
        text.push_str(&format!(
            "{indent}{} {}\n",
            kept.path,
            because(&kept.reason)
        ));
    }
    if let Some(change) = rewritten {
        text.push_str(&format!("its content is made new: {change}\n"));
    }
    escape::lines(&text).into_owned()
}

/// A reason, to be read behind a path.
pub(super) fn because(reason: &Reason) -> String {
    let detail = &reason.detail;
    match &reason.by {
        Some(by) => format!("— {}: {by} ({detail})", reason.kind),
        None => format!("— {}: {detail}", reason.kind),
    }
}
