//! Which time zones of tzdata stay.

use std::collections::{BTreeMap, BTreeSet};

use jettison_image::ImagePath;

use super::parts::{Gathered, Kept, KeptKind};
use super::{Part, Tree, known};
use crate::Error;

/// The time zones of a base.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Zones {
    /// None.
    #[default]
    None,
    /// Every zone by every name that tzdata has.
    All,
    /// The same with the tables beside them (`zone.tab`, `tzdata.zi`,
    /// `leapseconds`, …), which few programs read; with `legacy`, the old names
    /// that Debian 13 keeps in tzdata-legacy.
    AllWithTables {
        /// Take tzdata-legacy along where there is one.
        legacy: bool,
    },
    /// Only these, named as `TZ` names them.
    Only(BTreeSet<String>),
}

pub(super) const DIRECTORY: &str = "usr/share/zoneinfo";
/// Links that a zone's name may run through; tzdata has two at most.
const LINKS: usize = 8;

impl Zones {
    pub(super) fn wants_legacy(&self) -> bool {
        match self {
            Self::None | Self::All => false,
            Self::AllWithTables { legacy } => *legacy,
            // A name that is asked for may be an old one.
            Self::Only(_) => true,
        }
    }
}

/// A file of zoneinfo that is no zone; zones begin with this (RFC 8536).
fn is_table(kept: &Kept) -> bool {
    matches!(kept.kind, KeptKind::File(_)) && !kept.content().starts_with(b"TZif")
}

/// `right/` counts leap seconds, which POSIX time does not; `posix/` repeats
/// the zones. Both only by name.
pub(super) fn is_variant(path: &ImagePath) -> bool {
    ["right", "posix"]
        .iter()
        .any(|variant| path.starts_with(&known(&format!("{DIRECTORY}/{variant}"))))
}

impl Gathered {
    pub(super) fn place_zones(&mut self, zones: &Zones, tree: &mut Tree) -> Result<(), Error> {
        let all = std::mem::take(&mut self.zones);
        let stay: BTreeSet<ImagePath> = match zones {
            Zones::None => BTreeSet::new(),
            Zones::Only(names) => named(&all, names)?,
            _ => {
                let tables = matches!(zones, Zones::AllWithTables { .. });
                all.iter()
                    .filter(|(path, kept)| !is_variant(path) && (tables || !is_table(kept)))
                    .map(|(path, _)| path.clone())
                    .collect()
            }
        };
        // A hard link whose first name stays not, or comes later, takes over
        // the content; the others then point to it.
        let mut first_names: BTreeMap<ImagePath, ImagePath> = BTreeMap::new();
        for (path, kept) in &all {
            if !stay.contains(path) {
                self.drop_zone(path, kept, is_table(kept));
                continue;
            }
            let origin = kept.origin();
            let content_at = match &kept.kind {
                KeptKind::HardLink(target) => target,
                _ => path,
            };
            match &kept.kind {
                KeptKind::Symlink(target) => {
                    let kind = jettison_image::EntryKind::Symlink {
                        target: target.clone(),
                    };
                    tree.put(path.clone(), kind, 0o777, (Part::TimeZones, origin));
                }
                _ => match first_names.get(content_at) {
                    Some(first) => {
                        let kind = jettison_image::EntryKind::HardLink {
                            target: first.clone(),
                        };
                        tree.put(path.clone(), kind, 0o644, (Part::TimeZones, origin));
                    }
                    None => {
                        let content = all.get(content_at).map(Kept::content).unwrap_or_default();
                        self.record(path, &kept.package, content);
                        tree.put_file(path.clone(), content.to_vec(), (Part::TimeZones, origin));
                        first_names.insert(content_at.clone(), path.clone());
                    }
                },
            }
        }
        Ok(())
    }
}

/// The named zones and whatever their links lead through.
fn named(
    all: &BTreeMap<ImagePath, Kept>,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<ImagePath>, Error> {
    let mut stay = BTreeSet::new();
    for name in names {
        let missing = || Error::NoZone {
            name: crate::error::escape(name),
        };
        let mut path = known(DIRECTORY)
            .join(name.as_bytes())
            .map_err(|_| missing())?;
        for step in 0.. {
            let kept = all.get(&path).ok_or_else(missing)?;
            let next = match &kept.kind {
                KeptKind::Symlink(target) => link_target(&path, target),
                _ => None,
            };
            stay.insert(path);
            match next {
                Some(target) if step < LINKS => path = target,
                Some(_) => return Err(missing()),
                None => break,
            }
        }
    }
    Ok(stay)
}

/// Where a relative or absolute link in the tree leads, by its text.
fn link_target(path: &ImagePath, target: &[u8]) -> Option<ImagePath> {
    let mut at = if target.starts_with(b"/") {
        ImagePath::root()
    } else {
        path.parent()?
    };
    for component in target.split(|&byte| byte == b'/') {
        at = if component == b".." {
            at.parent()?
        } else {
            at.join(component).ok()?
        };
    }
    Some(at)
}
