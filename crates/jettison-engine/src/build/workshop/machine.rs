//! The machine's own toolchain.

use std::io;
use std::path::Path;
use std::process::{Child, Command as HostCommand, Stdio};

use jettison_recipes::{Answer, Command};
use jettison_sandbox::interrupt_with_us;

use super::{Workshop, listen};

/// Runs commands where jettison itself runs.
pub(crate) struct Machine<'a> {
    /// Where compilers keep what they know, instead of their usual place.
    pub(crate) cache: Option<&'a Path>,
}

impl Workshop for Machine<'_> {
    fn run(
        &self,
        root: &Path,
        command: &Command,
        on_line: &mut dyn FnMut(&str),
    ) -> io::Result<Answer> {
        let mut host_command = HostCommand::new(&command.program);
        if let Some(cache) = self.cache {
            // Cargo is told by its target directory.
            host_command.env("GOCACHE", cache.join("go"));
        }
        host_command
            .args(&command.arguments)
            .envs(
                command
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(root.join(&command.directory))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        interrupt_with_us(&mut host_command);
        let mut child = match host_command.spawn() {
            Ok(child) => Reaped(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Answer::default()),
            Err(error) => return Err(error),
        };
        let stdout = child.0.stdout.take().expect("piped above");
        let stderr = child.0.stderr.take().expect("piped above");
        let (stdout, stderr) = listen(stdout, stderr, on_line)?;
        let status = child.0.wait()?;
        Ok(Answer {
            started: true,
            code: status.code(),
            stdout,
            stderr,
        })
    }
}

/// A child that does not outlive an early return.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
