//! A stage's tree while files are laid into it: the tree below stays as it is,
//! what changes lies on top of it, place by place.

use std::collections::BTreeMap;

use jettison_image::{EntryKind, Metadata, Node, NodeKind, Timestamp, Tree, names_ahead};

use super::CopyError;

/// Links followed for one path, as BuildKit does.
const MOST_LINKS: usize = 255;

/// The root's place.
pub(super) const ROOT: Spot = Spot(0);

/// A place in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot(usize);

/// A stage's tree with changes.
pub(super) struct Draft<'t> {
    base: Option<&'t Tree>,
    places: Vec<Place>,
}

/// What is at a spot.
pub(super) struct Place {
    pub(super) name: Vec<u8>,
    pub(super) parent: Spot,
    /// The node of the tree below that is still here.
    pub(super) base: Option<usize>,
    pub(super) what: What,
    /// What the layer will say, where it is not what is below.
    pub(super) metadata: Option<Metadata>,
    /// A directory in which names came or went.
    pub(super) touched: Option<Timestamp>,
    /// Names that differ from what is below; none for one that is gone.
    pub(super) children: BTreeMap<Vec<u8>, Option<Spot>>,
}

/// Kinds of things at a spot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// What the tree below has.
    Below,
    Directory,
    /// A file by its content; the same number is the same file.
    File(usize),
    /// A link, device or FIFO.
    Other(EntryKind),
}

/// Where a path leads: the last place that is there, and the names that are not.
pub(super) struct Reached {
    pub(super) spot: Spot,
    pub(super) missing: Vec<Vec<u8>>,
    /// The first missing name is one of a link's target.
    pub(super) is_dangling: bool,
}

impl<'t> Draft<'t> {
    /// Starts above a tree, or above nothing.
    pub(super) fn new(base: Option<&'t Tree>) -> Self {
        let root = Place {
            name: Vec::new(),
            parent: ROOT,
            base: base.map(|tree| tree.root().id()),
            what: if base.is_some() {
                What::Below
            } else {
                What::Directory
            },
            metadata: None,
            touched: None,
            children: BTreeMap::new(),
        };
        Self {
            base,
            places: vec![root],
        }
    }

    pub(super) fn place(&self, spot: Spot) -> &Place {
        &self.places[spot.0]
    }

    pub(super) fn place_mut(&mut self, spot: Spot) -> &mut Place {
        &mut self.places[spot.0]
    }

    /// All spots, those that were overwritten included.
    pub(super) fn spots(&self) -> impl Iterator<Item = Spot> + use<> {
        (0..self.places.len()).map(Spot)
    }

