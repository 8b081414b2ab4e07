//! Runs a test runner in front and reads what it says, line by line, as it says it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::tally::Tally;
use crate::Problem;
use crate::processes::Foreground;

/// Runs a test runner, hands its lines to `read`, and prints those that `read` says are worth it.
pub(crate) fn run(
    command: &mut Command,
    tally: &mut Tally,
    mut read: impl FnMut(&mut Tally, &str) -> bool,
) -> Result<(), Problem> {
    let mut runner = Foreground::start(command.stdout(Stdio::piped()))?;
    let failed_before = tally.failed();
    if let Some(output) = runner.child().stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            if read(tally, text) {
                println!("{text}");
            }
            line.clear();
        }
    }
    let status = runner.wait()?;
    if !status.success() && tally.failed() == failed_before {
        tally.runner_failed();
        println!("the test runner failed: {status}");
    }
    Ok(())
}
