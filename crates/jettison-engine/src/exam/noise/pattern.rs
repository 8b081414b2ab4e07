//! What several texts share, with gaps where they differ, and whether another
//! text fits. Learned from the texts alone: no list of what usually varies.

use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Aligning texts costs their length times their difference; beyond this it
/// is not tried.
const MOST_STEPS: usize = 40_000_000;
/// A text that stands between two gaps ties them apart only when it has this
/// many letters and digits: shared blanks and commas are chance.
const TIE: usize = 4;
/// How much longer than all that was seen a gap may be, in bytes.
const SLACK: usize = 64;

/// A learned pattern.
#[derive(Debug)]
pub(super) struct Pattern<'t> {
    /// Runs of literal tokens; between two of them is a gap.
    runs: Vec<Vec<&'t str>>,
    /// The gap before each run, and the one behind the last.
    gaps: Vec<Option<Gap>>,
    /// Letters and digits of the literals, and of the longest text.
    literal: usize,
    longest: usize,
    /// What the first gap held in each text.
    pub(super) example: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Gap {
    /// Nothing but digits and what stands between them.
    numeric: bool,
    longest: usize,
}

/// Words and the single characters between them.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            tokens.push(&text[start..at]);
        }
        tokens.push(&text[at..at + c.len_utf8()]);
    }
    tokens.extend(start.map(|start| &text[start..]));
    tokens
}

impl<'t> Pattern<'t> {
    /// Learns from two texts or more; none when they are too long and too
    /// different to be aligned.
    pub(super) fn learn(texts: &[&'t str]) -> Option<Self> {
        let tokenised: Vec<Vec<&str>> = texts.iter().map(|text| tokens(text)).collect();
        let (first, others) = tokenised.split_first()?;
        let mut literals = first.clone();
        for other in others {
            literals = common(&literals, other)?;
        }
        // Measured in no time at all, and in some another time.
        literals.retain(|token| !is_no_number(token));
        let mut places = Vec::new();
        for text in &tokenised {
            places.push(positions(&literals, text)?);
        }
        Some(Self::assemble(&literals, &tokenised, &places))
    }

    fn assemble(literals: &[&'t str], texts: &[Vec<&'t str>], places: &[Vec<usize>]) -> Self {
        // What each text has in front of literal n, and behind the last.
        let between = |text: usize, n: usize| -> Range<usize> {
            let from = n.checked_sub(1).map_or(0, |n| places[text][n] + 1);
            let to = places[text].get(n).copied().unwrap_or(texts[text].len());
            from..to.max(from)
        };
        let gap_at = |n: usize| -> Option<Gap> {
            let contents: Vec<String> = (0..texts.len())
                .map(|text| texts[text][between(text, n)].concat())
                .collect();
            gap(contents.iter().map(String::as_str))
        };
        let mut runs: Vec<Vec<&str>> = vec![Vec::new()];
        let mut gaps = Vec::new();
        let mut starts = vec![0];
        for (n, literal) in literals.iter().enumerate() {
            match gap_at(n) {
                Some(found) if n == 0 => gaps.push(Some(found)),
                Some(found) => {
                    gaps.push(Some(found));
                    runs.push(Vec::new());
                    starts.push(n);
                }
                None if n == 0 => gaps.push(None),
                None => {}
            }
            if let Some(run) = runs.last_mut() {
                run.push(literal);
            }
        }
        if literals.is_empty() {
            gaps.push(None);
        }
        gaps.push(gap_at(literals.len()));
        let example = gaps
            .iter()
            .position(Option::is_some)
            .map(|at| starts.get(at).copied().unwrap_or(literals.len()))
            .map(|n| {
                let in_gap = |text: usize| texts[text][between(text, n)].concat();
                (0..texts.len()).map(in_gap).collect()
            })
            .unwrap_or_default();
        let mut pattern = Self {
            runs,
            gaps,
            literal: 0,
            longest: texts.iter().map(|text| weight(text)).max().unwrap_or(0),
            example,
        };
        pattern.widen();
        pattern.untie();
        pattern.literal = pattern.runs.iter().map(|run| weight(run)).sum();
        pattern
    }

    /// A fraction varies with what stands before its point, and a number with
    /// its sign, though they were the same by chance: `0.4` and `0.7` are
    /// numbers like `6.8`.
    fn widen(&mut self) {
        for n in 1..self.gaps.len() {
            let (Some(gap), Some(run)) = (&mut self.gaps[n], self.runs.get_mut(n - 1)) else {
                continue;
            };
            if !gap.numeric {
                continue;
            }
            let before = run.len();
            let is_digits = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
            if let [.., beside, whole, "."] = run.as_slice()
                && is_digits(whole)
                && *beside != "."
            {
                run.truncate(before - 2);
            }
            if let [.., beside, "-"] = run.as_slice()
                && beside.trim().is_empty()
            {
                run.pop();
            }
            gap.longest += before - run.len();
        }
    }

    /// Drops short literals between gaps that hold more than numbers: shared
    /// by chance, they would bind a text that shares less.
    fn untie(&mut self) {
        let mut at = 0;
        while at < self.runs.len() {
            let (Some(before), Some(behind)) = (self.gaps[at], self.gaps[at + 1]) else {
                at += 1;
                continue;
            };
            let numeric = before.numeric && behind.numeric;
            if weight(&self.runs[at]) >= TIE || numeric || self.runs[at].is_empty() {
                at += 1;
                continue;
            }
            let run = std::mem::take(&mut self.runs[at]);
            let length: usize = run.iter().map(|token| token.len()).sum();
            let longest = before.longest.saturating_add(behind.longest);
            let merged = Gap {
                numeric: false,
                longest: longest.saturating_add(length),
            };
            self.gaps[at + 1] = Some(merged);
            if self.runs.len() == 1 {
                self.gaps[at] = None;
            } else {
                self.runs.remove(at);
                self.gaps.remove(at);
            }
        }
    }

    /// True when hardly anything is shared, so that a fitting text means little.
    pub(super) fn is_empty(&self) -> bool {
        self.literal * 4 < self.longest
    }

    /// How many places vary.
    pub(super) fn gap_count(&self) -> usize {
        self.gaps.iter().flatten().count()
    }

    /// True when a text has all that is shared, in this order, and in the gaps
    /// no more and nothing else than what was seen there.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text = tokens(text);
        let mut at = 0;
        let last = self.runs.len().saturating_sub(1);
        for (n, run) in self.runs.iter().enumerate() {
            let gap = self.gaps[n];
            let is_last = n == last && self.gaps[n + 1].is_none();
            let found = match (gap, is_last) {
                (None, _) => text[at..].starts_with(run).then_some(at),
                // Nothing follows: it stands at the very end.
                (Some(_), true) => text
                    .len()
                    .checked_sub(run.len())
                    .filter(|&from| from >= at && text[from..] == run[..]),
                (Some(_), false) => find(&text[at..], run).map(|offset| at + offset),
            };
            let Some(from) = found else { return false };
            if let Some(gap) = gap
                && !gap.holds(&text[at..from])
            {
                return false;
            }
            at = from + run.len();
        }
        match self.gaps.last().copied().flatten() {
            Some(gap) => gap.holds(&text[at..]),
            None => at == text.len(),
        }
    }
}

