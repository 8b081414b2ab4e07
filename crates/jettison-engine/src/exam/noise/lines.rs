//! Texts of lines whose order and number may vary: what every run says must be
//! said, and nothing else than what some run says, each line up to the places
//! in which the runs' own lines differ.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Pattern, tokens};

/// Different lines beyond those that all runs share; more are not paired.
const MOST_VARYING: usize = 1500;
/// Two lines are the same one said twice when they share this part of their words.
const ALIKE: f64 = 0.4;

/// Lines that vary, learned from several runs.
pub(super) struct Lines<'t> {
    common: BTreeSet<&'t str>,
    /// The common ones that name process ids, without these.
    common_but_for_ids: BTreeSet<String>,
    known: BTreeSet<&'t str>,
    templates: Vec<Template<'t>>,
    runs: usize,
}

struct Template<'t> {
    /// At most one of each run.
    lines: BTreeMap<usize, &'t str>,
    words: BTreeMap<&'t str, usize>,
    pattern: Option<Pattern<'t>>,
}

/// A line that one side has and the other has not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Odd<'a> {
    /// Every run of the original says it.
    Missing(&'a str),
    /// No run of the original says it.
    Extra(&'a str),
}

impl<'a> Odd<'a> {
    pub(super) fn line(&self) -> &'a str {
        match self {
            Self::Missing(line) | Self::Extra(line) => line,
        }
    }
}

impl<'t> Lines<'t> {
    /// None when too much varies to be paired.
    pub(super) fn learn(texts: &[&'t str]) -> Option<Self> {
        let sets: Vec<BTreeSet<&str>> = texts.iter().map(|text| lines(text).collect()).collect();
        let known: BTreeSet<&str> = sets.iter().flatten().copied().collect();
        let in_all = |line: &&&str| sets.iter().all(|set| set.contains(**line));
        let common: BTreeSet<&str> = known.iter().filter(in_all).copied().collect();
        if known.len() - common.len() > MOST_VARYING {
            return None;
        }
        let mut templates: Vec<Template<'t>> = Vec::new();
        for (run, text) in texts.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let varying = lines(text).filter(|line| !common.contains(line) && seen.insert(*line));
            for line in varying.collect::<Vec<_>>() {
                let words = words(line);
                let free = templates.iter_mut().filter(|t| !t.lines.contains_key(&run));
                let scored = free.map(|template| (template.score(line, &words), template));
                // The first of equals: logs keep their order more or less.
                let best =
                    scored.fold(
                        None,
                        |best: Option<(f64, &mut Template<'t>)>, next| match best {
                            Some(best) if best.0 >= next.0 => Some(best),
                            _ => Some(next),
                        },
                    );
                match best {
                    Some((score, template)) if score >= ALIKE => {
                        template.lines.insert(run, line);
                    }
                    _ => templates.push(Template {
                        lines: BTreeMap::from([(run, line)]),
                        words,
                        pattern: None,
                    }),
                }
            }
        }
        for template in &mut templates {
            let lines: Vec<&str> = template.lines.values().copied().collect();
            if lines.len() > 1 {
                template.pattern = Pattern::learn(&lines);
            }
        }
        Some(Self {
            common_but_for_ids: without_ids_of(&common),
            common,
            known,
            templates,
            runs: texts.len(),
        })
    }

    /// The first lines that speak against a text, as many as are asked for.
    pub(super) fn odd<'a>(&'a self, text: &'a str, most: usize) -> Vec<Odd<'a>> {
        let mut odd = Vec::new();
        let said: BTreeSet<&str> = lines(text).collect();
        let mut met = vec![false; self.templates.len()];
        for line in lines(text) {
            if self.common.contains(line) {
                continue;
            }
            let is_common = |line: String| self.common_but_for_ids.contains(&line);
            let mut fits = self.known.contains(line) || without_ids(line).is_some_and(is_common);
            for (met, template) in met.iter_mut().zip(&self.templates) {
                if template.says(line) {
                    (*met, fits) = (true, true);
                }
            }
            if !fits {
                odd.push(Odd::Extra(line));
                if odd.len() == most {
                    return odd;
                }
            }
        }
        let said_but_for_ids = without_ids_of(&said);
        let is_said = |line: &str| {
            let said_otherwise = |line: String| said_but_for_ids.contains(&line);
            said.contains(line) || without_ids(line).is_some_and(said_otherwise)
        };
        let unsaid = self.common.iter().filter(|line| !is_said(line));
        odd.extend(unsaid.map(|line| Odd::Missing(line)));
        let always = self.templates.iter().zip(&met);
        let unmet = always.filter(|(template, met)| template.lines.len() == self.runs && !**met);
        let unmet = unmet.filter_map(|(template, _)| template.lines.values().next());
        odd.extend(unmet.map(|line| Odd::Missing(line)));
        odd.truncate(most);
        odd
    }

    /// How many lines vary, and two that are the same one.
    pub(super) fn varying(&self) -> (usize, Option<&'t str>) {
        let example = self.templates.iter().find(|t| t.lines.len() > 1);
        let example = example.or(self.templates.first());
        let example = example.and_then(|template| template.lines.values().next().copied());
        (self.templates.len(), example)
    }
}

