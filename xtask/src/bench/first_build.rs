//! What the first command of the README answers, word for word.

use super::{Context, Problem};

/// The answer, with no Docker engine beside.
pub(crate) fn run(context: &Context) -> Result<String, Problem> {
    let mut command = context.jettison();
    command.args(["build", "examples/devops-info-rust", "--no-load"]);
    let output = command.current_dir(&context.root).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}