impl Gap {
    fn holds(self, content: &[&str]) -> bool {
        let length: usize = content.iter().map(|token| token.len()).sum();
        let fits = length <= self.longest.saturating_mul(4).saturating_add(SLACK);
        fits && (!self.numeric || content.iter().all(|token| is_numeric(token)))
    }
}

/// A gap for these contents; none when there are none.
fn gap<'a>(contents: impl Iterator<Item = &'a str> + Clone) -> Option<Gap> {
    let longest = contents.clone().map(str::len).max().unwrap_or(0);
    (longest > 0).then(|| Gap {
        numeric: contents.clone().all(is_numeric),
        longest,
    })
}

fn is_numeric(text: &str) -> bool {
    let is_beside = |c: char| c.is_whitespace() || ".,:+-/%".contains(c);
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    text.split(is_beside)
        .all(|part| is_number(part) || is_no_number(part))
}

/// True for what printf says of a number that is none (C11, 7.21.6.1): what was
/// divided by a time that was too short to be measured.
fn is_no_number(token: &str) -> bool {
    let words = ["inf", "infinity", "nan"];
    words.iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// Letters and digits.
fn weight(tokens: &[&str]) -> usize {
    let is_word = |token: &&&str| token.chars().next().is_some_and(char::is_alphanumeric);
    tokens.iter().filter(is_word).map(|token| token.len()).sum()
}

fn find(text: &[&str], run: &[&str]) -> Option<usize> {
    if run.is_empty() {
        return Some(0);
    }
    text.windows(run.len()).position(|window| window == run)
}

/// The longest common subsequence, if it can be had at a bearable price.
fn common<'t>(left: &[&'t str], right: &[&'t str]) -> Option<Vec<&'t str>> {
    if left == right {
        return Some(left.to_vec());
    }
    let ops = align(left, right)?;
    let equal = ops.iter().filter_map(|op| match *op {
        DiffOp::Equal { old_index, len, .. } => Some(&left[old_index..old_index + len]),
        _ => None,
    });
    Some(equal.flatten().copied().collect())
}

/// Where each of `literals`, all of which are in `text` in order, stands.
fn positions(literals: &[&str], text: &[&str]) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(literals.len());
    for op in align(literals, text)? {
        if let DiffOp::Equal { new_index, len, .. } = op {
            places.extend(new_index..new_index + len);
        }
    }
    (places.len() == literals.len()).then_some(places)
}

