//! A shell beside the unchanged image: minimal images have none.
//!
//! A static shell of this machine is mounted at a path of its own. Where it is
//! a busybox, its applets lie beside it, in a file system in memory that ends
//! with the container. The image's files stay as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jettison_closure::ElfFacts;
use jettison_image::{Platform, RunConfig};
use jettison_plan::words;
use jettison_sandbox::{ContainerSpec, Mount, MountSource};

use super::RunFailure;
use crate::files::{open_named, read_bounded};

/// Where the shell appears. No image has files there.
const DIRECTORY: &str = "/.jettison-debug";
/// busybox has 2 MB, a static bash 2.5.
const SHELL_BYTES: u64 = 64 << 20;
/// Links to a few hundred applets.
const APPLETS_BYTES: u64 = 1 << 20;
/// Names of shells that distributions also build statically, best first.
const NAMES: [&str; 9] = [
    "busybox",
    "busybox.static",
    "busybox-static",
    "bash-static",
    "zsh-static",
    "sash",
    "dash",
    "mksh-static",
    "sh",
];

/// Which shell is put beside the image.
#[derive(Debug, Clone, Default)]
pub struct DebugShell {
    /// This one.
    pub shell: Option<PathBuf>,
    /// Else the first static one in these directories.
    pub search: Vec<PathBuf>,
}

/// A shell that needs nothing but a kernel.
pub(crate) struct FoundShell {
    path: PathBuf,
    is_busybox: bool,
}

impl DebugShell {
    /// Finds it, and makes sure that it needs no file of the image.
    pub(crate) fn find(&self) -> Result<FoundShell, RunFailure> {
        if let Some(path) = &self.shell {
            return examine(path)
                .map_err(|problem| RunFailure::NoShell(format!("{}: {problem}", path.display())));
        }
        let mut passed_over = Vec::new();
        for name in NAMES {
            for directory in &self.search {
                let path = directory.join(name);
                match examine(&path) {
                    Ok(found) => return Ok(found),
                    Err(_) if !path.exists() => {}
                    Err(problem) => passed_over.push(format!("{}: {problem}", path.display())),
                }
            }
        }
        Err(RunFailure::NoShell(match passed_over.is_empty() {
            true => "none on the PATH".to_owned(),
            false => passed_over.join("; "),
        }))
    }
}

fn examine(path: &Path) -> Result<FoundShell, String> {
    let path = path.canonicalize().map_err(|error| error.to_string())?;
    let bytes = open_named(&path)
        .and_then(|file| read_bounded(file, SHELL_BYTES))
        .map_err(|error| error.to_string())?;
    let facts = ElfFacts::read(&bytes).map_err(|error| error.to_string())?;
    if !facts.linkage.is_static() {
        return Err("it is not static".to_owned());
    }
    let host = Platform::host().architecture;
    if facts
        .machine
        .oci_architecture()
        .is_some_and(|for_machine| for_machine != host)
    {
        return Err("it is for another processor".to_owned());
    }
    let is_busybox = contains(&bytes, b"BusyBox v");
    Ok(FoundShell { path, is_busybox })
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

impl FoundShell {
    /// Puts the shell in the program's place: its user, environment and
    /// directory stay the image's own.
    pub(super) fn take_the_place_of(&self, spec: &mut ContainerSpec, arguments: &[String]) {
        let program = match self.is_busybox {
            true => format!("{DIRECTORY}/busybox"),
            false => format!("{DIRECTORY}/sh"),
        };
        spec.mounts.push(Mount {
            source: MountSource::Tmpfs {
                size_bytes: APPLETS_BYTES,
                mode: 0o1777,
            },
            target: DIRECTORY.into(),
            read_only: false,
        });
        spec.mounts.push(Mount {
            source: MountSource::HostReadOnly(self.path.clone()),
            target: program.clone().into(),
            read_only: true,
        });
        let words: Vec<&str> = match self.is_busybox {
            true => vec![&program, "sh", "-c", APPLETS, "sh"],
            false => vec![&program],
        };
        spec.args = words.into_iter().map(OsString::from).collect();
        spec.args.extend(arguments.iter().map(OsString::from));
    }

    /// Where it lies on this machine.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a person reads before the prompt.
    pub(super) fn announcement(&self, run: &RunConfig) -> String {
        let program: Vec<String> = run.argv().iter().map(|word| words::quote(word)).collect();
        let program = match program.is_empty() {
            true => "names no program".to_owned(),
            false => format!("would run: {}", program.join(" ")),
        };
        format!(
            "{} in the program's place; the image {program}",
            self.path.display()
        )
    }
}

/// Applets come after everything that the image itself has on its PATH.
const APPLETS: &str = "/.jettison-debug/busybox mkdir -p /.jettison-debug/bin && \
    /.jettison-debug/busybox --install -s /.jettison-debug/bin 2>/dev/null; \
    PATH=$PATH:/.jettison-debug/bin; export PATH; exec /.jettison-debug/busybox sh \"$@\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_no_other_file_is_a_shell() {
        let directory = tempfile::tempdir().expect("a directory");
        let script = directory.path().join("sh");
        std::fs::write(&script, "#!/bin/sh\n").expect("a file");
        let search = DebugShell {
            shell: None,
            search: vec![directory.path().to_owned()],
        };
        let Err(error) = search.find() else {
            panic!("a script is not a static shell");
        };
        assert!(error.to_string().contains("not an ELF file"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--shell")));
        let dynamic = std::env::current_exe().expect("this test");
        let named = DebugShell {
            shell: Some(dynamic),
            search: Vec::new(),
        };
        assert!(named.find().is_err());
    }
}
