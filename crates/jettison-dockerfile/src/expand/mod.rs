//! Word expansion as BuildKit's `shell` package does it: `$x`, `${x}` with its operators, quoting, the escape
//! character. Nothing is executed and the process environment is never read: variables come from the caller.

mod instruction;
mod lex;
mod substitute;

use std::collections::BTreeMap;

pub use lex::{Expanded, Lex};

/// Variables that a word may refer to.
pub trait Variables {
    /// The value, or `None` when the variable is not set (which is not the same as empty).
    fn value(&self, name: &str) -> Option<&[u8]>;
}

/// No variable is set.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _name: &str) -> Option<&[u8]> {
        None
    }
}

impl Variables for BTreeMap<String, Vec<u8>> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(Vec::as_slice)
    }
}

/// Why a word cannot be expanded; the texts are BuildKit's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote, or a `}` after an operator, that never comes.
    #[error("unexpected end of statement while looking for matching {0}")]
    Unterminated(String),
    /// `${x` without its end.
    #[error("syntax error: missing {0}")]
    Missing(&'static str),
    /// `${}`, `${:x}`, `${{x}`.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// `${x:=y}` and others that BuildKit has not.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${x#\a}`: only `*`, `?` and the backslash may be escaped in a pattern.
    #[error("invalid pattern ({0}) in substitution")]
    InvalidPattern(String),
    /// `${x?text}` on a variable that is not set, `${x:?text}` on an empty one.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The text after `?`, or what is missing.
        message: String,
    },
    /// The result passes the limit set with [`Lex::limit_bytes`], or nesting passes 100 levels.
    #[error("the expansion is larger than {0} bytes or nested too deeply")]
    TooLarge(usize),
}
