//! The files of the packages, each handed on once, at its real place: below
//! `/usr` where the merged `/usr` has it, through links that other packages
//! brought. Nothing of a package is held but its records.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use jettison_image::{Entry, EntryKind, ImagePath, Metadata, Timestamp};

use crate::base::md5_hex;
use crate::deb::{self, Control};
use crate::{Error, LockedPackage, PackageLimits};

/// Directories that the merged `/usr` has links in the place of; of the last
/// ones only where a package has something there.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
const MERGED_AT_NEED: [&str; 3] = ["lib32", "libx32", "libo32"];
/// Links on one way.
const LINKS: usize = 40;
/// The largest file of configuration.
const CONFIGURATION_BYTES: u64 = 16 << 20;

/// Takes an entry with its content.
pub type Put<'p> = dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error> + 'p;

/// One package that was unpacked.
pub(super) struct Unpacked {
    pub(super) control: Control,
    /// Paths as the package writes them, for its list.
    pub(super) list: Vec<Vec<u8>>,
    /// MD5 of its files of configuration.
    pub(super) conffiles: BTreeMap<Vec<u8>, String>,
    /// Which names of files it may take over.
    replaces: Vec<crate::index::Relation>,
}

#[derive(Clone)]
enum Placed {
    Directory,
    Symlink(Vec<u8>),
    /// Anything else, with the number of its package.
    Other(usize),
}

/// Unpacks packages one after the other.
#[derive(Default)]
pub(super) struct Unpacker {
    pub(super) packages: Vec<Unpacked>,
    placed: HashMap<ImagePath, Placed>,
    pub(super) newest: Timestamp,
    /// Names that two packages claim without a word about each other.
    pub(super) clashes: Vec<String>,
}

impl Unpacker {
    /// The links of the merged `/usr`.
    pub(super) fn begin(&mut self, architecture: &str, put: &mut Put<'_>) -> Result<(), Error> {
        self.directory("usr", put)?;
        for name in MERGED {
            // Only amd64 and its like have a lib64 of their own.
            if name == "lib64" && !matches!(architecture, "amd64" | "ppc64el" | "s390x" | "loong64")
            {
                continue;
            }
            self.merge(name, put)?;
        }
        Ok(())
    }

    fn merge(&mut self, name: &str, put: &mut Put<'_>) -> Result<(), Error> {
        self.directory(&format!("usr/{name}"), put)?;
        let target = format!("usr/{name}").into_bytes();
        let kind = EntryKind::Symlink {
            target: target.clone(),
        };
        self.placed
            .insert(super::known(name), Placed::Symlink(target));
        put(
            &plain(super::known(name), kind, 0o777),
            &mut std::io::empty(),
        )
    }

    fn directory(&mut self, path: &str, put: &mut Put<'_>) -> Result<(), Error> {
        let path = super::known(path);
        if self
            .placed
            .insert(path.clone(), Placed::Directory)
            .is_some()
        {
            return Ok(());
        }
        put(
            &plain(path, EntryKind::Directory, 0o755),
            &mut std::io::empty(),
        )
    }

    /// Reads a package to its end, verifying it.
    pub(super) fn read(
        &mut self,
        file: impl Read,
        package: &LockedPackage,
        limits: &PackageLimits,
        put: &mut Put<'_>,
    ) -> Result<(), Error> {
        let number = self.packages.len();
        let mut list: Vec<Vec<u8>> = Vec::new();
        let mut conffiles = BTreeMap::new();
        let mut replaces = None;
        let control = deb::read(file, &package.name, limits, |control, entry, content| {
            if control.name() != package.name || control.version() != package.version {
                return Err(Error::malformed(
                    package.name.as_str(),
                    format!("it holds {} {}", control.name(), control.version()),
                ));
            }
            let replaces = replaces.get_or_insert_with(|| {
                let field = control.field("Replaces").unwrap_or_default();
                let all = crate::index::parse_relations(field).into_iter();
                all.flatten().collect::<Vec<_>>()
            });
            let written = match entry.path.is_root() {
                true => b"/.".to_vec(),
                false => [b"/", entry.path.as_bytes()].concat(),
            };
            list.push(written.clone());
            if entry.path.is_root() {
                return Ok(());
            }
            let claimed = Claim {
                number,
                name: &package.name,
                replaces,
            };
            let Some(entry) = self.place(entry, &claimed, put)? else {
                return Ok(());
            };
            self.newest = self.newest.max(entry.metadata.mtime);
            match (entry.kind, control.conffiles.contains(&written)) {
                (EntryKind::File { size_bytes }, true) if size_bytes <= CONFIGURATION_BYTES => {
                    let mut bytes = Vec::new();
                    content
                        .read_to_end(&mut bytes)
                        .map_err(Error::read(package.name.as_str()))?;
                    conffiles.insert(written, md5_hex(&bytes));
                    let kind = EntryKind::File { size_bytes };
                    put(&Entry { kind, ..entry }, &mut bytes.as_slice())
                }
                (kind, _) => put(&Entry { kind, ..entry }, content),
            }
        })?;
        self.packages.push(Unpacked {
            control,
            list,
            conffiles,
            replaces: replaces.unwrap_or_default(),
        });
        Ok(())
    }

