//! RUN: a command in the sandbox, above the stage's layers. What it wrote is
//! read from the upper directory, so that a large tree below costs nothing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::{EntryKind, Error, ImagePath, NewLayer, Timestamp};
use jettison_packages::installed::compiled_from;
use jettison_sandbox::{
    ContainerSpec, Exit, ExitReason, Mount, MountSource, Network, Profile, Sandbox, Stdio,
};

use super::bytecode::date_back;
use super::error::StepError;
use super::mounts::Held;
use super::output::Log;
use super::snapshots::Snapshots;
use super::state::{RunAction, State};
use crate::Context;
use crate::build::AssembleError;
use crate::build::assemble::store_layer;

/// What BuildKit calls the machine that a RUN sees.
const HOSTNAME: &str = "buildkitsandbox";
/// Where BuildKit puts a script that is executed itself.
const PIPES: &str = "/dev/pipes";

/// A command with everything around it.
pub(crate) struct Running<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) snapshots: &'a Snapshots<'a>,
    pub(crate) context: &'a Context,
    /// What a person calls the step.
    pub(crate) step: &'a str,
    /// No file of the layer is younger.
    pub(crate) latest: Timestamp,
    /// When a file of the layers below was changed, in seconds, as they say it.
    pub(crate) changed: &'a dyn Fn(&ImagePath) -> Option<i64>,
}

impl Running<'_> {
    /// Runs the command on directories, lowest first, and makes a layer of what
    /// it wrote; none when it wrote nothing.
    pub(crate) fn run(
        &self,
        state: &State,
        action: &RunAction,
        below: &[PathBuf],
        held: &Held,
        lent: &[(String, String)],
    ) -> Result<Option<NewLayer>, StepError> {
        let upper = self.snapshots.upper()?;
        let made = self.run_above(state, action, below, held, lent, &upper);
        match made {
            Ok(Some(layer)) => {
                self.snapshots.keep(&upper, &layer)?;
                Ok(Some(layer))
            }
            other => {
                self.sandbox.discard(&upper)?;
                other
            }
        }
    }

    fn run_above(
        &self,
        state: &State,
        action: &RunAction,
        below: &[PathBuf],
        held: &Held,
        lent: &[(String, String)],
        upper: &Path,
    ) -> Result<Option<NewLayer>, StepError> {
        let root = self.sandbox.stack(below)?;
        let (log, [stdout, stderr]) = Log::open(self.step, &self.context.progress)
            .map_err(StepError::host("opening a pipe"))?;
        let mut spec = spec(state, action, held, lent);
        (spec.stdout, spec.stderr) = (stdout, stderr);
        spec.upper = Some(upper.to_owned());
        let container = self.sandbox.start(&root, &spec)?;
        // The pipe ends when the last one who could write to it has gone.
        drop(spec);
        let exit = container.wait(None)?;
        container.close()?;
        let output = log.close();
        if let Some(how) = exit.as_ref().and_then(failure) {
            return Err(StepError::Command { how, output });
        }
        self.layer(upper, below)
    }

    fn layer(&self, upper: &Path, below: &[PathBuf]) -> Result<Option<NewLayer>, StepError> {
        let mut export = self.sandbox.export(upper, below)?;
        let mut failed = None;
        let mut is_empty = true;
        let options = EncoderOptions::new(Compression::None);
        let layer = store_layer(self.context.store(), &options, |writer| {
            writer.date_back(self.latest);
            loop {
                let mut exported = match export.next_entry() {
                    Ok(Some(exported)) => exported,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        failed = Some(error);
                        return Ok(());
                    }
                };
                is_empty = false;
                let entry = exported.entry().clone();
                let appended = match compiled_from(&entry.path) {
                    Some(source) if matches!(entry.kind, EntryKind::File { .. }) => {
                        let below = || (self.changed)(&source);
                        date_back(&mut exported, self.latest, below)
                            .map_err(|source| Error::read("layer", source))
                            .and_then(|mut content| writer.append(&entry, &mut content))
                    }
                    _ => writer.append(&entry, &mut exported),
                };
                appended.map_err(AssembleError::from)?;
            }
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None if is_empty => Ok(None),
            None => Ok(Some(NewLayer::from(&layer))),
        }
    }
}

fn spec(
    state: &State,
    action: &RunAction,
    held: &Held,
    lent: &[(String, String)],
) -> ContainerSpec {
    let mut mounts = held.mounts.clone();
    let mut args: Vec<OsString> = action
        .argv
        .iter()
        .cloned()
        .map(OsString::from_vec)
        .collect();
    if let Some((name, content)) = &action.script {
        let path = [PIPES.as_bytes(), b"/", name].concat();
        args = vec![OsString::from_vec(path.clone())];
        mounts.push(Mount {
            source: MountSource::Bytes {
                content: content.clone(),
                mode: 0o755,
                uid: 0,
                gid: 0,
            },
            target: OsString::from_vec(path),
            read_only: true,
        });
    }
    let pair = |(name, value): (&String, &[u8])| {
        OsString::from_vec([name.as_bytes(), b"=", value].concat())
    };
    // What a mount brings goes before the stage's own variables, and what the
    // machine lends after them.
    let of_mounts = |name: &str| held.variables.iter().any(|(known, _)| known == name);
    let own = state.variables.iter();
    let own = own.map(|(name, value)| (name, value.as_slice()));
    let own = own.filter(|(name, _)| !of_mounts(name));
    let lent = lent.iter();
    let lent = lent.filter(|(name, _)| state.variable(name).is_none() && !of_mounts(name));
    let handed = held.variables.iter().chain(lent);
    let env = own.chain(handed.map(|(name, value)| (name, value.as_bytes())));
    let run = &state.config.run;
    ContainerSpec {
        profile: Profile::AS_SHIPPED,
        args,
        env: env.map(pair).collect(),
        user: run.user.clone(),
        working_dir: run.working_dir.clone().into(),
        hostname: Some(HOSTNAME.to_owned()),
        network: match action.is_offline {
            true => Network::None,
            false => Network::Host,
        },
        mounts,
        stdin: Stdio::Null,
        ..ContainerSpec::default()
    }
}

/// How a command that failed ended; none when it ended well.
fn failure(exit: &Exit) -> Option<String> {
    match exit.reason {
        ExitReason::Ended if exit.code == 0 => None,
        ExitReason::Ended => Some(format!("exit code {}", exit.code)),
        reason => Some(format!("it was ended: {reason:?}")),
    }
}

/// Shared by all steps of a build that run something.
pub(crate) fn open_sandbox(context: &Context) -> Result<Arc<Sandbox>, StepError> {
    let options = jettison_sandbox::Options {
        network: Network::Host,
        scratch_dir: context.scratch().ok(),
        ..Default::default()
    };
    Ok(Arc::new(Sandbox::open(&options)?))
}
