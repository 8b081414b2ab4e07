//! Compilers and what stands beside them, by asking each for its version.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jettison_recipes::Target;

use super::{DoctorRequest, Row, State};

const AREA: &str = "toolchains";
/// A version manager may think for a moment.
const PATIENCE: Duration = Duration::from_secs(10);
/// A version is a line.
const ANSWER_BYTES: u64 = 16 << 10;

const GO: &str = "apt-get install golang-go";
const RUST: &str = "apt-get install cargo, or rustup-init";

pub(super) fn rows(_: &DoctorRequest<'_>) -> Vec<Row> {
    let go = ask("go", &["version"]);
    let cargo = ask("cargo", &["--version"]);
    // One language is enough to build in.
    let lacking = match go.is_some() || cargo.is_some() {
        true => State::Missing,
        false => State::Needed,
    };
    let mut rows = vec![
        tool("go", go.as_deref(), lacking, GO),
        tool("cargo", cargo.as_deref(), lacking, RUST),
    ];
    let rustc = ask("rustc", &["--version"]);
    let state = match cargo {
        Some(_) => State::Limited,
        None => State::Missing,
    };
    rows.push(tool("rustc", rustc.as_deref(), state, RUST));
    if rustc.is_some() {
        rows.extend(rust_targets());
    }
    rows.push(tool(
        "upx",
        ask("upx", &["--version"]).as_deref(),
        State::Missing,
        "apt-get install upx-ucl",
    ));
    rows.push(tool(
        "git",
        ask("git", &["--version"]).as_deref(),
        State::Missing,
        "apt-get install git",
    ));
    rows
}

fn tool(name: &str, version: Option<&str>, lacking: State, hint: &str) -> Row {
    match version {
        Some(version) => Row::new(AREA, name, State::Ok, version.to_owned()),
        None => Row::new(AREA, name, lacking, "not on the PATH".to_owned()).hint(hint),
    }
}

/// Which static targets rustc has a standard library for. Without the musl
/// one a static glibc does.
fn rust_targets() -> Vec<Row> {
    let Some(sysroot) = ask("rustc", &["--print", "sysroot"]) else {
        return Vec::new();
    };
    let libraries = std::path::Path::new(&sysroot).join("lib/rustlib");
    let targets = Target::ALL.into_iter().map(|target| {
        let triple = |libc: &str| format!("{}-unknown-linux-{libc}", target.triple_architecture());
        let has = |libc: &str| libraries.join(triple(libc)).join("lib").is_dir();
        let what = format!("rust for {target}");
        let add = format!("rustup target add {}", triple("musl"));
        match (has("musl"), has("gnu")) {
            (true, _) => Row::new(AREA, what, State::Ok, triple("musl")),
            (false, true) => Row::new(AREA, what, State::Ok, format!("{}, static", triple("gnu"))),
            (false, false) => {
                Row::new(AREA, what, State::Missing, "no standard library".to_owned()).hint(add)
            }
        }
    });
    targets.collect()
}

/// The first line that a tool answers; none when it is not there, fails or
/// does not end.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begin = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if begin.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => break None,
        }
    };
    if !status.is_some_and(|status| status.success()) {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let mut answer = Vec::new();
    let stdout = child.stdout.take()?;
    stdout.take(ANSWER_BYTES).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    answer.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::ask;

    #[test]
    fn tools_answer_or_are_not_there() {
        assert_eq!(ask("echo", &["one 1.2"]).as_deref(), Some("one 1.2"));
        assert_eq!(ask("false", &[]), None);
        assert_eq!(ask("no-such-tool-here", &[]), None);
    }
}