    /// The node of the tree below at a spot, replaced or not.
    pub(super) fn below(&self, spot: Spot) -> Option<Node<'t>> {
        self.base?.at(self.place(spot).base?)
    }

    /// The node that the tree below has under this name, whatever is here now.
    pub(super) fn hidden(&self, spot: Spot, name: &[u8]) -> Option<Node<'t>> {
        self.below(spot)?.child(name)
    }

    pub(super) fn child(&mut self, spot: Spot, name: &[u8]) -> Option<Spot> {
        if let Some(known) = self.place(spot).children.get(name) {
            return *known;
        }
        if self.place(spot).what != What::Below {
            return None;
        }
        let node = self.hidden(spot, name)?.id();
        Some(self.add(spot, name, Some(node), What::Below))
    }

    pub(super) fn is_directory(&self, spot: Spot) -> bool {
        match &self.place(spot).what {
            What::Below => self.below(spot).is_some_and(|node| node.is_directory()),
            What::Directory => true,
            What::File(_) | What::Other(_) => false,
        }
    }

    fn link_target(&self, spot: Spot) -> Option<Vec<u8>> {
        match &self.place(spot).what {
            What::Below => Some(self.below(spot)?.link_target()?.to_vec()),
            What::Other(EntryKind::Symlink { target }) => Some(target.clone()),
            _ => None,
        }
    }

    /// The metadata at a spot as it is now, its mtime aside.
    pub(super) fn metadata(&self, spot: Spot) -> Metadata {
        let place = self.place(spot);
        if let Some(metadata) = &place.metadata {
            return metadata.clone();
        }
        self.below(spot).map_or_else(
            || Metadata {
                mode: 0o755,
                ..Metadata::default()
            },
            |node| node.metadata(),
        )
    }

    /// Puts something new under a name; what was there is gone.
    pub(super) fn put(
        &mut self,
        parent: Spot,
        name: &[u8],
        what: What,
        metadata: Metadata,
        now: Timestamp,
    ) -> Spot {
        let spot = self.add(parent, name, None, what);
        self.place_mut(spot).metadata = Some(metadata);
        self.touch(parent, now);
        spot
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, parent: Spot, name: &[u8], now: Timestamp) {
        self.place_mut(parent).children.insert(name.to_vec(), None);
        self.touch(parent, now);
    }

    fn touch(&mut self, directory: Spot, now: Timestamp) {
        self.place_mut(directory).touched = Some(now);
    }

    fn add(&mut self, parent: Spot, name: &[u8], base: Option<usize>, what: What) -> Spot {
        let spot = Spot(self.places.len());
        self.places.push(Place {
            name: name.to_vec(),
            parent,
            base,
            what,
            metadata: None,
            touched: None,
            children: BTreeMap::new(),
        });
        self.place_mut(parent)
            .children
            .insert(name.to_vec(), Some(spot));
        spot
    }

    /// Follows a path, links included, inside the root. Names behind the first
    /// that is missing are taken by their letters.
    pub(super) fn reach(&mut self, path: &[u8]) -> Result<Reached, CopyError> {
        self.reach_below(ROOT, path)
    }

    /// The same with a directory as the root.
    pub(super) fn reach_below(&mut self, root: Spot, path: &[u8]) -> Result<Reached, CopyError> {
        let mut ahead: Vec<Vec<u8>> = names_ahead(path).map(<[u8]>::to_vec).collect();
        let mut reached = Reached {
            spot: root,
            missing: Vec::new(),
            is_dangling: false,
        };
        let mut links = 0;
        // So many of the names ahead are the path's own.
        let mut own = usize::MAX;
        while let Some(name) = ahead.pop() {
            if name == b".." {
                if reached.missing.pop().is_none() && reached.spot != root {
                    reached.spot = self.place(reached.spot).parent;
                }
                continue;
            }
            if !reached.missing.is_empty() {
                reached.missing.push(name);
                continue;
            }
            let Some(child) = self.child(reached.spot, &name) else {
                reached.is_dangling = ahead.len() >= own;
                reached.missing.push(name);
                continue;
            };
            let Some(target) = self.link_target(child) else {
                reached.spot = child;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(CopyError::TooManyLinks(path.to_vec()));
            }
            if target.first() == Some(&b'/') {
                reached.spot = root;
            }
            own = own.min(ahead.len());
            ahead.extend(names_ahead(&target).map(<[u8]>::to_vec));
        }
        Ok(reached)
    }

    /// Makes the directories that a path lacks.
    pub(super) fn make(
        &mut self,
        reached: Reached,
        metadata: &Metadata,
    ) -> Result<Spot, CopyError> {
        let mut spot = reached.spot;
        if !self.is_directory(spot) {
            return Err(CopyError::NotADirectory(self.path(spot)));
        }
        for name in reached.missing {
            spot = self.put(
                spot,
                &name,
                What::Directory,
                metadata.clone(),
                metadata.mtime,
            );
        }
        Ok(spot)
    }

    /// The path of a spot, with a slash in front.
    pub(super) fn path(&self, spot: Spot) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = spot;
        while at != ROOT {
            names.push(self.place(at).name.as_slice());
            at = self.place(at).parent;
        }
        names.push(b"");
        names.reverse();
        if names.len() == 1 {
            return b"/".to_vec();
        }
        names.join(&b'/')
    }
}

/// The entry's kind for something that is neither directory nor regular file.
pub(super) fn other(kind: NodeKind<'_>) -> Option<EntryKind> {
    Some(match kind {
        NodeKind::Symlink { target } => EntryKind::Symlink {
            target: target.to_vec(),
        },
        NodeKind::CharDevice { major, minor } => EntryKind::CharDevice { major, minor },
        NodeKind::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
        NodeKind::Fifo => EntryKind::Fifo,
        NodeKind::Directory | NodeKind::File { .. } | NodeKind::HardLink { .. } => return None,
    })
}
