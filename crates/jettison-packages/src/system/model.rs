//! The file system that is being made: what the packages unpacked, which is
//! only read, and above it what rules write. Paths are resolved as the system's
//! own programs would, through links, never out of the root.

use std::collections::BTreeMap;

use jettison_image::{Entry, EntryKind, ImagePath, Metadata, Timestamp, names_ahead};

/// Links on one way; the kernel follows forty.
const LINKS: usize = 40;
/// The largest file that a rule reads or copies.
pub(super) const FILE_BYTES: u64 = 1 << 20;

/// What lies at a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file, with its mode.
    File(u32),
    /// A directory.
    Directory,
    /// A link, with its target.
    Symlink(Vec<u8>),
    /// Anything else.
    Other,
}

/// Whose something is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
}

impl Permissions {
    /// As root makes things.
    pub(super) fn root(mode: u32) -> Self {
        let (uid, gid) = (0, 0);
        Self { mode, uid, gid }
    }
}

/// What the packages unpacked.
pub trait World {
    /// What lies at a path, no link of it followed.
    fn find(&self, path: &ImagePath) -> Option<Found>;
    /// Whose it is.
    fn permissions(&self, path: &ImagePath) -> Option<Permissions>;
    /// A file of at most so many bytes.
    fn read(&self, path: &ImagePath, limit: u64) -> Option<Vec<u8>>;
    /// Paths of what lies right below a directory.
    fn below(&self, directory: &ImagePath) -> Vec<ImagePath>;
}

/// Something that a rule made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// What it is.
    pub(super) kind: MadeKind,
    /// Whose it is.
    pub(super) permissions: Permissions,
}

/// What a rule made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MadeKind {
    /// A file with this content.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A link.
    Symlink(Vec<u8>),
    /// Something of a package that is no more.
    Gone,
}

/// The system while rules work on it.
pub(super) struct Model<'w> {
    world: &'w dyn World,
    made: BTreeMap<ImagePath, Made>,
}

impl<'w> Model<'w> {
    pub(super) fn new(world: &'w dyn World) -> Self {
        Self {
            world,
            made: BTreeMap::new(),
        }
    }

    /// What lies at a real path.
    fn at(&self, path: &ImagePath) -> Option<Found> {
        match self.made.get(path) {
            None => self.world.find(path),
            Some(made) => match &made.kind {
                MadeKind::File(_) => Some(Found::File(made.permissions.mode)),
                MadeKind::Directory => Some(Found::Directory),
                MadeKind::Symlink(target) => Some(Found::Symlink(target.clone())),
                MadeKind::Gone => None,
            },
        }
    }

