//! What a judgement concludes. The order of severity is the order of the
//! variants.

use serde::{Deserialize, Serialize};

/// What was found out about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every probe was answered well.
    Whole,
    /// Nothing was found wrong, and nothing was proven either: the image was
    /// not run, no probe was answered, or a service it needs is missing.
    CouldNotTell,
    /// At least one probe was answered badly.
    Differs,
}

impl Verdict {
    /// The verdict on a whole from the verdicts on its parts; an empty whole
    /// proves nothing.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().max().unwrap_or(Self::CouldNotTell)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, CouldNotTell, Differs, Whole};

    #[test]
    fn the_worst_part_decides() {
        assert_eq!(Verdict::all([Whole, Differs, CouldNotTell]), Differs);
        assert_eq!(Verdict::all([Whole, CouldNotTell]), CouldNotTell);
        assert_eq!(Verdict::all([Whole]), Whole);
        assert_eq!(Verdict::all([]), CouldNotTell);
    }
}
