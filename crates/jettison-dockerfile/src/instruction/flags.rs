//! Flags of instructions: every instruction names those it knows, everything else is an error.

use std::ops::Range;

use crate::ParseErrorKind;
use crate::syntax::{Node, Word};
use crate::text;

/// How a flag is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--link`, `--link=true`, `--link=false`.
    Boolean,
    /// `--chown=x`, once.
    Value,
    /// `--mount=x`, any number of times.
    Values,
}

/// The flags that were given.
pub(super) struct Flags {
    given: Vec<(&'static str, Word)>,
}

impl Flags {
    /// Checks the flags of a node against those its instruction knows.
    pub(super) fn read(
        node: &Node,
        known: &[(&'static str, Takes)],
    ) -> Result<Self, ParseErrorKind> {
        let mut given: Vec<(&'static str, Word)> = Vec::new();
        for flag in &node.flags {
            let Some(body) = flag.value.strip_prefix(b"--") else {
                return Err(ParseErrorKind::NotAFlag(text::lossy(&flag.value)));
            };
            let equals = body.iter().position(|byte| *byte == b'=');
            let (name, value) =
                equals.map_or((body, None), |at| (&body[..at], Some(&body[at + 1..])));
            let shown = || format!("--{}", text::lossy(name));
            let Some((name, takes)) = known.iter().find(|(known, _)| known.as_bytes() == name)
            else {
                return Err(ParseErrorKind::UnknownFlag(shown()));
            };
            if *takes != Takes::Values && given.iter().any(|(seen, _)| seen == name) {
                return Err(ParseErrorKind::DuplicateFlag(shown()));
            }
            let value = match (takes, value) {
                (Takes::Boolean, Some(b"")) => {
                    return Err(ParseErrorKind::FlagWithoutValue(shown()));
                }
                (Takes::Boolean, value) => {
                    match text::lower(value.unwrap_or_default()).as_slice() {
                        b"true" | b"" => b"true".to_vec(),
                        b"false" => b"false".to_vec(),
                        _ => {
                            let value = text::lossy(value.unwrap_or_default());
                            return Err(ParseErrorKind::FlagNotBoolean {
                                flag: shown(),
                                value,
                            });
                        }
                    }
                }
                (_, None) => return Err(ParseErrorKind::FlagWithoutValue(shown())),
                (_, Some(value)) => value.to_vec(),
            };
            given.push((
                name,
                Word {
                    value,
                    range: value_range(flag, name),
                },
            ));
        }
        Ok(Self { given })
    }

    /// The value of a flag that can be given once.
    pub(super) fn value(&self, name: &str) -> Option<Word> {
        self.given
            .iter()
            .find(|(given, _)| *given == name)
            .map(|(_, word)| word.clone())
    }

    /// All values of a flag.
    pub(super) fn values(&self, name: &str) -> Vec<Word> {
        self.given
            .iter()
            .filter(|(given, _)| *given == name)
            .map(|(_, word)| word.clone())
            .collect()
    }

    /// A switch: `None` when it is not given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|word| word.value == b"true")
    }
}

/// The bytes of the value: what follows `--name=` where it is written without quotes or escapes, else the whole flag.
fn value_range(flag: &Word, name: &str) -> Range<usize> {
    let prefix = name.len() + 3;
    if flag.range.len() == flag.value.len() && flag.value.len() >= prefix {
        return flag.range.start + prefix..flag.range.end;
    }
    flag.range.clone()
}
