//! Which archives Debian packages come from: the one that a person names, else
//! the machine's own apt sources. No host's name is known here.

use std::fs;
use std::path::{Path, PathBuf};

use jettison_packages::apt::{self, Archives, Sources};
use jettison_packages::{Error, Location};

use super::{BaseError, BaseRequest};

/// Where apt keeps its sources (sources.list(5)).
const APT: &str = "/etc/apt";
/// The largest file of sources that is read.
const SOURCES_BYTES: u64 = 4 << 20;
/// The release that a named mirror is asked for when nothing says another.
const SUITE: &str = "stable";

/// The archives of a request.
pub(super) fn archives(request: &BaseRequest) -> Result<Archives, BaseError> {
    match &request.mirror {
        Some(mirror) => {
            let suite = request.suite.as_deref().unwrap_or(SUITE);
            apt::from_mirror(mirror, None, suite).map_err(|problem| BaseError::Mirror {
                given: mirror.clone(),
                problem,
            })
        }
        None => {
            let sources = machine_sources(Path::new(APT));
            let suite = request.suite.as_deref();
            let mut archives = chosen(&sources, suite, &request.architecture)?;
            archives.notes.extend(sources.notes);
            Ok(archives)
        }
    }
}

/// The release among the machine's sources, else beside the machine's own.
fn chosen(sources: &Sources, suite: Option<&str>, architecture: &str) -> Result<Archives, Error> {
    let none = match apt::choose(&sources.sources, suite, architecture) {
        Err(none @ Error::NoMirror { .. }) => none,
        other => return other,
    };
    match suite.and_then(|suite| beside(sources, suite, architecture)) {
        Some(archives) => Ok(archives),
        None => Err(with_notes(none, &sources.notes)),
    }
}

/// What could not even be read was passed over too.
fn with_notes(error: Error, notes: &[String]) -> Error {
    match error {
        Error::NoMirror { suite, mut skipped } => {
            skipped.extend_from_slice(notes);
            Error::NoMirror { suite, skipped }
        }
        other => other,
    }
}

/// Another release than the machine's, from where its own comes from.
fn beside(sources: &Sources, suite: &str, architecture: &str) -> Option<Archives> {
    let own = apt::choose(&sources.sources, None, architecture).ok()?;
    let root = own
        .archives
        .iter()
        .flat_map(|archive| &archive.roots)
        .next();
    let root = match root? {
        Location::Url(url) => url.clone(),
        Location::File(path) => format!("file:{}", path.display()),
    };
    apt::from_mirror(&root, None, suite).ok()
}

/// The archives that the machine itself takes packages of its release from.
pub(crate) fn machine_archives(architecture: &str) -> Result<Archives, jettison_packages::Error> {
    chosen(&machine_sources(Path::new(APT)), None, architecture)
}

/// What is below `/etc/apt`; files that cannot be read are passed over, as
/// apt passes over files of other names.
fn machine_sources(apt: &Path) -> Sources {
    let mut files: Vec<PathBuf> = vec![apt.join("sources.list")];
    if let Ok(entries) = fs::read_dir(apt.join("sources.list.d")) {
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.sort();
        files.extend(found);
    }
    let mut sources = Sources::default();
    for path in files {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let text = crate::files::open_named(&path)
            .and_then(|file| crate::files::read_bounded(file, SOURCES_BYTES));
        if let Ok(text) = text {
            sources.read(name, &String::from_utf8_lossy(&text));
        }
    }
    sources.drop_keyless(|file| Path::new(file).exists());
    sources
}

#[cfg(test)]
mod tests {
    use super::{chosen, machine_sources};

    #[test]
    fn both_forms_are_read() {
        let apt = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = apt.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write("sources.list", "deb file:/srv/a trixie main\n");
        write(
            "sources.list.d/b.sources",
            "Types: deb\nURIs: file:/srv/b\nSuites: trixie-updates\nComponents: main\n",
        );
        write(
            "sources.list.d/ignored.save",
            "deb file:/srv/c trixie main\n",
        );
        let sources = machine_sources(apt.path());
        let suites: Vec<&str> = sources.sources.iter().map(|s| s.suite.as_str()).collect();
        assert_eq!(suites, ["trixie", "trixie-updates"]);
    }

    #[test]
    fn what_was_passed_over_is_said() {
        let apt = tempfile::tempdir().expect("a directory");
        let text = "deb [signed-by=/nonexistent/k.gpg] http://a/debian trixie main\n\
                    deb http://b/debian trixie contrib\ndeb cdrom:[x]/ trixie main\n";
        std::fs::write(apt.path().join("sources.list"), text).expect("a file");
        let sources = machine_sources(apt.path());
        let error = chosen(&sources, Some("trixie"), "amd64").expect_err("no source is left");
        let expected = "no Debian archive is known for trixie; passed over http://b/debian trixie: it has no component main; \
            passed over sources.list:3: `cdrom:` sources are not read; \
            passed over http://a/debian trixie: its keyring /nonexistent/k.gpg is not there";
        assert_eq!(error.to_string(), expected);
    }
}