fn align(left: &[&str], right: &[&str]) -> Option<Vec<DiffOp>> {
    let mut counts: HashMap<&str, i64> = HashMap::new();
    for token in left {
        *counts.entry(token).or_default() += 1;
    }
    for token in right {
        *counts.entry(token).or_default() -= 1;
    }
    let apart: u64 = counts.values().map(|count| count.unsigned_abs()).sum();
    let apart = usize::try_from(apart).unwrap_or(usize::MAX);
    let steps = (left.len() + right.len()).checked_mul(apart.max(1))?;
    (steps <= MOST_STEPS).then(|| capture_diff_slices(Algorithm::Myers, left, right))
}

#[cfg(test)]
mod tests {
    use super::{Pattern, tokens};

    #[test]
    fn words_and_what_is_between() {
        assert_eq!(tokens("a1 é-2"), ["a1", " ", "é", "-", "2"]);
        assert!(tokens("").is_empty());
        assert_eq!(tokens("µs."), ["µs", "."]);
    }

    #[track_caller]
    fn check(texts: &[&str], fit: &[&str], unfit: &[&str]) {
        let pattern = Pattern::learn(texts).expect("short texts");
        for text in texts.iter().chain(fit) {
            assert!(pattern.fits(text), "{text:?} in {pattern:?}");
        }
        for text in unfit {
            assert!(!pattern.fits(text), "{text:?} in {pattern:?}");
        }
    }

    #[test]
    fn patterns() {
        check(
            &["took 45 ms, done", "took 7 ms, done"],
            &["took 123 ms, done"],
            &["took error ms, done", "took 45 ms", "took 45 ms, failed"],
        );
        check(
            &[
                "Fri, 21 Nov 2026 12:00:01 GMT",
                "Fri, 21 Nov 2026 12:00:03 GMT",
            ],
            &["Fri, 21 Nov 2026 12:00:02 GMT"],
            &["", "Fri, 21 Nov 2026 12:00:02 CET"],
        );
        check(
            &["id=8f3c-11aa end", "id=90ab-77bc end"],
            &["id=0000-ffff end", "id=12 end"],
            &["id=8f3c-11aa", "error end"],
        );
        check(
            &[
                "ping: inf a second, -nan, p50=0.4",
                "ping: inf a second, -nan, p50=0.7",
            ],
            &["ping: 1428.57 a second, 0.9, p50=6.8"],
            &[
                "ping: no a second, -nan, p50=0.4",
                "ping: inf a minute, -nan, p50=0.4",
            ],
        );
        check(&["same", "same"], &[], &["other", "same same", ""]);
        check(&["x", ""], &["y"], &[&"long ".repeat(50)]);
        check(
            &["10.0.0.1:80 GET", "10.0.0.12:80 GET"],
            &["10.0.0.7:80 GET"],
            &["a GET"],
        );
    }

    #[test]
    fn nothing_in_common_is_said() {
        let pattern = Pattern::learn(&["the quick, brown fox", "every good, boy does"]);
        assert!(pattern.expect("short").is_empty());
    }

    #[test]
    fn huge_differences_are_not_aligned() {
        let left: String = (0..40_000).map(|n| format!("{n} ")).collect();
        let right: String = (40_000..80_000).map(|n| format!("{n} ")).collect();
        assert!(Pattern::learn(&[&left, &right]).is_none());
    }
}
