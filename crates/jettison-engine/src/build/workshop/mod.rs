//! Where a recipe is carried out: on the machine itself, or in a sandbox.

mod machine;
mod sandboxed;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use jettison_packages::solve::Variant;
use jettison_recipes::{Answer, Command};

use crate::base::SystemSpec;
use crate::transport::Location;

pub(crate) use machine::Machine;
pub use sandboxed::ToolchainError;
pub(crate) use sandboxed::{CARGO_HOME, Sandboxed, in_sandbox};

/// More output than any compiler's last words.
const OUTPUT_BYTES: usize = 16 << 20;

/// Which compilers a recipe is carried out with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Toolchain {
    /// Those of the machine.
    #[default]
    Machine,
    /// Debian's, composed of its packages, in a sandbox.
    Composed,
    /// Those of an image, in a sandbox.
    Image(Location),
}

impl Toolchain {
    /// Reads `host`, `composed`, or what names an image.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "host" => Ok(Self::Machine),
            "composed" => Ok(Self::Composed),
            other => Location::parse(other)
                .map(Self::Image)
                .map_err(|error| error.to_string()),
        }
    }

    /// The image that brings the compilers; none for the machine's own.
    pub(crate) fn image(&self, suite: Option<&str>, packages: &[&str]) -> Option<Location> {
        match self {
            Self::Machine => None,
            Self::Composed => Some(Location::Composed(SystemSpec {
                suite: suite.map(str::to_owned),
                packages: packages.iter().map(|name| (*name).to_owned()).collect(),
                // Build scripts have a shell and its usual tools.
                variant: Variant::Essential,
            })),
            Self::Image(location) => Some(location.clone()),
        }
    }
}

/// Runs the commands of a recipe.
pub(crate) trait Workshop {
    /// Runs one with an empty standard input in a directory of the project;
    /// every line of its standard error is handed on while it runs.
    fn run(
        &self,
        root: &Path,
        command: &Command,
        on_line: &mut dyn FnMut(&str),
    ) -> io::Result<Answer>;
}

/// What a command writes to its two streams, until both end.
fn listen(
    mut stdout: impl Read + Send + 'static,
    stderr: impl Read,
    on_line: &mut dyn FnMut(&str),
) -> io::Result<(String, String)> {
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = stdout
            .by_ref()
            .take(OUTPUT_BYTES as u64)
            .read_to_end(&mut bytes);
        // A full pipe would stop the command.
        io::copy(&mut stdout, &mut io::sink()).ok();
        result.map(|_| bytes)
    });
    let mut talk = String::new();
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        on_line(line.trim_end());
        if talk.len() < OUTPUT_BYTES {
            talk.push_str(&line);
            talk.push('\n');
        }
    }
    let stdout = reader
        .join()
        .map_err(|_| io::Error::other("reading stopped"))??;
    Ok((String::from_utf8_lossy(&stdout).into_owned(), talk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains() {
        assert_eq!(Toolchain::parse("host"), Ok(Toolchain::Machine));
        assert_eq!(Toolchain::Machine.image(None, &["gcc"]), None);
        let composed = Toolchain::parse("composed").unwrap();
        let image = composed.image(Some("trixie"), &["golang-go", "gcc"]);
        let words = "debian:trixie?packages=golang-go,gcc&variant=essential";
        assert_eq!(image, Some(Location::parse(words).unwrap()));
        assert_eq!(
            Toolchain::parse(words),
            Ok(Toolchain::Image(image.unwrap()))
        );
        assert!(Toolchain::parse("debian:trixie?golang").is_err());
    }
}
