//! `--include SRC[:DST]`: files of the project that its program reads at run
//! time. Modes are made equal (0755 where the owner may execute, else 0644)
//! and owners are root, so that a checkout's umask does not reach the image
//! and the program cannot change its own files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jettison_image::{EntryKind, ImagePath};
use jettison_recipes::Include;

use super::item::{Content, Item};

/// More entries than any directory of templates or migrations has.
const MOST_ENTRIES: usize = 200_000;

/// Why something cannot be included.
#[derive(Debug, thiserror::Error)]
pub enum IncludeError {
    /// It is not there, or cannot be read.
    #[error("--include {word}: {} cannot be read", path.display())]
    Read {
        /// As given.
        word: String,
        /// The path in question.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It has no place in an image.
    #[error("--include {word}: {problem}")]
    Refused {
        /// As given.
        word: String,
        /// Why.
        problem: String,
    },
}

/// What `SRC[:DST]` brings, `SRC` relative to `project`, a relative `DST`
/// (by default `SRC` itself) relative to the image's `working_dir`.
pub(crate) fn include(
    include: &Include,
    project: &Path,
    working_dir: &str,
) -> Result<Vec<Item>, IncludeError> {
    let word = &String::from(include.clone());
    let refused = |problem: &str| IncludeError::Refused {
        word: word.to_owned(),
        problem: problem.to_owned(),
    };
    let source = include.source.as_str();
    let target = include
        .destination
        .clone()
        .unwrap_or_else(|| default_target(source));
    let target = match target.strip_prefix('/') {
        Some(absolute) => ImagePath::new(absolute),
        None => ImagePath::new(format!("{working_dir}/{target}")),
    };
    let target = target.map_err(|error| refused(&format!("the destination's {error}")))?;
    let mut items = Vec::new();
    let mut walk = Walk {
        word,
        component: format!("included {source}"),
        items: &mut items,
    };
    walk.visit(&project.join(source), target)?;
    Ok(items)
}

/// Refuses what would lie where the program or something else that is included
/// lies: neither is overwritten silently. Directories share their place.
pub(crate) fn check_places(
    included: &[(String, Vec<Item>)],
    program: &ImagePath,
) -> Result<(), IncludeError> {
    let mut taken: BTreeMap<&ImagePath, (&str, bool)> = BTreeMap::new();
    taken.insert(program, ("the program", false));
    for (word, items) in included {
        for item in items {
            let path = &item.entry.path;
            let is_directory = item.entry.kind == EntryKind::Directory;
            match taken.get(path) {
                Some((_, true)) if is_directory => {}
                Some((owner, _)) => return Err(taken_by(word, path, owner)),
                None => {
                    taken.insert(path, (word, is_directory));
                }
            }
        }
    }
    for (word, items) in included {
        for item in items {
            let above = std::iter::successors(item.entry.path.parent(), ImagePath::parent);
            for path in above {
                if let Some((owner, false)) = taken.get(&path) {
                    return Err(taken_by(word, &path, owner));
                }
            }
        }
    }
    Ok(())
}

fn taken_by(word: &str, path: &ImagePath, owner: &str) -> IncludeError {
    let owner = match owner {
        "the program" => owner.to_owned(),
        other => format!("--include {other}"),
    };
    IncludeError::Refused {
        word: word.to_owned(),
        problem: format!("{} is already that of {owner}", path.display()),
    }
}

/// `templates/` stays `templates`; what is not below the project keeps its name.
fn default_target(source: &str) -> String {
    let path = Path::new(source);
    let leaves = path.is_absolute() || path.components().any(|part| part.as_os_str() == "..");
    match path.file_name() {
        Some(name) if leaves => name.to_string_lossy().into_owned(),
        _ => source.to_owned(),
    }
}

struct Walk<'a> {
    word: &'a str,
    component: String,
    items: &'a mut Vec<Item>,
}

