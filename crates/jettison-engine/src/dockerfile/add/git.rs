//! ADD of a git repository: `remote#ref:subdir`, checked out by the machine's
//! git without hooks, without its configuration and without asking anybody.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use jettison_image::{Error, Node, Tree, escape};

use super::{AddError, AddRequest, scratch_directory};
use crate::dockerfile::FileSystem;
use crate::dockerfile::context::Context;

/// What is wanted of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repository {
    remote: String,
    reference: Option<String>,
    subdir: Option<String>,
    checksum: Option<String>,
    keep_git_dir: Option<bool>,
    submodules: bool,
}

/// The files of a commit.
#[derive(Debug)]
pub(super) struct Checkout {
    files: Context,
    /// Goes when the files are no longer needed.
    _directory: tempfile::TempDir,
}

impl Repository {
    pub(super) fn new(
        word: &str,
        remote: &str,
        query: Option<&str>,
        fragment: Option<&str>,
    ) -> Result<Self, AddError> {
        let (reference, subdir) = match fragment.unwrap_or_default().split_once(':') {
            Some((reference, subdir)) => (reference, subdir),
            None => (fragment.unwrap_or_default(), ""),
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut repository = Self {
            remote: remote.to_owned(),
            reference: given(reference),
            subdir: given(subdir),
            checksum: None,
            keep_git_dir: None,
            submodules: true,
        };
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let known = repository.set(&name, &value);
            known.map_err(|problem| AddError::Source {
                what: escape(word),
                problem,
            })?;
        }
        Ok(repository)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let place = match name {
            "keep-git-dir" => {
                self.keep_git_dir = Some(truth(name, value)?);
                return Ok(());
            }
            "submodules" => {
                self.submodules = truth(name, value)?;
                return Ok(());
            }
            "ref" | "tag" | "branch" => &mut self.reference,
            "subdir" => &mut self.subdir,
            "checksum" | "commit" => &mut self.checksum,
            _ => return Err(format!("unexpected query {:?}", escape(name))),
        };
        if value.is_empty() {
            return Err(format!("query {name:?} has no value"));
        }
        let value = match name {
            "tag" if !value.starts_with("refs/tags/") => format!("refs/tags/{value}"),
            "branch" if !value.starts_with("refs/heads/") => format!("refs/heads/{value}"),
            _ => value.to_owned(),
        };
        match place {
            Some(before) if *before != value => Err(format!("{name} conflicts with another")),
            _ => {
                *place = Some(value);
                Ok(())
            }
        }
    }

    /// Fetches the commit and reads its files.
    pub(super) fn check_out(
        &self,
        request: &AddRequest,
        scratch: &Path,
    ) -> Result<Checkout, AddError> {
        let conflict = |problem: &str| AddError::Source {
            what: escape(&self.remote),
            problem: problem.to_owned(),
        };
        let keep = match (self.keep_git_dir, request.keep_git_dir) {
            (Some(own), Some(flag)) if own != flag => {
                return Err(conflict("inconsistent keep-git-dir configuration"));
            }
            (own, flag) => own.or(flag).unwrap_or(false),
        };
        let checksum = request.checksum.as_deref().map(String::from_utf8_lossy);
        let checksum = match (&self.checksum, &checksum) {
            (Some(own), Some(flag)) if own != flag => {
                return Err(conflict("two checksums that differ"));
            }
            (own, flag) => own.as_deref().or(flag.as_deref()),
        };
        let directory = scratch_directory(scratch)?;
        let git = Git {
            directory: directory.path(),
            what: escape(&self.remote),
            agent: request.agent.as_deref(),
        };
        git.run(&["init", "--quiet", "--template=", "."])?;
        git.run(&["remote", "add", "--", "origin", &self.remote])?;
        self.fetch(&git)?;
        if let Some(expected) = checksum {
            let commit = git.run(&["rev-parse", "HEAD"])?;
            let commit = commit.trim();
            if expected.len() < 7 || !commit.starts_with(expected) {
                return Err(AddError::Mismatch {
                    what: git.what,
                    found: commit.to_owned(),
                    expected: escape(expected),
                });
            }
        }
        if self.submodules && directory.path().join(".gitmodules").is_file() {
            let update = ["submodule", "update", "--quiet", "--init", "--recursive"];
            git.run(&[update.as_slice(), &["--depth=1"]].concat())?;
        }
        let subdir = self.subdir.as_deref().unwrap_or_default();
        let subdir = subdir.trim_matches('/').trim_start_matches("./");
        let top = match subdir {
            "" | "." => {
                if !keep {
                    remove(&directory.path().join(".git"))?;
                }
                directory.path().to_owned()
            }
            subdir => {
                let leaves = Path::new(subdir).components();
                let plain = |part| matches!(part, std::path::Component::Normal(_));
                let inside = self.inside(directory.path(), subdir)?;
                if !leaves.into_iter().all(plain) || subdir.starts_with(".git/") {
                    return Err(conflict("the directory is not inside the repository"));
                }
                inside
            }
        };
        // An ignore file of a repository is a file like any other.
        let files = Context::open_all(&top, &request.copy.limits)?;
        Ok(Checkout {
            files,
            _directory: directory,
        })
    }

