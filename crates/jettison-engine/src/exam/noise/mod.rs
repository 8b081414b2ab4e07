//! What counts as the same answer. Several runs of the original to the same
//! question show what varies; what they agree on, the other image must say
//! too. Nothing is passed over because it looks like a date.

mod counters;
mod lines;
mod pattern;

use super::reply::Bytes;
pub(super) use lines::is_alike;
use lines::{Lines, Odd};
use pattern::Pattern;

/// Odd lines of a log that are held against those of another run.
const MOST_ODD: usize = 100;
/// Bytes of a difference or an example that are shown.
const SHOWN: usize = 200;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// In order, as a body is.
    Document,
    /// Line by line, in any order: threads and processes write when they like.
    Log,
}

/// What came of holding a text against several others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is what the original always says.
    Same,
    /// It is what the original says, but for what varies in it.
    Noise(String),
    /// It is not: what the original has there, and what is there instead.
    Differs(String, String),
}

/// Holds a text against what the original said, once or more.
pub(super) fn hold(originals: &[&Bytes], candidate: &Bytes, reading: Reading) -> Finding {
    let Some(first) = originals.first() else {
        return Finding::Same;
    };
    let varies = originals.iter().any(|other| other != first);
    if !varies && *first == candidate {
        return Finding::Same;
    }
    let texts: Option<Vec<&str>> = originals.iter().map(|bytes| bytes.text()).collect();
    let (Some(texts), Some(text)) = (texts, candidate.text()) else {
        return binary(originals, candidate, varies);
    };
    if reading == Reading::Document && varies {
        let canonical = |text: &&str| canonical_json(text);
        let all: Option<Vec<String>> = texts.iter().map(canonical).collect();
        if let (Some(all), Some(candidate)) = (all, canonical_json(text)) {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            return text_finding(&all, &candidate, reading, varies);
        }
    }
    text_finding(&texts, text, reading, varies)
}

/// The lines by which a log differs from what the original said; none where it
/// cannot be held line by line, or too many differ.
pub(super) fn odd_lines(originals: &[&Bytes], candidate: &Bytes) -> Option<Vec<String>> {
    let texts: Option<Vec<&str>> = originals.iter().map(|bytes| bytes.text()).collect();
    let (texts, text) = (texts?, candidate.text()?);
    let lines = Lines::learn(&texts)?;
    let odd = lines.odd(text, MOST_ODD);
    let odd = (odd.len() < MOST_ODD).then_some(odd)?;
    Some(odd.iter().map(|odd| odd.line().to_owned()).collect())
}

/// Holds a single value (a header) against what the original had.
pub(super) fn hold_value(originals: &[&str], candidate: &str) -> Finding {
    let varies = originals.iter().any(|other| *other != originals[0]);
    text_finding(originals, candidate, Reading::Document, varies)
}

fn text_finding(texts: &[&str], text: &str, reading: Reading, varies: bool) -> Finding {
    let Some(first) = texts.first() else {
        return Finding::Same;
    };
    if texts.contains(&text) {
        return match varies {
            true => Finding::Noise("it varies, and this is what one run said".to_owned()),
            false => Finding::Same,
        };
    }
    if reading == Reading::Document && !varies {
        return differs(first, text);
    }
    if reading == Reading::Document {
        let pattern = Pattern::learn(texts);
        if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_empty())
            && pattern.fits(text)
        {
            let example: Vec<String> = pattern.example.iter().take(2).map(|e| quoted(e)).collect();
            let places = match pattern.gap_count() {
                1 => "1 place varies".to_owned(),
                count => format!("{count} places vary"),
            };
            return Finding::Noise(format!("{places}: {}", example.join(", ")));
        }
        if let Some(count) = counters::varying(texts, text) {
            return Finding::Noise(format!("it is a page of counters, {count} of which vary"));
        }
        if pattern.is_none_or(|pattern| pattern.is_empty()) && line_count(first) < 2 {
            return shape(texts, text);
        }
    }
    let Some(lines) = Lines::learn(texts) else {
        return shape(texts, text);
    };
    match lines.odd(text, 1).pop() {
        None => {
            let (count, example) = lines.varying();
            Finding::Noise(match example {
                Some(line) => format!("{count} lines vary, such as {}", quoted(line)),
                None => "the order of its lines varies".to_owned(),
            })
        }
        Some(Odd::Missing(line)) => Finding::Differs(excerpt(line), "no such line".to_owned()),
        Some(Odd::Extra(line)) => Finding::Differs("no such line".to_owned(), excerpt(line)),
    }
}

