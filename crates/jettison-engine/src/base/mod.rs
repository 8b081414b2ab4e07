//! The base of an image, composed from signed Debian packages: which archives,
//! which versions, and the files that come of them.

mod loader_cache;
mod sources;
mod spec;
mod system;

use std::path::{Path, PathBuf};

use jettison_image::{Digest, Timestamp};
use jettison_packages::apt::Archives;
use jettison_packages::archive::Reader;
use jettison_packages::base::{Base, Selection, compose};
pub use jettison_packages::release::KeyInfo;
use jettison_packages::release::{Keyring, VerifyError};
use jettison_packages::{Error, Lock, LockedBase, PackageLimits};

pub(crate) use sources::machine_archives;
pub use spec::SystemSpec;
pub use system::ArchiveOptions;
pub(crate) use system::system_image;

use crate::Context;
use crate::files;
use crate::http::PackageFetcher;
use crate::store::StoreError;

/// How long the choice of versions is believed without asking the archive
/// again. A lock is believed for good.
const FRESH_SECONDS: i64 = 3600;
/// The largest lock or keyring.
const TEXT_BYTES: u64 = 16 << 20;

/// Which base is wanted, and from where.
#[derive(Debug, Clone, Default)]
pub struct BaseRequest {
    /// The parts.
    pub selection: Selection,
    /// As Debian names it.
    pub architecture: String,
    /// Instead of the machine's apt sources.
    pub mirror: Option<String>,
    /// The release; the machine's own, or `stable` from a named mirror.
    pub suite: Option<String>,
    /// Instead of Debian's keys.
    pub keyring: Vec<PathBuf>,
    /// Pins versions; written when it lacks any.
    pub lock: Option<PathBuf>,
    /// The time now, in seconds since 1970.
    pub now: i64,
}

/// A composed base, and what a person should hear about it.
#[derive(Debug)]
pub struct ComposedBase {
    /// The files.
    pub base: Base,
    /// Name and version of each package.
    pub packages: Vec<(String, String)>,
    /// One line each.
    pub notes: Vec<String>,
}

/// Why there is no base.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The archive, a signature or a package is not right.
    #[error(transparent)]
    Packages(#[from] Error),
    /// The mirror does not have what a lock pins.
    #[error("what {} pins cannot be had", lock.display())]
    Pinned {
        /// The lock.
        lock: PathBuf,
        /// Which package, and why.
        #[source]
        source: Error,
    },
    /// Keys are not usable.
    #[error("{}", path.as_ref().map_or("Debian's archive keys".into(), |path| path.display().to_string()))]
    Keyring {
        /// The file; none for the shipped keys.
        path: Option<PathBuf>,
        /// The cause.
        #[source]
        source: VerifyError,
    },
    /// The mirror that was named is none.
    #[error("mirror `{given}`: {problem}")]
    Mirror {
        /// As given.
        given: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that was named cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer could not be written.
    #[error(transparent)]
    Assemble(#[from] crate::build::AssembleError),
    /// A layer cannot be read.
    #[error(transparent)]
    Spool(#[from] crate::spool::SpoolError),
    /// The image contradicts itself.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
}

impl BaseError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Packages(error) => error.hint().map(str::to_owned),
            Self::Pinned { lock, .. } => Some(format!(
                "the mirror has another file, or has it no more: name one that keeps old packages \
                 with --mirror URL, or delete {} to pin anew",
                lock.display()
            )),
            _ => None,
        }
    }
}

