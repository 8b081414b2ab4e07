#![allow(dead_code)]
//! Projects, and the real binary with a store of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A project and a store that end with this value.
pub(crate) struct Bench {
    folder: TempDir,
    project: PathBuf,
}

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    /// A project of these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let project = folder.path().join("project");
        fs::create_dir(&project).unwrap();
        let bench = Self { folder, project };
        for (name, content) in files {
            bench.write(name, content);
        }
        bench
    }

    /// A Go project of one file without dependencies.
    pub(crate) fn go(main: &str) -> Self {
        Self::new(&[
            ("go.mod", "module example.org/app\n\ngo 1.21\n"),
            ("main.go", main),
        ])
    }

    /// One of the examples in its place, so that its dependencies are compiled
    /// once for all tests.
    pub(crate) fn example(name: &str) -> Self {
        let mut bench = Self::new(&[]);
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        bench.project = examples.join(name).canonicalize().unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `jettison build` of the project, with the machine's toolchain and no
    /// engine in reach.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.jettison();
        command.arg("build").arg(self.project());
        if self.project.starts_with(self.folder.path()) {
            return command;
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        command.env("CARGO_TARGET_DIR", target);
        command
    }

    /// The binary with this store, in the folder.
    pub(crate) fn jettison(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jettison"));
        command
            .env("JETTISON_STORE", self.path("store"))
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        // Cargo's words to this test are not for the projects it builds.
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO") && name != "CARGO_HOME" {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn build<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        ran(self.command().args(arguments))
    }

    /// The document of a build that ended well.
    #[track_caller]
    pub(crate) fn document<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Value {
        let ran = ran(self.command().args(["--format", "json"]).args(arguments));
        assert_eq!(ran.code, Some(0), "{}", ran.text());
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Ended with `code`, and says all of these.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) {
        let text = self.text();
        assert_eq!(self.code, Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
    }
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    let ran = Ran {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    };
    assert!(!ran.text().contains("panicked at"), "{}", ran.text());
    ran
}

/// Starts a `run` that publishes a port; where it is.
#[track_caller]
pub(crate) fn published(command: &mut Command) -> (Child, String) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let address = line.split_once(" leads to").map(|(a, _)| a.to_owned());
        said.push(line);
        address
    });
    std::thread::spawn(move || lines.for_each(drop));
    let Some(address) = address else {
        panic!("nothing is published: {}", said.join("\n"));
    };
    (child, address)
}

/// The output of another program, which must end well.
#[track_caller]
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let ran = ran(Command::new(program).args(arguments));
    assert_eq!(ran.code, Some(0), "{program} {arguments:?}: {}", ran.text());
    ran.stdout
}

/// True when the program is there; says so aloud when not.
pub(crate) fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    if !found {
        println!("skipped: no {program} on the PATH");
    }
    found
}

/// What `cargo xtask test` provides under this variable.
pub(crate) fn provided(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        println!("skipped: {variable} is not set; cargo xtask test sees to it");
    }
    value
}