    /// The subdirectory, reached without following a link.
    fn inside(&self, top: &Path, subdir: &str) -> Result<std::path::PathBuf, AddError> {
        let mut at = top.to_owned();
        for name in subdir.split('/').filter(|name| !name.is_empty()) {
            at.push(name);
            let found = std::fs::symlink_metadata(&at);
            if !found.is_ok_and(|found| found.is_dir()) {
                return Err(AddError::Source {
                    what: escape(&self.remote),
                    problem: format!("no directory {} in it", escape(subdir)),
                });
            }
        }
        Ok(at)
    }

    /// A branch before a tag before a commit, as BuildKit prefers them.
    fn fetch(&self, git: &Git<'_>) -> Result<(), AddError> {
        let candidates = match self.reference.as_deref() {
            None => vec!["HEAD".to_owned()],
            Some(name) if name.starts_with("refs/") => vec![name.to_owned()],
            Some(name) => vec![
                format!("refs/heads/{name}"),
                format!("refs/tags/{name}"),
                name.to_owned(),
            ],
        };
        for candidate in &candidates {
            let fetch = ["fetch", "--quiet", "--depth=1", "--no-tags", "--"];
            match git.run(&[fetch.as_slice(), &["origin", candidate]].concat()) {
                Ok(_) => return git.run(&["checkout", "--quiet", "FETCH_HEAD"]).map(drop),
                Err(AddError::Git { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Servers need not give a commit by its number, nor a history that is
        // cut: then all of it is needed.
        let Some(wanted) = self.reference.as_deref() else {
            git.run(&["fetch", "--quiet", "--", "origin", "HEAD"])?;
            return git.run(&["checkout", "--quiet", "FETCH_HEAD"]).map(drop);
        };
        git.run(&["fetch", "--quiet", "--tags", "origin"])?;
        let branch = wanted.strip_prefix("refs/heads/").unwrap_or(wanted);
        let branch = format!("refs/remotes/origin/{branch}");
        let check_out = |name: &str| git.run(&["checkout", "--quiet", "--detach", name, "--"]);
        match check_out(&branch) {
            Err(AddError::Git { .. }) => check_out(wanted).map(drop),
            other => other.map(drop),
        }
    }
}

struct Git<'g> {
    directory: &'g Path,
    what: String,
    agent: Option<&'g Path>,
}

impl Git<'_> {
    fn run(&self, arguments: &[&str]) -> Result<String, AddError> {
        let mut git = Command::new("git");
        git.arg("-C")
            .arg(self.directory)
            // Nothing of a repository is executed, and a submodule fetches from the network only.
            .args(["-c", "core.hooksPath=/dev/null"])
            .args(["-c", "core.fsmonitor=false"])
            .args(["-c", "protocol.ext.allow=never"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
            .env("GIT_HTTP_LOW_SPEED_TIME", "60")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .stdin(Stdio::null());
        if std::env::var_os("GIT_SSH_COMMAND").is_none() {
            git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        if let Some(agent) = self.agent {
            git.env("SSH_AUTH_SOCK", agent);
        }
        let output = git.output().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => AddError::NoGit {
                what: self.what.clone(),
            },
            _ => AddError::Scratch {
                path: self.directory.to_owned(),
                source,
            },
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(AddError::Git {
            what: self.what.clone(),
            command: arguments.first().copied().unwrap_or_default().to_owned(),
            said: escape(&last_words(&String::from_utf8_lossy(&output.stderr))),
        })
    }
}

/// Why git failed: what it or ssh said last, without git's advice to look at
/// the rights.
fn last_words(said: &str) -> String {
    let advice = ["Please make sure", "and the repository exists"];
    let is_telling = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !advice.iter().any(|advice| line.starts_with(advice))
    };
    let mut lines: Vec<&str> = said.lines().filter(is_telling).collect();
    let last = lines.split_off(lines.len().saturating_sub(2));
    match last.is_empty() {
        true => "it did not say why".to_owned(),
        false => last.join("; "),
    }
}

impl FileSystem for Checkout {
    fn tree(&self) -> &Tree {
        self.files.tree()
    }

    fn open(&self, file: Node<'_>) -> Result<Box<dyn io::Read + '_>, Error> {
        self.files.open(file)
    }

    fn digests(&self, files: &[Node<'_>]) -> Result<Vec<jettison_image::Digest>, Error> {
        self.files.digests(files)
    }
}

fn remove(path: &Path) -> Result<(), AddError> {
    std::fs::remove_dir_all(path).map_err(|source| AddError::Scratch {
        path: path.to_owned(),
        source,
    })
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("invalid {name} value: {:?}", escape(value))),
    }
}
