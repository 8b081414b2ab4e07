//! The Docker client and other programs, each with a limit: a case that hangs fails, and the next one has its turn.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::processes::go_on;
use crate::{Problem, workspace};

/// How long an ordinary question to the engine may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the engine answers.
#[derive(Clone)]
pub(crate) struct Client {
    host: String,
}

impl Client {
    pub(crate) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
        }
    }

    /// `docker ARGUMENTS…`, whatever becomes of it.
    pub(crate) fn ask<S: AsRef<str>>(
        &self,
        arguments: &[S],
        stdin: Option<&str>,
        patience: Duration,
    ) -> Result<Output, Problem> {
        let mut command = self.command(patience);
        command.args(arguments.iter().map(AsRef::as_ref));
        output(&mut command, stdin)
    }

    /// Standard output of what must succeed.
    pub(crate) fn demand<S: AsRef<str>>(&self, arguments: &[S]) -> Result<String, Problem> {
        self.demand_within(arguments, PATIENCE)
    }

    pub(crate) fn demand_within<S: AsRef<str>>(
        &self,
        arguments: &[S],
        patience: Duration,
    ) -> Result<String, Problem> {
        let output = self.ask(arguments, None, patience)?;
        if !output.status.success() {
            let shown: Vec<&str> = arguments.iter().take(4).map(AsRef::as_ref).collect();
            return Err(format!("docker {}: {}", shown.join(" "), last_words(&output)).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Whether it succeeds, for what may well not.
    pub(crate) fn succeeds<S: AsRef<str>>(&self, arguments: &[S]) -> bool {
        self.ask(arguments, None, PATIENCE)
            .is_ok_and(|output| output.status.success())
    }

    /// A client under a time limit, for a caller with its own plans for input and output.
    pub(crate) fn command(&self, patience: Duration) -> Command {
        // Debian's own client has the plain builder that its engine has.
        let docker = ["/usr/bin/docker"]
            .into_iter()
            .map(std::path::PathBuf::from)
            .find(|path| path.is_file())
            .or_else(|| workspace::find_program("docker"))
            .unwrap_or_else(|| "docker".into());
        let mut command = limited(docker.as_os_str(), patience);
        command
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_BUILDKIT", "0")
            .env("DOCKER_CLI_HINTS", "false");
        command
    }
}

/// A program that is ended after a while, with everything it started.
pub(crate) fn limited(program: &std::ffi::OsStr, patience: Duration) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", &patience.as_secs().to_string()])
        .arg(program);
    command
}

/// Runs a program with this input.
pub(crate) fn output(command: &mut Command, stdin: Option<&str>) -> Result<Output, Problem> {
    go_on()?;
    command
        .stdin(match stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin) {
        // A program that does not read to the end has its reasons.
        let _ = pipe.write_all(text.as_bytes());
    }
    let output = child.wait_with_output()?;
    go_on()?;
    Ok(output)
}

/// The last lines of what a program said.
pub(crate) fn last_words(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}