    /// The real path of a name; the last link followed or not. What is not
    /// there is where it would be.
    pub(super) fn real(&self, path: &[u8], follow_last: bool) -> Option<ImagePath> {
        let mut ahead: Vec<Vec<u8>> = names_ahead(path).map(<[u8]>::to_vec).collect();
        let mut at: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == b".." {
                at.pop();
                continue;
            }
            at.push(name);
            if ahead.is_empty() && !follow_last {
                break;
            }
            let here = ImagePath::new(at.join(&b'/')).ok()?;
            if let Some(Found::Symlink(target)) = self.at(&here) {
                links += 1;
                if links > LINKS {
                    return None;
                }
                at.pop();
                if target.first() == Some(&b'/') {
                    at.clear();
                }
                ahead.extend(names_ahead(&target).map(<[u8]>::to_vec));
            }
        }
        ImagePath::new(at.join(&b'/')).ok()
    }

    /// What a name leads to.
    pub(super) fn find(&self, path: &[u8]) -> Option<Found> {
        self.at(&self.real(path, true)?)
    }

    /// What a name is itself.
    pub(super) fn find_link(&self, path: &[u8]) -> Option<Found> {
        self.at(&self.real(path, false)?)
    }

    pub(super) fn exists(&self, path: &[u8]) -> bool {
        self.find(path).is_some()
    }

    pub(super) fn read(&self, path: &[u8]) -> Option<Vec<u8>> {
        let real = self.real(path, true)?;
        match self.made.get(&real) {
            Some(Made {
                kind: MadeKind::File(content),
                ..
            }) => Some(content.clone()),
            Some(_) => None,
            None => self.world.read(&real, FILE_BYTES),
        }
    }

    /// Names right below a directory, as paths.
    pub(super) fn below(&self, directory: &[u8]) -> Vec<ImagePath> {
        let Some(real) = self.real(directory, true) else {
            return Vec::new();
        };
        let mut all = self.world.below(&real);
        let own = self.made.iter().filter(|(path, made)| {
            path.parent().as_ref() == Some(&real) && made.kind != MadeKind::Gone
        });
        all.extend(own.map(|(path, _)| path.clone()));
        all.retain(|path| self.at(path).is_some());
        all.sort();
        all.dedup();
        all
    }

    pub(super) fn write(&mut self, path: &[u8], content: Vec<u8>, mode: u32) -> bool {
        let Some(real) = self.real(path, true) else {
            return false;
        };
        let known = self.permissions(&real);
        let permissions = known.unwrap_or(Permissions::root(mode));
        self.put(real, MadeKind::File(content), permissions)
    }

    pub(super) fn link(&mut self, path: &[u8], target: &[u8]) -> bool {
        match self.real(path, false) {
            Some(real) => self.put(
                real,
                MadeKind::Symlink(target.to_vec()),
                Permissions::root(0o777),
            ),
            None => false,
        }
    }

    pub(super) fn make_directory(&mut self, path: &[u8], mode: u32) -> bool {
        let Some(real) = self.real(path, true) else {
            return false;
        };
        match self.at(&real) {
            Some(Found::Directory) => true,
            Some(_) => false,
            None => self.put(real, MadeKind::Directory, Permissions::root(mode)),
        }
    }

    pub(super) fn remove(&mut self, path: &[u8]) {
        if let Some(real) = self.real(path, false)
            && self.at(&real).is_some()
        {
            match self.world.find(&real) {
                Some(_) => drop(self.put(real, MadeKind::Gone, Permissions::root(0))),
                None => drop(self.made.remove(&real)),
            }
        }
    }

    /// Changes owner or mode of what is there; false where that cannot be done
    /// without copying what a package brought.
    pub(super) fn change(&mut self, path: &[u8], to: impl FnOnce(&mut Permissions)) -> bool {
        let Some(real) = self.real(path, true) else {
            return false;
        };
        if !self.made.contains_key(&real) {
            let kind = match self.world.find(&real) {
                Some(Found::Directory) => MadeKind::Directory,
                Some(Found::File(_)) => match self.world.read(&real, FILE_BYTES) {
                    Some(content) => MadeKind::File(content),
                    None => return false,
                },
                _ => return false,
            };
            let permissions = self.permissions(&real);
            self.put(
                real.clone(),
                kind,
                permissions.unwrap_or(Permissions::root(0o755)),
            );
        }
        match self.made.get_mut(&real) {
            Some(made) => {
                to(&mut made.permissions);
                true
            }
            None => false,
        }
    }

    /// Whose something is that is there.
    pub(super) fn permissions(&self, real: &ImagePath) -> Option<Permissions> {
        match self.made.get(real) {
            Some(made) if made.kind == MadeKind::Gone => None,
            Some(made) => Some(made.permissions),
            None => self.world.permissions(real),
        }
    }

    fn put(&mut self, path: ImagePath, kind: MadeKind, permissions: Permissions) -> bool {
        if path.is_root() {
            return false;
        }
        // A name in a directory that nobody made.
        let mut parent = path.parent();
        while let Some(directory) = parent.filter(|directory| !directory.is_root()) {
            match self.at(&directory) {
                Some(Found::Directory) => break,
                Some(_) => return false,
                None => {}
            }
            parent = directory.parent();
            let made = Made {
                kind: MadeKind::Directory,
                permissions: Permissions::root(0o755),
            };
            self.made.insert(directory, made);
        }
        let made = Made { kind, permissions };
        self.made.insert(path, made);
        true
    }

    /// What was made, as entries of a layer, with content.
    pub(super) fn entries(self, time: Timestamp) -> Vec<(Entry, Vec<u8>)> {
        let mut entries = Vec::new();
        for (path, made) in self.made {
            let metadata = Metadata {
                mode: made.permissions.mode,
                uid: made.permissions.uid,
                gid: made.permissions.gid,
                mtime: time,
                ..Metadata::default()
            };
            let (path, kind, content) = match made.kind {
                MadeKind::File(content) => {
                    let size_bytes = content.len() as u64;
                    (path, EntryKind::File { size_bytes }, content)
                }
                MadeKind::Directory => (path, EntryKind::Directory, Vec::new()),
                MadeKind::Symlink(target) => (path, EntryKind::Symlink { target }, Vec::new()),
                MadeKind::Gone => {
                    // A whiteout of the OCI layer format.
                    let name = [b".wh.", path.file_name()].concat();
                    let parent = path.parent().unwrap_or_else(ImagePath::root);
                    match parent.join(name) {
                        Ok(path) => (path, EntryKind::File { size_bytes: 0 }, Vec::new()),
                        Err(_) => continue,
                    }
                }
            };
            let entry = Entry {
                path,
                kind,
                metadata,
            };
            entries.push((entry, content));
        }
        entries
    }
}
