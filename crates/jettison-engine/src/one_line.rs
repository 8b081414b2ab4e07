//! An error in a line.

use std::error::Error;

/// What an error says and then its causes, outermost first; a cause that the
/// one above it quotes already is left out.
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
    }
    text
}
