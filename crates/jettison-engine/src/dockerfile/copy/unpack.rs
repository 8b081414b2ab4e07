//! ADD of an archive: its members laid into a directory of the stage as
//! docker's untar does inside a chroot, so that no name, link or `..` of a
//! hostile archive leaves the destination.

use jettison_image::{Entry, EntryKind, Metadata, Timestamp};

use super::CopyError;
use super::draft::{Spot, What, other};
use super::place::{Placer, check_name};
use super::write::{Content, From};
use crate::dockerfile::add::Archive;

impl Placer<'_> {
    /// Lays an archive's members into the directory that the destination names.
    pub(super) fn unpack(&mut self, archive: Archive, destination: &[u8]) -> Result<(), CopyError> {
        let reached = self.draft.reach(destination)?;
        let (uid, gid) = self.owner.unwrap_or_default();
        let made = Metadata {
            mode: 0o755,
            uid,
            gid,
            mtime: self.request.time,
            ..Metadata::default()
        };
        let root = self.draft.make(reached, &made)?;
        let number = self.archives.len();
        let mut timed: Vec<(Spot, Metadata)> = Vec::new();
        for (member, row) in archive.members().iter().enumerate() {
            let from = From::Archive {
                archive: number,
                member,
            };
            if let Some(directory) = self.member(root, &row.entry, from)? {
                timed.push(directory);
            }
        }
        // What was put into a directory later must not have moved its time.
        for (spot, metadata) in timed {
            let place = self.draft.place_mut(spot);
            place.metadata = Some(metadata);
            place.touched = None;
        }
        self.archives.push(archive);
        Ok(())
    }

    /// Lays one member; a directory comes back with what it is to have in the end.
    fn member(
        &mut self,
        root: Spot,
        entry: &Entry,
        from: From,
    ) -> Result<Option<(Spot, Metadata)>, CopyError> {
        let (Some(parent), name) = (entry.path.parent(), entry.path.file_name()) else {
            return Ok(None);
        };
        let reached = self.draft.reach_below(root, parent.as_bytes())?;
        if reached.is_dangling {
            return Err(CopyError::Dangling(entry.path.as_bytes().into()));
        }
        // Directories that no member names are root's, whatever `--chown` says.
        let implied = Metadata {
            mode: 0o755,
            mtime: self.request.time,
            ..Metadata::default()
        };
        let parent = self.draft.make(reached, &implied)?;
        check_name(name, &self.draft.path(parent))?;
        let metadata = self.member_metadata(entry);
        let now = self.request.time;
        let there = self.draft.child(parent, name);
        if entry.kind == EntryKind::Directory
            && let Some(spot) = there.filter(|spot| self.draft.is_directory(*spot))
        {
            return Ok(Some((spot, metadata)));
        }
        if there.is_some() {
            self.draft.remove(parent, name, now);
        }
        let what = match &entry.kind {
            EntryKind::Directory => What::Directory,
            EntryKind::File { size_bytes } => self.new_content(from, *size_bytes),
            EntryKind::HardLink { target } => {
                let bad = || {
                    CopyError::BadHardLink(entry.path.as_bytes().into(), target.as_bytes().into())
                };
                let spot = self.named(root, target.as_bytes())?.ok_or_else(bad)?;
                self.second_name(spot, &metadata).ok_or_else(bad)?
            }
            kind => What::Other(kind.clone()),
        };
        let is_directory = what == What::Directory;
        let mut metadata = metadata;
        if matches!(what, What::Other(EntryKind::Symlink { .. })) {
            metadata.mode = 0o777;
        }
        let spot = self.draft.put(parent, name, what, metadata.clone(), now);
        Ok(is_directory.then_some((spot, metadata)))
    }

    /// The spot of a path whose last name is not followed.
    fn named(&mut self, root: Spot, path: &[u8]) -> Result<Option<Spot>, CopyError> {
        let end = path.iter().rposition(|&byte| byte == b'/');
        let (parent, name) =
            end.map_or((b"".as_slice(), path), |at| (&path[..at], &path[at + 1..]));
        let reached = self.draft.reach_below(root, parent)?;
        if !reached.missing.is_empty() {
            return Ok(None);
        }
        Ok(self.draft.child(reached.spot, name))
    }

    /// What a hard link to a spot is. The link's metadata become the file's,
    /// for there is only one of it.
    fn second_name(&mut self, spot: Spot, metadata: &Metadata) -> Option<What> {
        let what = match &self.draft.place(spot).what {
            What::Directory => return None,
            What::Below => {
                let node = self.draft.below(spot)?;
                match other(node.kind()) {
                    Some(kind) => What::Other(kind),
                    None if node.is_file() => {
                        let stage = From::Stage { node: node.id() };
                        self.new_content(stage, node.size_bytes())
                    }
                    None => return None,
                }
            }
            what => what.clone(),
        };
        let mut metadata = metadata.clone();
        if matches!(what, What::Other(EntryKind::Symlink { .. })) {
            metadata.mode = 0o777;
        }
        let place = self.draft.place_mut(spot);
        place.what = what.clone();
        place.metadata = Some(metadata);
        Some(what)
    }

    fn new_content(&mut self, from: From, size_bytes: u64) -> What {
        self.contents.push(Content { from, size_bytes });
        What::File(self.contents.len() - 1)
    }

    fn member_metadata(&self, entry: &Entry) -> Metadata {
        let mut metadata = entry.metadata.clone();
        if let Some((uid, gid)) = self.owner {
            (metadata.uid, metadata.gid) = (uid, gid);
        }
        if metadata.mtime < Timestamp::default() {
            metadata.mtime = Timestamp::default();
        }
        metadata.pax.clear();
        metadata
    }
}
