//! One answer held against what the original answered, once or more.

use std::collections::BTreeSet;

use jettison_plan::{Difference, Noise};

use super::files;
use super::noise::{self, Finding, Reading};
use super::reply::{Reply, Shape};
use super::schedule::Start;
use super::sit::Sat;

/// What came of one question.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) differences: Vec<Difference>,
    pub(super) noise: Vec<Noise>,
}

/// Every question of a start.
pub(super) fn hold_start(start: &Start, originals: &[&Sat], judged: &Sat) -> Vec<Answers> {
    let questions = start.questions.iter().enumerate();
    questions
        .map(|(number, _)| {
            let said: Vec<&Reply> = originals.iter().map(|sat| &sat.replies[number].0).collect();
            let mut held = Answers::default();
            hold_reply(&said, &judged.replies[number].0, start.ends, &mut held);
            if number == 0 {
                let written: Vec<_> = originals.iter().map(|sat| &sat.files).collect();
                held.note("files", files::hold(&written, &judged.files));
            }
            held
        })
        .collect()
}

fn hold_reply(originals: &[&Reply], judged: &Reply, ends: bool, held: &mut Answers) {
    let Some(first) = originals.first() else {
        return;
    };
    let shape = judged.shape();
    // What fails in one run of the original excuses nothing where another
    // answered: an image that never answers would agree.
    let proper = originals.iter().find(|reply| reply.shape().is_proper());
    let is_excused = shape.is_proper() || proper.is_none();
    let first = proper.unwrap_or(first);
    let alike: Vec<&Reply> = originals
        .iter()
        .filter(|reply| is_excused && reply.shape() == shape)
        .copied()
        .collect();
    if alike.is_empty() {
        let part = match (first.shape(), shape) {
            (Shape::Http(_), Shape::Http(_)) => "status",
            (Shape::Ended(_), Shape::Ended(_)) => "exit code",
            _ => "answer",
        };
        held.differences.push(Difference {
            part: part.to_owned(),
            original: told(first),
            candidate: told(judged),
        });
    } else if alike.len() < originals.len() {
        let others: BTreeSet<String> = originals.iter().map(|r| r.shape().to_string()).collect();
        held.noise.push(Noise {
            part: "answer".to_owned(),
            varies: others.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    // What a failing program says tells why it fails.
    let alike = if alike.is_empty() { originals } else { &alike };
    match judged {
        Reply::Http { headers, body, .. } => {
            let theirs: Vec<_> = alike.iter().filter_map(|reply| http(reply)).collect();
            if theirs.is_empty() || !held.differences.is_empty() {
                return;
            }
            let bodies: Vec<_> = theirs.iter().map(|(_, body)| *body).collect();
            let of_body = noise::hold(&bodies, body, Reading::Document);
            let lists: Vec<_> = theirs.iter().map(|(headers, _)| *headers).collect();
            hold_headers(&lists, headers, &of_body, held);
            held.note("body", of_body);
        }
        Reply::Connected { said } => {
            let theirs: Vec<_> = alike
                .iter()
                .filter_map(|reply| match reply {
                    Reply::Connected { said } => Some(said),
                    _ => None,
                })
                .collect();
            held.note("reply", noise::hold(&theirs, said, Reading::Document));
        }
        Reply::Ended { .. } | Reply::Running { .. } => {
            let theirs: Vec<_> = alike.iter().filter_map(|reply| reply.output()).collect();
            let Some((stdout, stderr)) = judged.output() else {
                return;
            };
            // A command's output has an order; a service's log has not.
            let reading = if ends {
                Reading::Document
            } else {
                Reading::Log
            };
            let outs: Vec<_> = theirs.iter().map(|(stdout, _)| *stdout).collect();
            held.note("stdout", noise::hold(&outs, stdout, reading));
            let errs: Vec<_> = theirs.iter().map(|(_, stderr)| *stderr).collect();
            held.note("stderr", noise::hold(&errs, stderr, Reading::Log));
        }
        Reply::Silent(_) => {}
    }
}

fn http(reply: &Reply) -> Option<(&[(String, String)], &super::reply::Bytes)> {
    match reply {
        Reply::Http { headers, body, .. } => Some((headers, body)),
        _ => None,
    }
}

/// Header by header. The length of a body that varies varies with it, also
/// where the original's happened to be of one length. An entity tag is opaque
/// (RFC 9110, section 8.8.3): servers make it of inode numbers, and of the same
/// body it says nothing more.
fn hold_headers(
    originals: &[&[(String, String)]],
    judged: &[(String, String)],
    body: &Finding,
    held: &mut Answers,
) {
    let value = |headers: &[(String, String)], wanted: &str| -> Option<String> {
        let named = headers.iter().filter(|(name, _)| name == wanted);
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    let lists = originals.iter().copied().chain([judged]);
    let names: BTreeSet<&str> = lists.flatten().map(|(name, _)| name.as_str()).collect();
    for name in names {
        if name == "content-length" && matches!(body, Finding::Noise(_)) {
            continue;
        }
        let part = format!("header {name}");
        let theirs: Vec<Option<String>> = originals.iter().map(|list| value(list, name)).collect();
        let ours = value(judged, name);
        let present: Vec<&str> = theirs.iter().flatten().map(String::as_str).collect();
        let finding = match &ours {
            Some(_) if present.is_empty() => {
                Finding::Differs("no such header".to_owned(), ours.unwrap_or_default())
            }
            Some(ours) => match noise::hold_value(&present, ours) {
                Finding::Differs(..) if name == "etag" && matches!(body, Finding::Same) => {
                    Finding::Noise("another name for the same body".to_owned())
                }
                finding => finding,
            },
            None if present.len() == theirs.len() => {
                Finding::Differs(present[0].to_owned(), "no such header".to_owned())
            }
            None => Finding::Noise("not in every answer".to_owned()),
        };
        held.note(&part, finding);
    }
}

impl Answers {
    /// True when answers differ in kind, status or exit code.
    pub(super) fn is_coarse(&self) -> bool {
        let mut all = self.differences.iter();
        all.any(|d| matches!(d.part.as_str(), "answer" | "status" | "exit code"))
    }

    fn note(&mut self, part: &str, finding: Finding) {
        let part = part.to_owned();
        match finding {
            Finding::Same => {}
            Finding::Noise(varies) => self.noise.push(Noise { part, varies }),
            Finding::Differs(original, candidate) => self.differences.push(Difference {
                part,
                original,
                candidate,
            }),
        }
    }
}

/// An answer in a few words.
fn told(reply: &Reply) -> String {
    match reply {
        Reply::Silent(reason) => reason.clone(),
        Reply::Http { status, body, .. } => {
            let body = body.text().unwrap_or_default().trim();
            match body.is_empty() {
                true => format!("status {status}"),
                false => format!("status {status}: {}", noise::excerpt(body)),
            }
        }
        Reply::Ended { code, stderr, .. } => {
            let said = String::from_utf8_lossy(&stderr.head);
            let last = said.trim().lines().next_back().unwrap_or_default();
            match last.is_empty() {
                true => format!("exit code {code}"),
                false => format!("exit code {code}: {}", noise::excerpt(last)),
            }
        }
        other => other.shape().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::reply::Bytes;

    #[test]
    fn a_failure_of_the_original_excuses_none_where_it_answered() {
        let reply = |status| Reply::Http {
            status,
            headers: Vec::new(),
            body: Bytes::new("x".into()),
        };
        let silent = || Reply::Silent("no answer".to_owned());
        let parts = |originals: &[Reply], judged: &Reply| -> Vec<String> {
            let mut held = Answers::default();
            let originals: Vec<&Reply> = originals.iter().collect();
            hold_reply(&originals, judged, false, &mut held);
            held.differences.into_iter().map(|one| one.part).collect()
        };
        let mixed = [silent(), reply(200), reply(503)];
        assert!(parts(&mixed, &reply(200)).is_empty());
        assert_eq!(parts(&mixed, &silent()), ["answer"]);
        assert_eq!(parts(&mixed, &reply(503)), ["status"]);
        assert!(parts(&[silent(), silent()], &silent()).is_empty());
        assert!(parts(&[reply(500), reply(500)], &reply(500)).is_empty());
    }

    #[test]
    fn entity_tags_of_the_same_body() {
        let reply = |tag: &str, body: &str| Reply::Http {
            status: 200,
            headers: vec![("etag".to_owned(), tag.to_owned())],
            body: Bytes::new(body.into()),
        };
        let parts = |judged: &Reply| -> Vec<String> {
            let original = reply("\"17-5\"", "hello");
            let mut held = Answers::default();
            hold_reply(&[&original, &original], judged, false, &mut held);
            held.differences.into_iter().map(|one| one.part).collect()
        };
        assert!(parts(&reply("\"99-5\"", "hello")).is_empty());
        let other = parts(&reply("\"99-5\"", "other"));
        assert_eq!(other, ["header etag", "body"]);
    }
}
