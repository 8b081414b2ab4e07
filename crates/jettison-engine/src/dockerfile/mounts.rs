//! RUN --mount: what it names, what of it counts for the cache, and what the
//! sandbox is told.
//!
//! Secrets are handed over in memory and are part of no key, so a new
//! secret runs nothing again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use jettison_dockerfile::instruction::{Mount as Written, MountKind, Sharing};
use jettison_image::Digest;
use jettison_sandbox::{Mount, MountSource, Sandbox};

use super::cache_directories::CacheDirectories;
use super::copy::{self, CopyRequest};
use super::error::StepError;
use super::key::Key;
use super::snapshots::Snapshots;
use super::source::Source;
use super::stage::Builder;
use super::state::{RunAction, State, joined};
use crate::Context;

/// Of a tmpfs that names no size.
const TMPFS_BYTES: u64 = 1 << 40;
/// Names that proxies are handed over by; no ARG need declare them.
const PROXIES: [&str; 5] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];

/// A secret of a build.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The mounts of one RUN.
pub(crate) struct Mounts {
    all: Vec<(Target, Kind)>,
    /// How many of them are not lent by the machine.
    own: usize,
    /// Secrets as variables.
    variables: Vec<(String, String)>,
}

struct Target {
    path: OsString,
    read_only: bool,
}

enum Kind {
    Bind {
        source: Source,
        path: Vec<u8>,
    },
    Cache(Cache),
    Tmpfs {
        size_bytes: u64,
    },
    File {
        content: Vec<u8>,
        mode: u32,
        owner: (u32, u32),
    },
    Socket {
        path: PathBuf,
        mode: u32,
        owner: (u32, u32),
    },
}

struct Cache {
    id: String,
    sharing: Sharing,
    mode: u32,
    owner: (u32, u32),
    /// What it begins with: a directory of a stage or image.
    first: Option<(Source, Vec<u8>)>,
}

/// Mounts for as long as a command runs.
pub(crate) struct Held {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) variables: Vec<(String, String)>,
    _locks: Vec<File>,
}

/// True for a variable that names a proxy.
pub(crate) fn is_proxy(name: &str) -> bool {
    PROXIES.contains(&name.to_ascii_lowercase().as_str())
}

impl Mounts {
    /// What the mounts of a RUN name; `source` finds stages, images and the
    /// build context.
    pub(crate) fn read(
        builder: &Builder<'_>,
        action: &RunAction,
        state: &State,
        source: impl Fn(Option<&[u8]>) -> Result<Source, StepError>,
    ) -> Result<Self, StepError> {
        let mut mounts = Self {
            all: Vec::new(),
            own: 0,
            variables: Vec::new(),
        };
        for (number, written) in action.mounts.iter().enumerate() {
            mounts.add(builder, written, number, state, &source)?;
        }
        mounts.own = mounts.all.len();
        for (path, target) in &builder.request.lent_files {
            let content = std::fs::read(path)
                .map_err(StepError::host(format!("reading {}", path.display())))?;
            mounts.put(target.into(), true, file(content, 0o444, (0, 0)));
        }
        Ok(mounts)
    }

