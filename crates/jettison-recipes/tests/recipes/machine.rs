//! The host's side of a recipe, for tests: a directory as a source, and
//! commands that really run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use jettison_recipes::{
    Answer, Command, Project, Recipe, RecipeError, Request, Source, Target, is_skipped_directory,
};

/// A directory on the disk as a [`Source`].
pub(crate) struct Directory {
    root: PathBuf,
    files: Vec<String>,
}

impl Directory {
    pub(crate) fn new(root: &Path) -> Self {
        let mut files = Vec::new();
        list(root, "", &mut files);
        files.sort();
        Self {
            root: root.to_owned(),
            files,
        }
    }
}

fn list(root: &Path, below: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(below)).expect("a readable directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() && !is_skipped_directory(&name) {
            list(root, &path, files);
        } else if kind.is_file() {
            files.push(path);
        }
    }
}

impl Source for Directory {
    fn files(&self) -> &[String] {
        &self.files
    }

    fn root_name(&self) -> &str {
        self.root
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("app")
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let bytes = fs::read(self.root.join(path)).map_err(|e| format!("{path}: {e}"))?;
        if bytes.len() as u64 > limit {
            Err(format!("{path}: too long"))
        } else {
            Ok(bytes)
        }
    }
}

pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a written file");
    }
}

pub(crate) fn run(root: &Path, command: &Command) -> Answer {
    let child = process::Command::new(&command.program)
        .args(&command.arguments)
        .envs(command.environment.iter().cloned())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(root.join(&command.directory))
        .stdin(Stdio::null())
        .output();
    let Ok(output) = child else {
        return Answer::default();
    };
    Answer {
        started: true,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Says aloud, and answers false, when a program is not on the PATH.
pub(crate) fn has(program: &str, argument: &str) -> bool {
    let found = process::Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

pub(crate) fn host() -> Option<Target> {
    Target::from_architecture(std::env::consts::ARCH)
}

pub(crate) fn request(root: &Path, output: &Path) -> Request {
    Request {
        host: host(),
        source_root: root.display().to_string(),
        output_directory: output.display().to_string(),
        ..Request::default()
    }
}

/// Asks the toolchain, then makes the recipe.
pub(crate) fn recipe(
    root: &Path,
    project: &Project,
    request: &Request,
) -> Result<Recipe, RecipeError> {
    let mut request = request.clone();
    let mut known: BTreeMap<String, Answer> = BTreeMap::new();
    for probe in project.toolchain_probes(&request) {
        let answer = known
            .entry(probe.command.shell_line())
            .or_insert_with(|| run(root, &probe.command))
            .clone();
        request.answers.push((probe.about, answer));
    }
    project.recipe(&request)
}

/// Carries a recipe out, and its fallback where its failure says so.
pub(crate) fn build(root: &Path, recipe: &Recipe) -> Result<PathBuf, String> {
    let mut stdout = String::new();
    for command in &recipe.commands {
        let answer = run(root, command);
        if !answer.is_success() {
            let failure = recipe.explain("", &answer.stderr);
            if let (Some(failure), Some(fallback)) = (&failure, &recipe.fallback)
                && failure.try_fallback
            {
                return build(root, fallback);
            }
            return Err(format!(
                "{}\n{}\n{failure:?}",
                command.shell_line(),
                answer.stderr
            ));
        }
        stdout = answer.stdout;
    }
    recipe
        .artifact_path(&stdout)
        .map(PathBuf::from)
        .ok_or_else(|| "no artifact".into())
}