impl Template<'_> {
    /// How well a line of another run goes with this one's. Lines without a
    /// common word (bare times, bare identifiers) go by their punctuation.
    fn score(&self, line: &str, words: &BTreeMap<&str, usize>) -> f64 {
        let score = alike(&self.words, words);
        if score < ALIKE && self.has_frame_of(line) {
            return ALIKE;
        }
        score
    }

    fn says(&self, line: &str) -> bool {
        let fits = |pattern: &Pattern<'_>, line: &str| {
            pattern.fits(line) && (!pattern.is_empty() || self.has_frame_of(line))
        };
        let is_known = |line: &str| {
            self.lines.values().any(|known| *known == line)
                || self
                    .pattern
                    .as_ref()
                    .is_some_and(|pattern| fits(pattern, line))
        };
        let first = self.lines.values().next();
        let renamed = || with_ids_of(line, first?);
        is_known(line) || renamed().is_some_and(|line| is_known(&line))
    }

    fn has_frame_of(&self, line: &str) -> bool {
        let frame = frame(line);
        self.lines.values().any(|known| frame == self::frame(known))
    }
}

/// A line with the process ids that another one names: who is started first has
/// the lower one, in one run this and in another that. None without any, or
/// where the two do not name as many.
fn with_ids_of(line: &str, other: &str) -> Option<String> {
    let mut line = tokens(line);
    let places = process_ids(&line);
    if places.is_empty() {
        return None;
    }
    let theirs = tokens(other);
    let others = process_ids(&theirs);
    if places.len() != others.len() {
        return None;
    }
    for (place, other) in places.into_iter().zip(others) {
        line[place] = theirs[other];
    }
    Some(line.concat())
}

/// The lines that name process ids, without these.
fn without_ids_of(lines: &BTreeSet<&str>) -> BTreeSet<String> {
    lines.iter().filter_map(|line| without_ids(line)).collect()
}

/// A line without the process ids that it names; none where it names none.
fn without_ids(line: &str) -> Option<String> {
    let mut tokens = tokens(line);
    let places = process_ids(&tokens);
    for place in &places {
        tokens[*place] = "0";
    }
    (!places.is_empty()).then(|| tokens.concat())
}

/// Which tokens are numbers after the word `pid`.
fn process_ids(tokens: &[&str]) -> Vec<usize> {
    let is_number = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |token: &str| token.starts_with(char::is_alphanumeric);
    let mut found = Vec::new();
    let mut last = "";
    for (at, token) in tokens.iter().enumerate() {
        if !is_word(token) {
            continue;
        }
        if is_number(token) && last.eq_ignore_ascii_case("pid") {
            found.push(at);
        }
        last = token;
    }
    found
}

/// A line with every word replaced by the same letter.
fn frame(line: &str) -> String {
    let word = |token: &str| token.chars().next().is_some_and(char::is_alphanumeric);
    let tokens = tokens(line).into_iter();
    tokens
        .map(|token| if word(token) { "w" } else { token })
        .collect()
}

/// The lines that say something. How many dots show that one waits depends on
/// how long that took.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.lines().flat_map(|line| {
        let (one, other) = line.split_at(second_writer(line));
        [one, other]
    });
    let lines = parts.map(|line| line.trim_end_matches('.'));
    lines.filter(|line| !line.trim().is_empty())
}

/// Where in a line another process began a line of its own, with a date, since
/// the first one had not ended its; else the line's length.
fn second_writer(line: &str) -> usize {
    let is_date = |at: &usize| {
        let shape = b"dddd-dd-dd";
        let text = &line.as_bytes()[*at..];
        text.len() > shape.len()
            && shape.iter().zip(text).all(|(shape, byte)| match shape {
                b'd' => byte.is_ascii_digit(),
                mark => mark == byte,
            })
    };
    let bytes = line.as_bytes();
    let mut ends =
        (1..line.len()).filter(|&at| bytes[at - 1] == b'.' || bytes[at - 1].is_ascii_alphabetic());
    ends.find(is_date).unwrap_or(line.len())
}

fn words(line: &str) -> BTreeMap<&str, usize> {
    let mut words = BTreeMap::new();
    for token in tokens(line) {
        if token.chars().next().is_some_and(char::is_alphanumeric) {
            *words.entry(token).or_default() += 1;
        }
    }
    words
}

/// True for two lines that are rather the same one said twice.
pub(in crate::exam) fn is_alike(one: &str, other: &str) -> bool {
    one == other || alike(&words(one), &words(other)) >= ALIKE
}

