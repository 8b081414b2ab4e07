//! Adds up what the test runners say. A test that could not run prints a line `skipped: why`; libtest calls it passed, so the
//! lines are read from `--show-output` and each such test is counted as skipped instead.

use std::collections::{BTreeMap, BTreeSet};

/// The sums, and what was skipped.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Tests that said `skipped:`, which the next result line counts as passed.
    unearned: u64,
    /// Why, and which tests said so.
    reasons: BTreeMap<String, BTreeSet<String>>,
    /// Inside the output of the tests that passed, and whose.
    quoting: Option<Quoted>,
}

#[derive(Debug, Default)]
struct Quoted {
    test: String,
    counted: bool,
}

impl Tally {
    /// Reads one line of libtest and answers what of it is worth showing.
    pub(crate) fn read_libtest<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.quoting = None;
            self.add_result(result);
            return Some(line);
        }
        if line == "successes:" {
            self.quoting.get_or_insert_default();
            return None;
        }
        if line == "failures:" {
            self.quoting = None;
        }
        let Some(quoted) = &mut self.quoting else {
            return Some(line);
        };
        if let Some(test) = line
            .strip_prefix("---- ")
            .and_then(|line| line.strip_suffix(" stdout ----"))
        {
            *quoted = Quoted {
                test: test.to_owned(),
                counted: false,
            };
            return None;
        }
        let reason = line.strip_prefix("skipped:")?;
        if !quoted.counted {
            quoted.counted = true;
            self.skipped += 1;
            self.unearned += 1;
        }
        let tests = self.reasons.entry(reason.trim().to_owned()).or_default();
        tests.insert(quoted.test.clone());
        Some(line)
    }

    /// Reads one line of `go test -v`.
    pub(crate) fn read_go(&mut self, line: &str) {
        if line.starts_with("--- PASS: ") {
            self.passed += 1;
        } else if line.starts_with("--- FAIL: ") {
            self.failed += 1;
        } else if line.starts_with("--- SKIP: ") {
            self.skipped += 1;
        }
    }

    /// Tests that no runner of a toolchain has counted.
    pub(crate) fn add(&mut self, passed: u64, failed: u64) {
        self.passed += passed;
        self.failed += failed;
    }

    /// A runner that failed without counting a failed test: it did not compile, or was killed.
    pub(crate) fn runner_failed(&mut self) {
        self.failed += 1;
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// `why: test, test, …`, each reason once.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().map(|(reason, tests)| {
            let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
            format!("{reason}: {}", tests.join(", "))
        })
    }

    /// The line that closes a run.
    pub(crate) fn closing_line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }

    /// `ok. 12 passed; 0 failed; 1 ignored; …`
    fn add_result(&mut self, result: &str) {
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += count.saturating_sub(std::mem::take(&mut self.unearned)),
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn check(output: &str, closing_line: &str, shown: &[&str]) -> Tally {
        let mut tally = Tally::default();
        let lines: Vec<&str> = output
            .lines()
            .filter_map(|line| tally.read_libtest(line))
            .collect();
        assert_eq!(tally.closing_line(), closing_line);
        assert_eq!(lines, shown);
        tally
    }

    #[test]
    fn results_add_up() {
        check(
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "5 passed, 4 failed, 1 skipped",
            &[
                "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            ],
        );
    }

    #[test]
    fn a_test_that_says_skipped_did_not_pass() {
        let output = "running 3 tests\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: no docker engine\n\
                      skipped: no root\n\n---- b stdout ----\nall is well\n\n\nsuccesses:\n    a\n    b\n\n\
                      test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let tally = check(
            output,
            "2 passed, 0 failed, 1 skipped",
            &[
                "running 3 tests",
                "test a ... ok",
                "",
                "skipped: no docker engine",
                "skipped: no root",
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            ],
        );
        let reasons: Vec<String> = tally.reasons().collect();
        assert_eq!(reasons, ["no docker engine: a", "no root: a"]);
    }

    #[test]
    fn what_failed_is_shown_whole() {
        let output =
            "successes:\n\n---- a stdout ----\nnoise\n\nfailures:\n\n---- b stdout ----\npanicked";
        check(
            output,
            "0 passed, 0 failed, 0 skipped",
            &["failures:", "", "---- b stdout ----", "panicked"],
        );
    }

    #[test]
    fn go_counts_too() {
        let mut tally = Tally::default();
        for line in [
            "=== RUN TestA",
            "--- PASS: TestA (0.00s)",
            "    --- PASS: TestA/x (0.00s)",
            "--- SKIP: TestB (0.00s)",
        ] {
            tally.read_go(line);
        }
        assert_eq!(tally.closing_line(), "1 passed, 0 failed, 1 skipped");
    }
}