    fn add(
        &mut self,
        builder: &Builder<'_>,
        written: &Written,
        number: usize,
        state: &State,
        source: &impl Fn(Option<&[u8]>) -> Result<Source, StepError>,
    ) -> Result<(), StepError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let owner = (written.uid.unwrap_or(0), written.gid.unwrap_or(0));
        let directory = &state.config.run.working_dir;
        let target = joined(directory, &text(&written.target));
        let read_only = written.read_only;
        let path = joined("/", &text(&written.source)).into_bytes();
        match written.kind {
            MountKind::Bind => {
                let from = Some(&*written.from).filter(|from| !from.is_empty());
                let bind = Kind::Bind {
                    source: source(from)?,
                    path,
                };
                self.put(own(target)?, read_only, bind);
            }
            MountKind::Cache => {
                let id = match &*written.id {
                    b"" => joined("/", &text(&written.target)),
                    id => text(id),
                };
                let cache = Cache {
                    id,
                    sharing: written.sharing.unwrap_or(Sharing::Shared),
                    mode: written.mode.unwrap_or(0o755),
                    owner,
                    first: match written.from.is_empty() {
                        true => None,
                        false => Some((source(Some(&written.from))?, path)),
                    },
                };
                self.put(own(target)?, read_only, Kind::Cache(cache));
            }
            MountKind::Tmpfs => {
                let size_bytes = u64::try_from(written.size_bytes).unwrap_or(0);
                let size_bytes = Some(size_bytes).filter(|size| *size > 0);
                let size_bytes = size_bytes.unwrap_or(TMPFS_BYTES);
                self.put(own(target)?, false, Kind::Tmpfs { size_bytes });
            }
            MountKind::Secret => self.secret(builder, written, target, owner)?,
            MountKind::Ssh => {
                let id = match &*written.id {
                    b"" => "default".to_owned(),
                    id => text(id),
                };
                let Some(path) = builder.request.agents.get(&id) else {
                    return match written.required {
                        true => Err(StepError::Source(format!(
                            "the SSH agent `{id}` is required; hand it over with --ssh {id}"
                        ))),
                        false => Ok(()),
                    };
                };
                let place = match written.target.is_empty() {
                    true => format!("/run/buildkit/ssh_agent.{number}"),
                    false => target,
                };
                self.variables
                    .push(("SSH_AUTH_SOCK".to_owned(), place.clone()));
                let socket = Kind::Socket {
                    path: path.clone(),
                    mode: written.mode.unwrap_or(0o600),
                    owner,
                };
                self.put(place.into(), false, socket);
            }
        }
        Ok(())
    }

    fn secret(
        &mut self,
        builder: &Builder<'_>,
        written: &Written,
        target: String,
        owner: (u32, u32),
    ) -> Result<(), StepError> {
        let last = |bytes: &[u8]| {
            let name = bytes
                .rsplit(|byte| *byte == b'/')
                .find(|part| !part.is_empty());
            String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
        };
        let id = match (&*written.source, &*written.id) {
            (b"", b"") if written.target.is_empty() => {
                return Err(StepError::Source(
                    "one of source, target required".to_owned(),
                ));
            }
            (b"", b"") => last(&written.target),
            (b"", id) => String::from_utf8_lossy(id).into_owned(),
            (source, _) => String::from_utf8_lossy(source).into_owned(),
        };
        let secret = builder.request.secrets.get(&id);
        if secret.is_none() && written.required {
            return Err(StepError::Secret(id));
        }
        if let Some(variable) = &written.env {
            let name = match &**variable {
                b"" => id.clone(),
                name => String::from_utf8_lossy(name).into_owned(),
            };
            // One that is not there is set to nothing.
            let value = secret.map(|Secret(content)| String::from_utf8_lossy(content));
            let value = value.unwrap_or_default().into_owned();
            self.variables.push((name, value));
        }
        let Some(Secret(content)) = secret else {
            return Ok(());
        };
        if written.env.is_none() || !written.target.is_empty() {
            let place = match written.target.is_empty() {
                true => format!("/run/secrets/{}", last(id.as_bytes())),
                false => target,
            };
            let mode = written.mode.unwrap_or(0o400);
            self.put(place.into(), true, file(content.clone(), mode, owner));
        }
        Ok(())
    }

    fn put(&mut self, path: OsString, read_only: bool, kind: Kind) {
        self.all.push((Target { path, read_only }, kind));
    }

    /// What of the mounts decides what the command does.
    pub(crate) fn keys(&self) -> Result<Vec<Digest>, StepError> {
        let mut keys = Vec::new();
        for (target, kind) in &self.all[..self.own] {
            let key = Key::default()
                .with(target.path.as_encoded_bytes())
                .with([u8::from(target.read_only)]);
            keys.push(match kind {
                Kind::Bind { source, path } => {
                    let content = source_key(source, path)?;
                    key.with("bind")
                        .with(path)
                        .with(content.as_bytes())
                        .digest()
                }
                Kind::Cache(cache) => key.with("cache").with(&cache.id).digest(),
                Kind::Tmpfs { .. } => key.with("tmpfs").digest(),
                Kind::File { .. } => key.with("file").digest(),
                Kind::Socket { .. } => key.with("socket").digest(),
            });
        }
        Ok(keys)
    }

    /// Makes everything ready for a command.
    pub(crate) fn hold(
        &self,
        sandbox: &Sandbox,
        snapshots: &Snapshots<'_>,
        context: &Context,
    ) -> Result<Held, StepError> {
        let mut held = Held {
            mounts: Vec::new(),
            variables: self.variables.clone(),
            _locks: self.lock_caches(context)?,
        };
        for (target, kind) in &self.all {
            let source = match kind {
                Kind::Bind { source, path } => MountSource::Stack {
                    directories: match source {
                        Source::Directory(directory) => vec![snapshots.temporary(&**directory)?],
                        Source::Layers { layers, base, .. } => snapshots.stack(layers, *base)?,
                    },
                    path: OsString::from_vec(path.clone()),
                },
                Kind::Cache(cache) => {
                    let (path, lock) = cache.open(sandbox, snapshots, context)?;
                    held._locks.extend(lock);
                    MountSource::HostDirectory(path)
                }
                Kind::Tmpfs { size_bytes } => MountSource::Tmpfs {
                    size_bytes: *size_bytes,
                    mode: 0o1777,
                },
                Kind::File {
                    content,
                    mode,
                    owner,
                } => MountSource::Bytes {
                    content: content.clone(),
                    mode: *mode,
                    uid: owner.0,
                    gid: owner.1,
                },
                Kind::Socket { path, mode, owner } => MountSource::HostSocket {
                    path: path.clone(),
                    mode: *mode,
                    uid: owner.0,
                    gid: owner.1,
                },
            };
            held.mounts.push(Mount {
                source,
                target: target.path.clone(),
                read_only: target.read_only,
            });
        }
        Ok(held)
    }

    /// Locks the caches that others may have too: each once, and in one order,
    /// so that no two commands wait for each other, nor one for itself.
    fn lock_caches(&self, context: &Context) -> Result<Vec<File>, StepError> {
        let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
        for (_, kind) in &self.all {
            if let Kind::Cache(cache) = kind
                && cache.sharing != Sharing::Private
            {
                *wanted.entry(cache.name()?).or_default() |= cache.sharing == Sharing::Locked;
            }
        }
        let caches = CacheDirectories::of(context);
        let locks = wanted.into_iter().map(|(name, is_alone)| {
            let lock = caches.lock(&name, |file| match is_alone {
                true => file.lock(),
                false => file.lock_shared(),
            });
            lock.map_err(caches.failed())
        });
        locks.collect()
    }
}