/// Composes a base. What needs no package needs no network either.
pub fn compose_base(request: &BaseRequest, context: &Context) -> Result<ComposedBase, BaseError> {
    let time = Timestamp::default();
    let limits = PackageLimits::default();
    let names = request.selection.packages();
    if names.is_empty() {
        let none = |_: &jettison_packages::LockedPackage| -> Result<std::io::Empty, Error> {
            unreachable!("nothing is selected that a package gives")
        };
        let base = compose(&request.selection, None, time, &limits, none)?;
        return Ok(ComposedBase {
            base,
            packages: Vec::new(),
            notes: Vec::new(),
        });
    }
    let archives = sources::archives(request)?;
    let keyring = keyring(&request.keyring)?;
    let fetch = PackageFetcher::new(context.transports.http().clone(), context.store().clone());
    let reader = Reader {
        archives: &archives,
        keyring: &keyring,
        now: request.now,
        fetch: &fetch,
        limits,
    };
    let (locked, notes) = versions(request, &reader, &archives, context)?;
    let item = context.progress.begin("composing the base", None);
    let base = compose(
        &request.selection,
        Some(&locked),
        time,
        &reader.limits,
        |package| reader.open(package),
    );
    let base = base.map_err(|error| unavailable(error, request))?;
    drop(item);
    let used = request.selection.packages();
    let optional = request.selection.optional_packages();
    let packages = locked
        .packages
        .iter()
        .filter(|package| {
            used.contains(&package.name.as_str()) || optional.contains(&package.name.as_str())
        })
        .map(|package| (package.name.clone(), package.version.clone()))
        .collect();
    Ok(ComposedBase {
        base,
        packages,
        notes,
    })
}

/// What a pinned package's failure means.
fn unavailable(error: Error, request: &BaseRequest) -> BaseError {
    let of_a_file = matches!(
        error,
        Error::Fetch { .. } | Error::Read { .. } | Error::Malformed { .. }
    );
    match &request.lock {
        Some(lock) if of_a_file => BaseError::Pinned {
            lock: lock.clone(),
            source: error,
        },
        _ => error.into(),
    }
}

/// The versions: from the lock, else as chosen a short while ago, else asked.
fn versions(
    request: &BaseRequest,
    reader: &Reader<'_>,
    archives: &Archives,
    context: &Context,
) -> Result<(LockedBase, Vec<String>), BaseError> {
    let names = request.selection.packages();
    let optional = request.selection.optional_packages();
    let all = [names.as_slice(), &optional].concat();
    let mut lock = match &request.lock {
        Some(path) => Some((path, read_lock(path)?)),
        None => None,
    };
    if let Some((_, lock)) = &lock
        && let Some(base) = lock.base(&archives.suite, &request.architecture)
        && base.lacks(&all).is_empty()
    {
        return Ok((base.clone(), Vec::new()));
    }
    let (mut base, notes) = match (&lock, remembered(request, archives, &all, context)) {
        (None, Some(base)) => (base, Vec::new()),
        _ => {
            let item = context.progress.begin("reading the archive's index", None);
            let resolved = reader.resolve(&names, &optional, &request.architecture)?;
            drop(item);
            remember(request, archives, &all, &resolved.base, context)?;
            (resolved.base, resolved.notes)
        }
    };
    if let Some((path, lock)) = &mut lock {
        // What was pinned stays pinned; only what is missing is added.
        if let Some(pinned) = lock.base(&archives.suite, &request.architecture) {
            base.packages
                .retain(|package| pinned.package(&package.name).is_none());
            base.packages.extend(pinned.packages.iter().cloned());
            base.absent.extend(pinned.absent.iter().cloned());
            base.absent.sort();
            base.absent.dedup();
            base.packages.sort_by(|a, b| a.name.cmp(&b.name));
        }
        lock.set(base.clone());
        write_lock(path, lock)?;
    }
    Ok((base, notes))
}

const REMEMBERED: &str = "debian-versions";

/// Everything that the choice of versions depends on.
fn memory_key(request: &BaseRequest, archives: &Archives, names: &[&str]) -> String {
    let roots: Vec<String> = archives
        .archives
        .iter()
        .flat_map(|archive| {
            archive
                .roots
                .iter()
                .map(|root| format!("{} {root}", archive.suite))
        })
        .collect();
    // A keyring that says something else now is another one.
    let digest = |path: &PathBuf| {
        let digest = read(path).map(|bytes| Digest::of(&bytes).hex());
        digest.unwrap_or_else(|_| path.display().to_string())
    };
    let keys: Vec<String> = request.keyring.iter().map(digest).collect();
    let text = [
        &archives.suite,
        &request.architecture,
        &names.join(" "),
        &roots.join(" "),
        &keys.join(" "),
    ]
    .map(String::as_str)
    .join("\n");
    Digest::of(text.as_bytes()).hex()
}