/// Where everything varies, the number of lines alone can be compared.
fn shape(texts: &[&str], text: &str) -> Finding {
    let counts = texts.iter().map(|text| line_count(text));
    let (least, most) = counts.fold((usize::MAX, 0), |(least, most), count| {
        (least.min(count), most.max(count))
    });
    let count = line_count(text);
    // As far beyond what was seen as what was seen is apart.
    let slack = most - least.min(most);
    if count >= least.saturating_sub(slack) && count <= most.saturating_add(slack) {
        return Finding::Noise(
            "everything varies; only the number of lines was compared".to_owned(),
        );
    }
    let said = |count: usize| format!("{count} lines");
    Finding::Differs(said(most), said(count))
}

/// Bytes that are no text, or more than are kept: place by place where all are
/// of one length, else whether there are any.
fn binary(originals: &[&Bytes], candidate: &Bytes, varies: bool) -> Finding {
    let described = |bytes: &Bytes| {
        let hash = bytes.digest.hex();
        format!("{} bytes, sha256 {}…", bytes.size, &hash[..12])
    };
    let Some(first) = originals.first() else {
        return Finding::Same;
    };
    let differs = || Finding::Differs(described(first), described(candidate));
    if originals.contains(&candidate) {
        return Finding::Noise("it varies, and this is what one run said".to_owned());
    }
    if !varies {
        return differs();
    }
    let one_length = originals.iter().all(|bytes| bytes.size == first.size);
    if !one_length {
        let empty = |bytes: &&&Bytes| bytes.size == 0;
        return match candidate.size == 0 && !originals.iter().any(|bytes| empty(&bytes)) {
            true => differs(),
            false => Finding::Noise("all of it varies, in length too".to_owned()),
        };
    }
    if candidate.size != first.size {
        return differs();
    }
    let stable = |at: usize| {
        originals
            .iter()
            .all(|bytes| bytes.head[at] == first.head[at])
    };
    let length = first.head.len();
    let varying = (0..length).filter(|&at| !stable(at)).count();
    let held = (0..length).all(|at| !stable(at) || candidate.head.get(at) == Some(&first.head[at]));
    match held {
        true => Finding::Noise(format!("{varying} of {} bytes vary", first.size)),
        false => differs(),
    }
}

/// The first line in which two texts part.
fn differs(original: &str, candidate: &str) -> Finding {
    let mut pairs = original.split('\n').zip(candidate.split('\n'));
    match pairs.find(|(left, right)| left != right) {
        Some((left, right)) => {
            // Long lines from where they part.
            let part = left
                .char_indices()
                .zip(right.chars())
                .find(|((_, a), b)| a != b)
                .map_or(left.len().min(right.len()), |((at, _), _)| at);
            let from = left[..part]
                .char_indices()
                .rev()
                .nth(60)
                .map_or(0, |(at, _)| at);
            let rest = |text: &str| text.get(from..).unwrap_or(text).to_owned();
            let shown = |text: String| match text.trim().is_empty() {
                true => "nothing".to_owned(),
                false => excerpt(&text),
            };
            Finding::Differs(shown(rest(left)), shown(rest(right)))
        }
        None => Finding::Differs(end(original, candidate), end(candidate, original)),
    }
}

/// What one text has behind the end of the other.
fn end(text: &str, other: &str) -> String {
    match text.get(other.len()..).filter(|rest| !rest.is_empty()) {
        Some(rest) => excerpt(rest.trim_start_matches('\n')),
        None => "nothing more".to_owned(),
    }
}

/// Objects in the order of their names, a value a line; none when it is no
/// JSON document of more than one value.
fn canonical_json(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    if !value.is_object() && !value.is_array() {
        return None;
    }
    serde_json::to_string_pretty(&sorted(value)).ok()
}