impl Cache {
    fn name(&self) -> Result<String, StepError> {
        let mut key = Key::default().with(&self.id);
        if let Some((source, path)) = &self.first {
            key = key.with(source_key(source, path)?.as_bytes()).with(path);
        }
        Ok(key.digest().hex())
    }

    /// The directory, and what keeps others out of it.
    fn open(
        &self,
        sandbox: &Sandbox,
        snapshots: &Snapshots<'_>,
        context: &Context,
    ) -> Result<(PathBuf, Option<File>), StepError> {
        let caches = CacheDirectories::of(context);
        let mut name = self.name()?;
        let mut lock = None;
        let mut number = 0;
        while self.sharing == Sharing::Private && lock.is_none() {
            let own = format!("{name}-{number}");
            let taken = caches.lock(&own, |file| Ok(file.try_lock()?));
            match taken {
                Ok(file) => (name, lock) = (own, Some(file)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => number += 1,
                Err(error) => return Err(caches.failed()(error)),
            }
        }
        let path = caches.open(&name, |path| match &self.first {
            None => {
                let (uid, gid) = self.owner;
                Ok(sandbox.make_directory(path, self.mode, uid, gid)?)
            }
            Some(_) if path.exists() => Ok(()),
            Some((source, from)) => {
                let filled = snapshots.part(source.files(context)?, from)?;
                std::fs::rename(filled, path).map_err(caches.failed())
            }
        })?;
        let path = match self.first {
            None => path,
            Some(_) => path.join(jettison_sandbox::SNAPSHOT_FILES),
        };
        Ok((path, lock))
    }
}

fn own(target: String) -> Result<OsString, StepError> {
    match target.as_str() {
        "/" => Err(StepError::Source("invalid mount target \"/\"".to_owned())),
        _ => Ok(target.into()),
    }
}

fn file(content: Vec<u8>, mode: u32, owner: (u32, u32)) -> Kind {
    Kind::File {
        content,
        mode,
        owner,
    }
}

/// What a mount shows: of a stage all that it is known by, of a directory the
/// files below the path.
fn source_key(source: &Source, path: &[u8]) -> Result<Digest, StepError> {
    match source {
        Source::Layers { key, .. } => Ok(*key),
        Source::Directory(directory) => {
            let request = CopyRequest {
                sources: vec![path.to_vec()],
                destination: b"/".to_vec(),
                working_dir: b"/".to_vec(),
                ..CopyRequest::default()
            };
            Ok(copy::select(&request, &**directory)?.key())
        }
    }
}
