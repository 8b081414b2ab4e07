//! Time and memory of a command, from the kernel's own account of it: a process of ours that has no other child starts it,
//! waits, and asks for the usage of its children (`getrusage`), so that nothing else is in the figures.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use super::Context;
use crate::Problem;

/// What counts as slow, and how often such a contestant is measured.
const SLOW_S: f64 = 10.0;
const SLOW_ROUNDS: usize = 3;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time of the command and everything that it waited for.
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    /// The largest resident set among its processes.
    pub(crate) peak_bytes: f64,
}

/// A command that is measured beside others.
pub(crate) struct Contestant<'a> {
    pub(crate) name: &'a str,
    pub(crate) command: Command,
    /// A folder that is emptied before every run.
    pub(crate) fresh: Option<&'a Path>,
    /// It takes minutes: measured in the first round and not again.
    pub(crate) once: bool,
}

/// The medians of several runs. The contestants take turns, so that whatever slows the machine down slows all of them; the
/// first round warms the caches and does not count.
pub(crate) fn in_turns(
    context: &Context,
    contestants: &[Contestant],
) -> Result<Vec<Usage>, Problem> {
    let mut rounds: Vec<Vec<Usage>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..=context.runs {
        for (contestant, usages) in contestants.iter().zip(&mut rounds) {
            // A peer that takes minutes does not take them as often as we measure ourselves.
            if usages.len() >= SLOW_ROUNDS && usages.iter().all(|usage| usage.wall_s > SLOW_S) {
                continue;
            }
            if contestant.once && !usages.is_empty() {
                continue;
            }
            if let Some(fresh) = contestant.fresh.filter(|fresh| fresh.exists()) {
                std::fs::remove_dir_all(fresh)?;
            }
            let usage = once(context, &contestant.command)
                .map_err(|problem| format!("{}: {problem}", contestant.name))?;
            if round > 0 || contestant.once {
                usages.push(usage);
            }
        }
    }
    Ok(rounds.iter().map(|usages| medians(usages)).collect())
}

/// Runs a command once under measurement; its output is shown when it fails.
pub(crate) fn once(context: &Context, command: &Command) -> Result<Usage, Problem> {
    let report = tempfile::NamedTempFile::new_in(&context.folder)?;
    let mut measured = Command::new(&context.xtask);
    measured
        .arg("measure")
        .arg(report.path())
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(name, value),
            None => measured.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let output = measured
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = words.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!(
            "`{command:?}` failed ({}): {}",
            output.status,
            last.join(" / ")
        )
        .into());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(report.path())?)?;
    let number = |key: &str| {
        report[key]
            .as_f64()
            .ok_or_else(|| format!("the measurement names no {key}"))
    };
    Ok(Usage {
        cpu_s: number("cpu_s")?,
        wall_s: number("wall_s")?,
        peak_bytes: number("peak_bytes")?,
    })
}

/// `xtask measure REPORT PROGRAM [ARGUMENT…]`: the measuring process.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let [report, program, rest @ ..] = arguments else {
        return Err("measure wants a report file and a program".into());
    };
    let begun = Instant::now();
    let status = Command::new(program)
        .args(rest)
        .status()
        .map_err(|error| format!("{program}: {error}"))?;
    let wall_s = begun.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu_s = seconds(usage.user_time()) + seconds(usage.system_time());
    // Linux counts it in KiB (getrusage(2)).
    let peak_bytes = usage.max_rss().saturating_mul(1024);
    std::fs::write(
        report,
        json!({"cpu_s": cpu_s, "wall_s": wall_s, "peak_bytes": peak_bytes}).to_string(),
    )?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {status}").into()),
    }
}

/// The middle of each figure.
pub(crate) fn medians(usages: &[Usage]) -> Usage {
    let of = |figure: fn(&Usage) -> f64| median(usages.iter().map(figure).collect());
    Usage {
        cpu_s: of(|usage| usage.cpu_s),
        wall_s: of(|usage| usage.wall_s),
        peak_bytes: of(|usage| usage.peak_bytes),
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians_shrug_off_outliers() {
        for (figures, expected) in [
            (vec![3.0, 1.0, 100.0], 3.0),
            (vec![4.0, 1.0, 2.0, 90.0], 3.0),
            (vec![7.0], 7.0),
        ] {
            assert!((median(figures) - expected).abs() < 1e-9);
        }
    }
}
