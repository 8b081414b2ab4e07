//! What came of a step, and whether it is what was expected.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::step::Expect;

/// The outcome of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// An HTTP status or an exit code; 0 where there is neither.
    pub(crate) outcome: i64,
    /// What is compared.
    pub(crate) text: String,
    /// What is only searched: standard error.
    pub(crate) aside: String,
}

impl Answer {
    /// Output that may be anything.
    pub(crate) fn new(outcome: i64, output: &[u8], aside: &[u8]) -> Self {
        let text = match std::str::from_utf8(output) {
            Ok(text) => text.to_owned(),
            Err(_) => format!(
                "{} bytes, sha256:{}",
                output.len(),
                hex::encode(Sha256::digest(output))
            ),
        };
        Self {
            outcome,
            text,
            aside: String::from_utf8_lossy(aside).into_owned(),
        }
    }

    /// What is wrong with it, if something is. `original` is what the original answered to the same step.
    pub(crate) fn fault(&self, expect: &Expect, original: Option<&Answer>) -> Option<String> {
        let has = |wanted: &String| self.text.contains(wanted) || self.aside.contains(wanted);
        if self.outcome != expect.outcome {
            return Some(format!(
                "answers {} instead of {}: {}",
                self.outcome,
                expect.outcome,
                self.excerpt()
            ));
        }
        if let Some(missing) = expect.contains.iter().find(|wanted| !has(wanted)) {
            return Some(format!("lacks `{missing}`: {}", self.excerpt()));
        }
        if let Some(present) = expect.absent.iter().find(|unwanted| has(unwanted)) {
            return Some(format!("has `{present}`: {}", self.excerpt()));
        }
        match original {
            Some(original) if expect.same && original.text != self.text => {
                let (is, was) = first_difference(&self.text, &original.text);
                Some(format!("differs: {} instead of {}", short(is), short(was)))
            }
            _ => None,
        }
    }

    /// Enough to see what happened, on one line.
    fn excerpt(&self) -> String {
        match self.aside.is_empty() {
            true => short(&self.text),
            false => format!("{} / {}", short(&self.text), short(&self.aside)),
        }
    }

    /// As it is kept beside the original.
    pub(crate) fn to_json(&self) -> Value {
        json!([self.outcome, self.text])
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            outcome: value.get(0)?.as_i64()?,
            text: value.get(1)?.as_str()?.to_owned(),
            aside: String::new(),
        })
    }
}

/// The first line that is not the same.
fn first_difference<'a>(is: &'a str, was: &'a str) -> (&'a str, &'a str) {
    let mut pairs = is.lines().zip(was.lines());
    pairs.find(|(is, was)| is != was).unwrap_or_else(|| {
        let common = is.lines().count().min(was.lines().count());
        let next = |text: &'a str| text.lines().nth(common).unwrap_or("its end");
        (next(is), next(was))
    })
}

/// On one line, both ends of it: the end of an error says more than its beginning.
fn short(text: &str) -> String {
    let line: Vec<char> = text.trim().escape_debug().collect();
    if line.len() <= 240 {
        return line.into_iter().collect();
    }
    let (first, last) = (&line[..80], &line[line.len() - 160..]);
    first.iter().chain(&['…']).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::cases::step::Step;

    fn check(step: &str, text: &str, original: &str, expected: Option<&str>) {
        let step: Step = toml::from_str(step).expect("a step");
        let answer = Answer::new(0, text.as_bytes(), b"warning");
        let original = Answer::new(0, original.as_bytes(), b"");
        let fault = answer.fault(&step.expect, Some(&original));
        match (fault, expected) {
            (None, None) => {}
            (Some(fault), Some(expected)) if fault.contains(expected) => {}
            (fault, _) => panic!("{step:?}: {fault:?}, not {expected:?}"),
        }
    }

    #[test]
    fn answers_are_judged() {
        check("exec = ['x']", "a", "a", None);
        check("exec = ['x']", "a", "b", Some("differs"));
        check("exec = ['x']\nexit = 3", "a", "a", Some("answers 0"));
        check("exec = ['x']\ncontains = 'a'", "abc", "b", None);
        check("exec = ['x']\ncontains = 'warn'", "abc", "b", None);
        check(
            "exec = ['x']\ncontains = ['a', 'z']",
            "abc",
            "b",
            Some("`z`"),
        );
        check(
            "exec = ['x']\ncontains = 'a'\nsame = true",
            "a",
            "b",
            Some("differs"),
        );
        check("exec = ['x']\nabsent = 'a'", "a", "a", Some("has `a`"));
        check("http = '/'", "a", "a", Some("instead of 200"));
    }
}