    /// The entry at its real place; none where it is there already.
    fn place(
        &mut self,
        mut entry: Entry,
        claim: &Claim<'_>,
        put: &mut Put<'_>,
    ) -> Result<Option<Entry>, Error> {
        let first = entry.path.components().next().unwrap_or_default().to_vec();
        if let Some(name) = MERGED_AT_NEED.iter().find(|name| name.as_bytes() == first)
            && !self.placed.contains_key(&super::known(name))
        {
            self.merge(name, put)?;
        }
        entry.path = self.real(&entry.path)?;
        if let EntryKind::HardLink { target } = &mut entry.kind {
            *target = self.real(target)?;
        }
        entry.metadata.uname = Box::default();
        entry.metadata.gname = Box::default();
        // Parents that no package has.
        let mut missing = Vec::new();
        let mut parent = entry.path.parent();
        while let Some(directory) = parent.filter(|one| !one.is_root()) {
            if self.placed.contains_key(&directory) {
                break;
            }
            parent = directory.parent();
            missing.push(directory);
        }
        for directory in missing.into_iter().rev() {
            self.placed.insert(directory.clone(), Placed::Directory);
            put(
                &plain(directory, EntryKind::Directory, 0o755),
                &mut std::io::empty(),
            )?;
        }
        let now = match &entry.kind {
            EntryKind::Directory => Placed::Directory,
            EntryKind::Symlink { target } => Placed::Symlink(target.clone()),
            _ => Placed::Other(claim.number),
        };
        match self.placed.get(&entry.path) {
            None => {
                self.placed.insert(entry.path.clone(), now);
                Ok(Some(entry))
            }
            Some(Placed::Directory) => Ok(None),
            Some(Placed::Symlink(_)) => Ok(None),
            Some(Placed::Other(owner)) if *owner == claim.number => Ok(None),
            Some(Placed::Other(owner)) => {
                let other = self.packages.get(*owner);
                let takes = |names: &[crate::index::Relation], name: &str| {
                    names.iter().any(|relation| relation.name == name)
                };
                let (name, keeps) = other.map_or(("", false), |other| {
                    let keeps = takes(&other.replaces, claim.name);
                    (other.control.name(), keeps)
                });
                if keeps {
                    return Ok(None);
                }
                if takes(claim.replaces, name) {
                    // The later entry of an archive is the one that counts.
                    self.placed.insert(entry.path.clone(), now);
                    return Ok(Some(entry));
                }
                self.clashes.push(crate::error::escape(&format!(
                    "{}: {} is {name}'s already",
                    claim.name,
                    entry.path.display()
                )));
                Ok(None)
            }
        }
    }

    /// A path with the links of its directories followed.
    fn real(&self, path: &ImagePath) -> Result<ImagePath, Error> {
        let mut ahead: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut at: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        let wrong = || Error::malformed(path.display().to_string(), "its links lead nowhere");
        while let Some(name) = ahead.pop() {
            if name == b".." {
                at.pop();
                continue;
            }
            at.push(name);
            if ahead.is_empty() {
                break;
            }
            let here = ImagePath::new(at.join(&b'/')).map_err(|_| wrong())?;
            if let Some(Placed::Symlink(target)) = self.placed.get(&here) {
                links += 1;
                if links > LINKS {
                    return Err(wrong());
                }
                at.pop();
                if target.first() == Some(&b'/') {
                    at.clear();
                }
                let parts = target.split(|&byte| byte == b'/').rev();
                let parts = parts.filter(|name| !matches!(*name, b"" | b"."));
                ahead.extend(parts.map(<[u8]>::to_vec));
            }
        }
        ImagePath::new(at.join(&b'/')).map_err(|_| wrong())
    }
}

struct Claim<'a> {
    number: usize,
    name: &'a str,
    replaces: &'a [crate::index::Relation],
}

fn plain(path: ImagePath, kind: EntryKind, mode: u32) -> Entry {
    Entry {
        path,
        kind,
        metadata: Metadata {
            mode,
            ..Metadata::default()
        },
    }
}