impl Walk<'_> {
    fn visit(&mut self, host: &Path, target: ImagePath) -> Result<(), IncludeError> {
        let read = |source| IncludeError::Read {
            word: self.word.to_owned(),
            path: host.to_owned(),
            source,
        };
        // The named thing itself may be a link, what lies below stays as it is.
        let first = self.items.is_empty();
        let metadata = if first {
            fs::metadata(host)
        } else {
            fs::symlink_metadata(host)
        };
        let metadata = metadata.map_err(read)?;
        if self.items.len() >= MOST_ENTRIES {
            return Err(self.refused(host, "more files than an image of one program needs"));
        }
        let mode = if metadata.permissions().mode() & 0o100 == 0 {
            0o644
        } else {
            0o755
        };
        if metadata.is_dir() {
            if !target.is_root() {
                self.items
                    .push(Item::directory(target.clone(), 0o755, &self.component));
            }
            let mut children = fs::read_dir(host)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(read)?;
            children.sort_by_key(fs::DirEntry::file_name);
            for child in children {
                let name = child.file_name();
                let below = target
                    .join(name.as_bytes())
                    .map_err(|error| self.refused(&child.path(), &error.to_string()))?;
                self.visit(&child.path(), below)?;
            }
            return Ok(());
        }
        let (kind, content) = if metadata.is_file() {
            (
                EntryKind::File {
                    size_bytes: metadata.len(),
                },
                Content::File(host.to_owned()),
            )
        } else if metadata.is_symlink() {
            let link = fs::read_link(host).map_err(read)?;
            (
                EntryKind::Symlink {
                    target: link.as_os_str().as_bytes().to_vec(),
                },
                Content::Nothing,
            )
        } else {
            return Err(self.refused(host, "neither a file, a directory nor a link"));
        };
        let mode = if metadata.is_symlink() { 0o777 } else { mode };
        self.items
            .push(Item::new(target, kind, mode, content, &self.component));
        Ok(())
    }

    fn refused(&self, path: &Path, problem: &str) -> IncludeError {
        let problem = format!("{}: {problem}", path.display());
        IncludeError::Refused {
            word: self.word.to_owned(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{ImagePath, IncludeError, Item};

    fn include(
        word: &str,
        project: &std::path::Path,
        working_dir: &str,
    ) -> Result<Vec<Item>, IncludeError> {
        super::include(&word.parse().expect(word), project, working_dir)
    }

    fn rows(items: &[Item]) -> Vec<String> {
        let row = |item: &Item| {
            format!(
                "{} {:o}",
                item.entry.path.display(),
                item.entry.metadata.mode
            )
        };
        items.iter().map(row).collect()
    }

    #[test]
    fn directories_files_and_links() {
        let project = tempfile::tempdir().expect("a directory");
        let root = project.path();
        fs::create_dir_all(root.join("migrations/old")).expect("directories");
        fs::write(root.join("migrations/2.sql"), "b").expect("a file");
        fs::write(root.join("migrations/1.sql"), "a").expect("a file");
        fs::write(root.join("run.sh"), "#!").expect("a file");
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o700)).expect("mode");
        symlink("2.sql", root.join("migrations/latest")).expect("a link");

        let items = include("migrations", root, "/").expect("included");
        let expected = [
            "/migrations 755",
            "/migrations/1.sql 644",
            "/migrations/2.sql 644",
            "/migrations/latest 777",
            "/migrations/old 755",
        ];
        assert_eq!(rows(&items), expected);
        assert_eq!(
            rows(&include("run.sh:bin/go", root, "/srv").expect("x")),
            ["/srv/bin/go 755"]
        );
        assert_eq!(
            rows(&include("run.sh:/x", root, "/srv").expect("x")),
            ["/x 755"]
        );
        let outside = format!("{}", root.join("run.sh").display());
        assert_eq!(
            rows(&include(&outside, root, "/").expect("x")),
            ["/run.sh 755"]
        );
    }

    #[test]
    fn bad_words_are_named() {
        let project = tempfile::tempdir().expect("a directory");
        for word in ["missing", "x:../../y"] {
            let error = include(word, project.path(), "/")
                .expect_err(word)
                .to_string();
            assert!(error.starts_with(&format!("--include {word}")), "{error}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let project = tempfile::tempdir().expect("a directory");
        let root = project.path();
        fs::create_dir(root.join("web")).expect("a directory");
        fs::write(root.join("web/a"), "a").expect("a file");
        fs::write(root.join("ca.pem"), "b").expect("a file");
        let check = |words: &[&str], expected: &str| {
            let items = |word: &&str| (word.to_string(), include(word, root, "/").expect(word));
            let included: Vec<_> = words.iter().map(items).collect();
            let program = ImagePath::new("app").expect("a name");
            let refused = super::check_places(&included, &program);
            let found = refused.map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(found, expected, "{words:?}");
        };
        check(&["web", "ca.pem", "ca.pem:/web/ca"], "");
        check(&["web", "web:/web/web"], "");
        check(
            &["ca.pem:/app"],
            "--include ca.pem:/app: /app is already that of the program",
        );
        check(
            &["web:/app"],
            "--include web:/app: /app is already that of the program",
        );
        check(
            &["ca.pem:/app/ca"],
            "--include ca.pem:/app/ca: /app is already that of the program",
        );
        check(
            &["web", "ca.pem:/web/a"],
            "--include ca.pem:/web/a: /web/a is already that of --include web",
        );
        check(
            &["web/a:/x/y", "ca.pem:/x"],
            "--include web/a:/x/y: /x is already that of --include ca.pem:/x",
        );
    }
}