fn remembered(
    request: &BaseRequest,
    archives: &Archives,
    names: &[&str],
    context: &Context,
) -> Option<LockedBase> {
    let value = context
        .store()
        .cached(REMEMBERED, &memory_key(request, archives, names))?;
    let text = String::from_utf8(value).ok()?;
    let (since, lock) = text.split_once('\n')?;
    let age = request.now - since.parse::<i64>().ok()?;
    if !(0..FRESH_SECONDS).contains(&age) {
        return None;
    }
    Lock::parse(REMEMBERED, lock)
        .ok()?
        .base(&archives.suite, &request.architecture)
        .cloned()
}

fn remember(
    request: &BaseRequest,
    archives: &Archives,
    names: &[&str],
    base: &LockedBase,
    context: &Context,
) -> Result<(), BaseError> {
    let mut lock = Lock::default();
    lock.set(base.clone());
    let value = format!("{}\n{}", request.now, lock.to_text()?);
    let key = memory_key(request, archives, names);
    context
        .store()
        .put_cached(REMEMBERED, &key, value.as_bytes())?;
    Ok(())
}

/// The archive keys that are believed when no keyring is named.
pub fn shipped_keys() -> Result<Vec<KeyInfo>, BaseError> {
    Ok(keyring(&[])?.keys())
}

fn keyring(paths: &[PathBuf]) -> Result<Keyring, BaseError> {
    let shipped = |source| BaseError::Keyring { path: None, source };
    let Some((first, further)) = paths.split_first() else {
        return Keyring::debian().map_err(shipped);
    };
    let named = |path: &Path| {
        let path = path.to_owned();
        move |source| BaseError::Keyring {
            path: Some(path),
            source,
        }
    };
    let mut keyring = Keyring::parse(&read(first)?).map_err(named(first))?;
    for path in further {
        keyring.add(&read(path)?).map_err(named(path))?;
    }
    Ok(keyring)
}

/// A file that a flag names.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, BaseError> {
    files::open_named(path)
        .and_then(|file| files::read_bounded(file, TEXT_BYTES))
        .map_err(|source| BaseError::File {
            path: path.to_owned(),
            source,
        })
}

/// A lock that is not there yet is empty.
fn read_lock(path: &Path) -> Result<Lock, BaseError> {
    match read(path) {
        Ok(bytes) => {
            let name = path.display().to_string();
            Ok(Lock::parse(&name, &String::from_utf8_lossy(&bytes))?)
        }
        Err(BaseError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Lock::default())
        }
        Err(error) => Err(error),
    }
}

fn write_lock(path: &Path, lock: &Lock) -> Result<(), BaseError> {
    crate::write_file(path, lock.to_text()?.as_bytes()).map_err(|source| BaseError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use jettison_packages::Error;

    use super::{BaseError, BaseRequest, read_lock, unavailable};

    #[test]
    fn a_lock_that_is_none_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("l4.lock");
        std::fs::write(&path, "garbage\n").expect("a file");
        let error = read_lock(&path).expect_err("garbage").to_string();
        assert!(error.contains("l4.lock: "), "{error}");
        let missing = read_lock(&directory.path().join("new.lock"));
        assert!(missing.expect("a new one").bases.is_empty());
    }

    #[test]
    fn what_a_lock_pins_and_no_mirror_has_gets_a_hint() {
        let wrong = || Error::Malformed {
            what: "tzdata.deb".to_owned(),
            problem: "the wrong hash".to_owned(),
        };
        let request = BaseRequest {
            lock: Some("l4.lock".into()),
            ..BaseRequest::default()
        };
        let error = unavailable(wrong(), &request);
        assert_eq!(error.to_string(), "what l4.lock pins cannot be had");
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("delete l4.lock to pin anew"), "{hint}");
        let without = unavailable(wrong(), &BaseRequest::default());
        assert!(matches!(without, BaseError::Packages(_)), "{without}");
    }
}