/// serde_json reads no document deeper than 128 levels, so this ends.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut members: Vec<(String, Value)> = map
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn line_count(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

fn quoted(text: &str) -> String {
    format!("`{}`", excerpt(text))
}

/// The beginning of a text, for a person.
pub(super) fn excerpt(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let end = (0..=SHOWN).rev().find(|&at| text.is_char_boundary(at));
    format!("{}…", &text[..end.unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Finding, Reading, hold};

    #[track_caller]
    fn check(originals: &[&[u8]], candidate: &[u8], reading: Reading, expected: &str) {
        let originals: Vec<Bytes> = originals.iter().map(|b| Bytes::new(b.to_vec())).collect();
        let originals: Vec<&Bytes> = originals.iter().collect();
        let found = hold(&originals, &Bytes::new(candidate.to_vec()), reading);
        let said = match &found {
            Finding::Same => "same",
            Finding::Noise(_) => "noise",
            Finding::Differs(..) => "differs",
        };
        assert_eq!(said, expected, "{found:?}");
    }

    #[test]
    fn documents() {
        let check = |originals: &[&str], candidate: &str, expected: &str| {
            let originals: Vec<&[u8]> = originals.iter().map(|t| t.as_bytes()).collect();
            check(
                &originals,
                candidate.as_bytes(),
                Reading::Document,
                expected,
            );
        };
        check(&["hello", "hello"], "hello", "same");
        check(&["hello", "hello"], "hallo", "differs");
        check(&["a\nb\n", "a\nb\n"], "b\na\n", "differs");
        check(&["at 12:00:01", "at 12:00:03"], "at 12:00:02", "noise");
        check(&["at 12:00:01", "at 12:00:03"], "at never", "differs");
        // Bare identifiers: nothing is shared.
        check(&["8f3a11cc-01", "77dd0912-aa"], "00000000-00", "noise");
        check(&["8f3a11cc-01", "77dd0912-aa"], "a\nb\nc\nd", "differs");
        // The order of a hash map.
        check(
            &[r#"{"a":1,"b":[2,3],"t":17}"#, r#"{"t":18,"b":[2,3],"a":1}"#],
            r#"{"b":[2,3],"a":1,"t":99}"#,
            "noise",
        );
        check(
            &[r#"{"a":1,"b":[2,3],"t":17}"#, r#"{"t":18,"b":[2,3],"a":1}"#],
            r#"{"b":[2,4],"a":1,"t":99}"#,
            "differs",
        );
        check(
            &[r#"{"a":1,"t":17}"#, r#"{"t":18,"a":1}"#],
            r#"{"t":18}"#,
            "differs",
        );
        let page = |time: &str, title: &str| {
            format!("<html><title>{title}</title>\n<p>the shop is open</p>\n<i>{time}</i></html>")
        };
        let originals = [page("11:59:59", "Shop"), page("12:00:02", "Shop")];
        let originals: Vec<&str> = originals.iter().map(String::as_str).collect();
        check(&originals, &page("12:00:00", "Shop"), "noise");
        check(&originals, &page("12:00:00", "Stop"), "differs");
    }

    #[test]
    fn logs() {
        let check = |originals: &[&str], candidate: &str, expected: &str| {
            let originals: Vec<&[u8]> = originals.iter().map(|t| t.as_bytes()).collect();
            check(&originals, candidate.as_bytes(), Reading::Log, expected);
        };
        check(&["a\nb\n", "a\nb\n"], "b\na\n", "noise");
        check(&["a\nb\n", "a\nb\n"], "a\n", "differs");
        check(&["", ""], "warning\n", "differs");
        check(&["", ""], "", "same");
    }

    #[test]
    fn bytes_that_are_no_text() {
        let check = |originals: &[&[u8]], candidate: &[u8], expected: &str| {
            check(originals, candidate, Reading::Document, expected);
        };
        check(&[b"\xff\x00\x01", b"\xff\x00\x01"], b"\xff\x00\x01", "same");
        check(
            &[b"\xff\x00\x01", b"\xff\x00\x01"],
            b"\xff\x00\x02",
            "differs",
        );
        check(
            &[b"\xff\x00\x01", b"\xff\x00\x02"],
            b"\xff\x00\x03",
            "noise",
        );
        check(
            &[b"\xff\x00\x01", b"\xff\x00\x02"],
            b"\xfe\x00\x03",
            "differs",
        );
        check(&[b"\xff\x00\x01", b"\xff\x00\x02"], b"\xff\x00", "differs");
        check(&[b"\xff\x01", b"\xff\x01\x02"], b"\xff", "noise");
        check(&[b"\xff\x01", b"\xff\x01\x02"], b"", "differs");
    }
}