/// The share of words that two lines have in common, from 0 to 1. Equal numbers
/// (times, ports, counters) are chance more often than equal words.
fn alike(left: &BTreeMap<&str, usize>, right: &BTreeMap<&str, usize>) -> f64 {
    let weight = |word: &str| match word.contains(|c: char| c.is_ascii_digit()) {
        true => 1,
        false => 4,
    };
    let count = |words: &BTreeMap<&str, usize>| {
        let weighed = words.iter().map(|(word, count)| weight(word) * count);
        weighed.sum::<usize>()
    };
    let shared: usize = left
        .iter()
        .map(|(word, count)| {
            let both = right.get(word).map_or(0, |other| *count.min(other));
            weight(word) * both
        })
        .sum();
    let all = count(left) + count(right);
    if all == 0 {
        return 1.0;
    }
    2.0 * shared as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::{Lines, Odd};

    #[track_caller]
    fn check(texts: &[&str], text: &str, expected: Option<Odd<'_>>) {
        let lines = Lines::learn(texts).expect("few lines");
        assert_eq!(lines.odd(text, 1).pop(), expected);
    }

    #[test]
    fn logs() {
        let runs = [
            "12:00:01 worker a ready\nlistening on 80\n12:00:01 GET /x 200 in 3ms\n12:00:01 GET /y 200 in 4ms\n",
            "listening on 80\n12:00:04 worker a ready\n12:00:04 GET /x 200 in 5ms\n12:00:05 GET /y 200 in 6ms\n",
        ];
        let good = "12:00:02 worker a ready\nlistening on 80\n12:00:02 GET /y 200 in 9ms\n12:00:02 GET /x 200 in 1ms\n";
        check(&runs, good, None);
        let with_error = good.to_owned() + "Traceback: no module named x\n";
        check(
            &runs,
            &with_error,
            Some(Odd::Extra("Traceback: no module named x")),
        );
        check(
            &runs,
            "12:00:02 worker a ready\n12:00:02 GET /y 200 in 9ms\n12:00:02 GET /x 200 in 1ms\n",
            Some(Odd::Missing("listening on 80")),
        );
        check(
            &runs,
            &good.replace("GET /x 200", "GET /x 500"),
            Some(Odd::Extra("12:00:02 GET /x 500 in 1ms")),
        );
    }

    #[test]
    fn a_line_of_one_run_alone_may_be_missing() {
        let runs = ["start\ncache rebuilt\n", "start\n"];
        check(&runs, "start\n", None);
        check(&runs, "start\ncache rebuilt\n", None);
        check(&runs, "start\ncache lost\n", Some(Odd::Extra("cache lost")));
        check(&runs, "", Some(Odd::Missing("start")));
    }

    #[test]
    fn lines_without_a_common_word() {
        let runs = ["1763726400.123\n8f3a-11\n", "1763726401.5\n00bc-a7\n"];
        check(&runs, "1763726402.77\nffff-aa\n", None);
        let failed = "1763726402.77\nno such file\n";
        check(&runs, failed, Some(Odd::Extra("no such file")));
    }

    #[test]
    fn a_line_that_varies_may_not_be_missing() {
        let runs = ["pid 17 started\n", "pid 99 started\n"];
        check(&runs, "pid 3 started\n", None);
        check(&runs, "", Some(Odd::Missing("pid 17 started")));
    }

    #[test]
    fn process_ids_of_one_run_say_nothing_of_another_s() {
        let runs = [
            "12:00:01 spawned: 'php' with pid 4\nmaster (PID=7) is up\n",
            "12:00:03 spawned: 'php' with pid 4\nmaster (PID=7) is up\n",
        ];
        let other = "12:00:09 spawned: 'php' with pid 5\nmaster (PID=8) is up\n";
        check(&runs, other, None);
        let failed = "12:00:09 spawned: 'php' with pid 5\nmaster (PID=8) is down\n";
        check(&runs, failed, Some(Odd::Extra("master (PID=8) is down")));
    }

    #[test]
    fn numbers_weigh_less_than_words() {
        let runs = [
            "1 front 30/0/12 200 /secret end\n2 front 20/0/11 200 /open end\n",
            "7 front 20/0/11 200 /secret end\n8 front 30/0/12 200 /open end\n",
        ];
        let other = "4 front 50/0/13 200 /secret end\n5 front 51/0/14 200 /open end\n";
        check(&runs, other, None);
        let failed = "4 front 50/0/13 500 /secret end\n5 front 51/0/14 200 /open end\n";
        check(
            &runs,
            failed,
            Some(Odd::Extra("4 front 50/0/13 500 /secret end")),
        );
    }

    #[test]
    fn two_writers_on_one_line() {
        let log = |dots: &str, time: &str, what: &str| {
            let rest = match what {
                "stopping" => "aborting",
                _ => "stopping",
            };
            format!(
                "waiting{dots}2026-11-21 {time} LOG: {what}\n2026-11-21 {time} LOG: {rest}\n done\n"
            )
        };
        let runs = [
            log("....", "15:31:06", "stopping"),
            log(".....", "15:31:09", "stopping"),
        ];
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        check(&runs, &log("...", "15:31:07", "aborting"), None);
        let lost = log("...", "15:31:07", "lost");
        check(
            &runs,
            &lost,
            Some(Odd::Extra("2026-11-21 15:31:07 LOG: lost")),
        );
    }
}
