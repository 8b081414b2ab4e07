//! The one on trial: how `jettison build` is asked for a case.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::answer::{Answer, Image};
use super::bases::Base;
use super::case::Case;
use super::failure::Class;
use crate::{Problem, workspace};

/// A program that hangs is a failure like another.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program, and the store that all its builds share.
pub(crate) struct Jettison {
    pub(crate) program: PathBuf,
    pub(crate) store: PathBuf,
}

impl Jettison {
    /// Builds the program of this workspace.
    pub(crate) fn compile(root: &Path, store: PathBuf) -> Result<Self, Problem> {
        let mut command = workspace::cargo();
        command.args(["build", "--quiet", "--locked", "--package", "jettison"]);
        if !command.current_dir(root).status()?.success() {
            return Err("jettison does not build".into());
        }
        let program = workspace::target_dir(root)?.join("debug/jettison");
        Ok(Self { program, store })
    }

    /// Whether it takes the flags that cases need.
    pub(crate) fn knows_dockerfiles(&self) -> bool {
        Command::new(&self.program)
            .args(["build", "--help"])
            .output()
            .is_ok_and(|output| {
                let help = String::from_utf8_lossy(&output.stdout);
                help.contains("--build-context") && help.contains("--target")
            })
    }

    /// Builds a prepared case.
    pub(crate) fn build(
        &self,
        case: &Case,
        scratch: &Path,
        bases: &[Base],
    ) -> Result<Answer, Problem> {
        let out = scratch.join("jettison-out");
        let output = self.command(case, scratch, bases, &out).output()?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Answer::Built(Box::new(Image::read(
                &out,
                bases,
                &case.times,
            )?))),
            Some(124) => Err(format!("no end after {} s", PATIENCE.as_secs()).into()),
            // A failure has a code of its own; panics and signals have others.
            Some(1..=3) => Ok(Answer::Failed {
                fails: case.fails.unwrap_or(Class::Usage),
                said,
            }),
            _ => Err(format!("crashed ({}): {said}", output.status).into()),
        }
    }

    /// `jettison build` without slimming, into a layout.
    fn command(&self, case: &Case, scratch: &Path, bases: &[Base], out: &Path) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg("--kill-after=5")
            .arg(PATIENCE.as_secs().to_string());
        command
            .arg(&self.program)
            .arg("build")
            .arg(scratch.join("context"));
        command.arg("-f").arg(scratch.join(&case.file));
        command.arg("--no-slim").arg("--store").arg(&self.store);
        command.arg("-o").arg(format!("oci:{}", out.display()));
        for base in bases {
            command.arg("--build-context").arg(format!(
                "{}=oci-layout://{}",
                base.name,
                base.folder.display()
            ));
        }
        for (name, folder) in &case.contexts {
            command
                .arg("--build-context")
                .arg(format!("{name}={}", scratch.join(folder).display()));
        }
        if let Some(target) = &case.target {
            command.args(["--target", target]);
        }
        for (key, value) in &case.build_args {
            command.arg("--build-arg").arg(format!("{key}={value}"));
        }
        for (id, file) in &case.secrets {
            command
                .arg("--secret")
                .arg(format!("id={id},src={}", scratch.join(file).display()));
        }
        command
    }
}
