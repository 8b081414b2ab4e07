//! Two answers side by side: every difference has a place, by which a case can say that it is meant.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::answer::{Answer, Image};
use super::bases::Base;
use super::case::Exception;
use super::tree::Facts;
use crate::Problem;

/// One thing that is not the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A path of the image, `config.FIELD`, `author`, `platform`, `outcome` or `message`.
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Difference {
    pub(crate) fn new(place: &str, what: String) -> Self {
        Self {
            place: place.to_owned(),
            what,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Everything in which `found` is not what is expected.
pub(crate) fn differences(
    expected: &Answer,
    found: &Answer,
    says: &[String],
    bases: &[Base],
    times: &[String],
) -> Result<Vec<Difference>, Problem> {
    let outcome = |what: String| Ok(vec![Difference::new("outcome", what)]);
    match (expected, found) {
        (Answer::Failed { .. }, Answer::Failed { said, .. }) => Ok(unsaid(says, said)),
        (Answer::Failed { said, .. }, Answer::Built(_)) => {
            outcome(format!("builds, must fail: {said}"))
        }
        (Answer::Built(_), Answer::Failed { said, .. }) => outcome(format!("fails: {said}")),
        (Answer::Built(expected), Answer::Built(found)) => images(expected, found, bases, times),
    }
}

/// Words that a message must have and has not, in whatever case they are.
pub(crate) fn unsaid(says: &[String], message: &str) -> Vec<Difference> {
    let message_lower = message.to_lowercase();
    says.iter()
        .filter(|word| !message_lower.contains(&word.to_lowercase()))
        .map(|word| Difference::new("message", format!("does not name `{word}`: {message}")))
        .collect()
}

/// Takes away the differences that are meant, and adds those that are listed and are none.
pub(crate) fn unexplained(found: Vec<Difference>, exceptions: &[Exception]) -> Vec<Difference> {
    let mut rest = Vec::new();
    let mut used = BTreeSet::new();
    for difference in found {
        match exceptions.iter().find(|one| one.path == difference.place) {
            Some(one) => drop(used.insert(one.path.as_str())),
            None => rest.push(difference),
        }
    }
    let idle = exceptions
        .iter()
        .filter(|one| !used.contains(one.path.as_str()));
    rest.extend(idle.map(|one| {
        Difference::new(
            &one.path,
            format!("listed as different ({}), but it is not", one.because),
        )
    }));
    rest
}

fn images(
    expected: &Image,
    found: &Image,
    bases: &[Base],
    times: &[String],
) -> Result<Vec<Difference>, Problem> {
    let mut all = Vec::new();
    let mut compare = |place: String, expected: Option<&Value>, found: Option<&Value>| {
        if expected != found {
            all.push(Difference {
                place,
                what: format!("{}, expected {}", show(found), show(expected)),
            });
        }
    };
    let text = |text: &str| Value::from(text);
    compare(
        "platform".to_owned(),
        Some(&text(&expected.platform)),
        Some(&text(&found.platform)),
    );
    let author = |image: &Image| {
        image
            .author
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(text)
    };
    compare(
        "author".to_owned(),
        author(expected).as_ref(),
        author(found).as_ref(),
    );
    for key in keys(expected.config.keys(), found.config.keys()) {
        compare(
            format!("config.{key}"),
            expected.config.get(key),
            found.config.get(key),
        );
    }
    let (expected, found) = (expected.whole(bases, times)?, found.whole(bases, times)?);
    for path in keys(expected.keys(), found.keys()) {
        match (expected.get(path), found.get(path)) {
            (Some(expected), Some(found)) if expected == found => {}
            (Some(expected), Some(found)) => {
                all.push(Difference::new(path, facts(expected, found)));
            }
            (Some(_), None) => all.push(Difference::new(path, "missing".to_owned())),
            (None, _) => all.push(Difference::new(path, "should not be there".to_owned())),
        }
    }
    Ok(all)
}

fn facts(expected: &Facts, found: &Facts) -> String {
    let parts: Vec<String> = keys(expected.keys(), found.keys())
        .into_iter()
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| {
            format!(
                "{key} {}, expected {}",
                show(found.get(key)),
                show(expected.get(key))
            )
        })
        .collect();
    parts.join("; ")
}

fn keys<'a>(
    one: impl Iterator<Item = &'a String>,
    other: impl Iterator<Item = &'a String>,
) -> BTreeSet<&'a String> {
    one.chain(other).collect()
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.escape_debug().to_string(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::case::Exception;
    use super::{Answer, Difference, differences, unexplained, unsaid};

    fn image() -> serde_json::Value {
        json!({
            "base": null, "platform": "linux/amd64", "author": null, "config": {"Env": ["A=1"]},
            "layers": 1, "history": ["COPY"], "gone": [],
            "tree": {
                "/a": {"kind": "file", "mode": "0644", "owner": "0:0", "size": 1, "sha256": "aa"},
                "/b": {"kind": "file", "mode": "0644", "owner": "0:0", "size": 1, "sha256": "aa", "same_as": "/a"},
                "/l": {"kind": "link", "mode": "0777", "owner": "0:0", "target": "a"},
            },
        })
    }

    /// Changes one thing, at a JSON pointer, and expects the places of the differences.
    fn check(pointer: &str, value: serde_json::Value, expected: &[&str]) {
        let mut changed = image();
        *changed.pointer_mut(pointer).expect("a place of the image") = value;
        let read = |value| serde_json::from_value::<Answer>(value).expect("an answer");
        let found = differences(&read(image()), &read(changed), &[], &[], &[]).expect("no bases");
        let places: Vec<&str> = found.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, expected, "{pointer}");
    }

    #[test]
    fn every_change_is_found() {
        check("/layers", json!(2), &[]);
        check("/history", json!([]), &[]);
        check("/platform", json!("linux/arm64"), &["platform"]);
        check("/author", json!("x"), &["author"]);
        check("/config", json!({}), &["config.Env"]);
        check("/config/Env", json!(["A=2"]), &["config.Env"]);
        check("/tree/~1a/mode", json!("0600"), &["/a"]);
        check("/tree/~1a/owner", json!("0:1"), &["/a"]);
        check("/tree/~1a/sha256", json!("ab"), &["/a"]);
        check("/tree/~1a/size", json!(2), &["/a"]);
        check("/tree/~1a", json!({"kind": "directory"}), &["/a"]);
        check("/tree/~1b/same_as", json!("/l"), &["/b"]);
        check("/tree/~1l/target", json!("b"), &["/l"]);
        check("/tree", json!({}), &["/a", "/b", "/l"]);
    }

    #[test]
    fn outcomes_are_compared() {
        let failed = json!({"fails": "exit-code", "said": "exit code: 7"});
        let read = |value| serde_json::from_value::<Answer>(value).expect("an answer");
        let check = |expected, found, count| {
            let says = ["7".to_owned()];
            let all = differences(&read(expected), &read(found), &says, &[], &[]);
            assert_eq!(all.expect("no bases").len(), count);
        };
        check(failed.clone(), failed.clone(), 0);
        check(failed.clone(), json!({"fails": "usage", "said": "no"}), 1);
        check(failed.clone(), image(), 1);
        check(image(), failed, 1);
    }

    #[test]
    fn what_is_meant_is_said() {
        let exception = |path: &str| Exception {
            path: path.to_owned(),
            because: "of this".to_owned(),
        };
        let difference = |place: &str| Difference::new(place, "x".to_owned());
        let rest = unexplained(vec![difference("/a"), difference("/b")], &[exception("/a")]);
        assert_eq!(rest, [difference("/b")]);
        let idle = unexplained(vec![], &[exception("/a")]);
        assert_eq!(idle.len(), 1);
        assert_eq!(unsaid(&["NoSuch".to_owned()], "nosuch: missing"), []);
    }
}
