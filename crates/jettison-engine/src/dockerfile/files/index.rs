//! The index of a layer as it is kept in the store's cache: what its entries
//! are, their hashes, and where they lie in its archive. With it a layer is
//! read once in the life of a store.
//!
//! The store verifies what it hands back; a value of another version, or one
//! that contradicts itself, counts as absent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jettison_image::account::EntryPlace;
use jettison_image::{
    Budget, ContentHash, Entry, EntryKind, ImagePath, LayerIndex, LayerIndexBuilder, Metadata,
    NodeKind, Timestamp,
};

/// The layout of the values; another layout gets another number.
const VERSION: u64 = 1;

/// What is known of a layer.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) index: Arc<LayerIndex>,
    /// By place among all entries.
    pub(super) places: Arc<[EntryPlace]>,
}

/// What entries have in common, apart from what each has of its own.
type Common = (
    u32,
    u64,
    u64,
    Box<[u8]>,
    Box<[u8]>,
    BTreeMap<Box<[u8]>, Box<[u8]>>,
);

impl Known {
    /// The value to keep; none for a layer that it does not fit.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let entries = self.index.entries();
        if entries.len() != self.places.len() {
            return None;
        }
        let mut common: HashMap<Common, u64> = HashMap::new();
        let mut table = Writer::default();
        let mut rows = Writer::default();
        for ((at, entry), place) in entries.enumerate().zip(self.places.iter()) {
            if entry.ordinal() as usize != at {
                return None;
            }
            let Metadata {
                mode,
                uid,
                gid,
                mtime,
                uname,
                gname,
                xattrs,
                ..
            } = entry.metadata();
            let next = common.len() as u64;
            let key = (mode, uid, gid, uname, gname, xattrs);
            let number = match common.get(&key) {
                Some(known) => *known,
                None => {
                    table.common(&key);
                    common.insert(key, next);
                    next
                }
            };
            rows.bytes(entry.path_bytes());
            rows.number(number);
            rows.signed(mtime.seconds);
            rows.number(u64::from(mtime.nanoseconds));
            rows.kind(entry.kind());
            match entry.content() {
                Some(ContentHash::Sha256(hash)) => {
                    rows.0.push(1);
                    rows.0.extend_from_slice(&hash);
                }
                _ => rows.0.push(0),
            }
            rows.number(place.header);
            rows.number(place.content);
            rows.number(place.stored_bytes);
            rows.0.push(u8::from(place.is_sparse));
        }
        let mut value = Writer::default();
        value.number(VERSION);
        value.number(common.len() as u64);
        value.number(self.places.len() as u64);
        value.0.append(&mut table.0);
        value.0.append(&mut rows.0);
        Some(value.0)
    }

    /// Reads such a value, held to the limits.
    pub(super) fn from_bytes(value: &[u8], budget: &Arc<Budget>) -> Option<Self> {
        let mut reader = Reader(value);
        if reader.number()? != VERSION {
            return None;
        }
        let (commons, count) = (reader.number()?, reader.number()?);
        let mut table = Vec::new();
        for _ in 0..commons {
            table.push(reader.common()?);
        }
        let mut index = LayerIndexBuilder::new(Arc::clone(budget));
        let mut places = Vec::new();
        for ordinal in 0..u32::try_from(count).ok()? {
            let path = ImagePath::new(reader.bytes()?).ok()?;
            let common = usize::try_from(reader.number()?).ok()?;
            let mut metadata: Metadata = table.get(common).cloned()?;
            metadata.mtime = Timestamp {
                seconds: reader.signed()?,
                nanoseconds: u32::try_from(reader.number()?).ok()?,
            };
            let kind = reader.kind()?;
            let hash = match reader.byte()? {
                0 => None,
                _ => Some(ContentHash::Sha256(reader.take(32)?.try_into().ok()?)),
            };
            let entry = Entry {
                path,
                kind,
                metadata,
            };
            index.push(&entry, ordinal, hash).ok()?;
            places.push(EntryPlace {
                header: reader.number()?,
                content: reader.number()?,
                stored_bytes: reader.number()?,
                is_sparse: reader.byte()? != 0,
            });
        }
        reader.0.is_empty().then(|| Self {
            index: Arc::new(index.finish()),
            places: places.into(),
        })
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    /// Seven bits a byte, lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn common(&mut self, (mode, uid, gid, uname, gname, xattrs): &Common) {
        self.number(u64::from(*mode));
        self.number(*uid);
        self.number(*gid);
        self.bytes(uname);
        self.bytes(gname);
        self.number(xattrs.len() as u64);
        for (name, value) in xattrs {
            self.bytes(name);
            self.bytes(value);
        }
    }

    fn kind(&mut self, kind: NodeKind<'_>) {
        let (code, numbers, target): (u8, &[u64], Option<&[u8]>) = match kind {
            NodeKind::File { size_bytes } => (0, &[size_bytes], None),
            NodeKind::HardLink { target } => (1, &[], Some(target)),
            NodeKind::Symlink { target } => (2, &[], Some(target)),
            NodeKind::Directory => (3, &[], None),
            NodeKind::CharDevice { major, minor } => (4, &[major.into(), minor.into()], None),
            NodeKind::BlockDevice { major, minor } => (5, &[major.into(), minor.into()], None),
            NodeKind::Fifo => (6, &[], None),
        };
        self.0.push(code);
        for number in numbers {
            self.number(*number);
        }
        if let Some(target) = target {
            self.bytes(target);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn common(&mut self) -> Option<Metadata> {
        let mode = u32::try_from(self.number()?).ok()?;
        let (uid, gid) = (self.number()?, self.number()?);
        let (uname, gname) = (self.bytes()?.into(), self.bytes()?.into());
        let mut xattrs = BTreeMap::new();
        for _ in 0..self.number()? {
            xattrs.insert(self.bytes()?.into(), self.bytes()?.into());
        }
        Some(Metadata {
            mode,
            uid,
            gid,
            uname,
            gname,
            xattrs,
            ..Metadata::default()
        })
    }

    fn kind(&mut self) -> Option<EntryKind> {
        let device = |reader: &mut Self| {
            let number = reader.number()?;
            u32::try_from(number).ok()
        };
        Some(match self.byte()? {
            0 => EntryKind::File {
                size_bytes: self.number()?,
            },
            1 => EntryKind::HardLink {
                target: ImagePath::new(self.bytes()?).ok()?,
            },
            2 => EntryKind::Symlink {
                target: self.bytes()?.to_vec(),
            },
            3 => EntryKind::Directory,
            4 => EntryKind::CharDevice {
                major: device(self)?,
                minor: device(self)?,
            },
            5 => EntryKind::BlockDevice {
                major: device(self)?,
                minor: device(self)?,
            },
            6 => EntryKind::Fifo,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use jettison_image::Limits;

    use super::*;

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(&Limits::default()))
    }

    fn known() -> Known {
        let path = |text: &str| ImagePath::new(text).unwrap();
        let kinds = [
            EntryKind::File {
                size_bytes: 1 << 36,
            },
            EntryKind::HardLink { target: path("0") },
            EntryKind::Symlink {
                target: b"../\xff".to_vec(),
            },
            EntryKind::Directory,
            EntryKind::CharDevice { major: 1, minor: 3 },
            EntryKind::BlockDevice {
                major: 8,
                minor: 300,
            },
            EntryKind::Fifo,
        ];
        let mut index = LayerIndexBuilder::new(budget());
        let mut places = Vec::new();
        for (at, kind) in (0_u32..).zip(kinds) {
            let xattrs = [(b"user.a"[..].into(), b"\0\x01"[..].into())];
            let metadata = Metadata {
                mode: 0o4755 + at % 2,
                uid: u64::from(at) << 33,
                mtime: Timestamp {
                    seconds: -5,
                    nanoseconds: at,
                },
                uname: b"root"[..].into(),
                xattrs: xattrs.into(),
                ..Metadata::default()
            };
            let entry = Entry {
                path: path(&at.to_string()),
                kind,
                metadata,
            };
            let hash = (at == 0).then_some(ContentHash::Sha256([7; 32]));
            index.push(&entry, at, hash).unwrap();
            places.push(EntryPlace {
                header: u64::from(at) * 512,
                content: u64::MAX,
                stored_bytes: 5,
                is_sparse: at == 3,
            });
        }
        Known {
            index: Arc::new(index.finish()),
            places: places.into(),
        }
    }

    #[test]
    fn what_is_kept_is_what_was_known() {
        let value = known().to_bytes().unwrap();
        let again = Known::from_bytes(&value, &budget()).unwrap();
        assert_eq!(again.to_bytes().unwrap(), value);
        for (a, b) in known().index.entries().zip(again.index.entries()) {
            assert_eq!((a.path_bytes(), a.kind()), (b.path_bytes(), b.kind()));
            assert_eq!((a.metadata(), a.content()), (b.metadata(), b.content()));
        }
        for (a, b) in known().places.iter().zip(again.places.iter()) {
            assert_eq!((a.header, a.content), (b.header, b.content));
            assert_eq!((a.stored_bytes, a.is_sparse), (b.stored_bytes, b.is_sparse));
        }
    }

    #[test]
    fn what_is_no_index_counts_as_absent() {
        let value = known().to_bytes().unwrap();
        for end in 0..value.len() {
            assert!(Known::from_bytes(&value[..end], &budget()).is_none());
        }
        let longer = [&value[..], b"\0"].concat();
        assert!(Known::from_bytes(&longer, &budget()).is_none());
        let huge = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
        assert!(Known::from_bytes(&huge, &budget()).is_none());
        let few = Limits {
            entries: 3,
            ..Limits::default()
        };
        let few = Arc::new(Budget::new(&few));
        assert!(Known::from_bytes(&value, &few).is_none());
    }
}
