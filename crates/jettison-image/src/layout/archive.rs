//! The files inside a tar archive that is not unpacked: its headers are read
//! once, its contents where they lie.
//!
//! Links are resolved inside the archive only; old engines write a layer that
//! two images share as a link. A name that comes twice means its last entry,
//! as it would after unpacking.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::{Files, StoredFile};
use crate::tar::{Reader, SeekSource};
use crate::{EntryKind, Error, ImagePath, Limits, escape};

/// Links from one name to the next.
const MOST_LINKS: usize = 40;

/// Something that is read and sought in.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// An archive that can be opened as often as needed.
pub trait Archive: Send + Sync {
    /// Opens it at its first byte.
    fn open(&self) -> io::Result<Box<dyn ReadSeek>>;
}

impl<F: Fn() -> io::Result<Box<dyn ReadSeek>> + Send + Sync> Archive for F {
    fn open(&self) -> io::Result<Box<dyn ReadSeek>> {
        self()
    }
}

/// The files of an archive.
pub struct ArchiveFiles {
    archive: Box<dyn Archive>,
    slots: HashMap<ImagePath, Slot>,
}

enum Slot {
    File { offset: u64, size_bytes: u64 },
    Link(ImagePath),
    Other(&'static str),
}

impl ArchiveFiles {
    /// Reads all headers. A packed archive is refused: nothing can be read
    /// where it lies in one.
    pub fn index(archive: Box<dyn Archive>, limits: &Limits) -> Result<Self, Error> {
        let unreadable = |source| Error::Read {
            what: "archive".to_owned(),
            source,
        };
        let mut input = archive.open().map_err(unreadable)?;
        refuse_packed(&mut input).map_err(unreadable)??;
        let source = SeekSource::new(input).map_err(unreadable)?;
        let mut reader = Reader::new(source, limits);
        let mut slots = HashMap::new();
        while let Some(entry) = reader.next_entry()? {
            let slot = match &entry.entry().kind {
                EntryKind::File { .. } if entry.is_sparse() => Slot::Other("a sparse file"),
                EntryKind::File { size_bytes } => Slot::File {
                    offset: entry.content_offset(),
                    size_bytes: *size_bytes,
                },
                EntryKind::HardLink { target } => Slot::Link(target.clone()),
                EntryKind::Symlink { target } => Slot::Link(beside(&entry.entry().path, target)),
                EntryKind::Directory => continue,
                EntryKind::Fifo => Slot::Other("a named pipe"),
                EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } => {
                    Slot::Other("a device")
                }
            };
            slots.insert(entry.into_entry().path, slot);
        }
        Ok(Self { archive, slots })
    }
}

impl Files for ArchiveFiles {
    fn open(&self, name: &str) -> Result<Option<StoredFile>, Error> {
        let Ok(mut path) = ImagePath::new(name) else {
            return Err(Error::malformed(
                escape(name),
                "is no name inside the archive",
            ));
        };
        for _ in 0..MOST_LINKS {
            match self.slots.get(&path) {
                None => return Ok(None),
                Some(Slot::Link(target)) => path = target.clone(),
                Some(Slot::Other(what)) => {
                    return Err(Error::malformed(
                        escape(name),
                        format!("is {what}, not a file"),
                    ));
                }
                Some(&Slot::File { offset, size_bytes }) => {
                    return self.read_at(name, offset, size_bytes).map(Some);
                }
            }
        }
        Err(Error::malformed(escape(name), "is a loop of links"))
    }
}

impl ArchiveFiles {
    fn read_at(&self, name: &str, offset: u64, size_bytes: u64) -> Result<StoredFile, Error> {
        let open = || {
            let mut input = self.archive.open()?;
            input.seek(SeekFrom::Start(offset))?;
            Ok(input)
        };
        let input = open().map_err(|source| Error::Read {
            what: escape(name),
            source,
        })?;
        Ok(StoredFile {
            size_bytes,
            content: Box::new(input.take(size_bytes)),
        })
    }
}

fn refuse_packed(input: &mut Box<dyn ReadSeek>) -> io::Result<Result<(), Error>> {
    use crate::compression::Compression;
    let mut first = Vec::with_capacity(Compression::MAGIC_BYTES);
    input
        .by_ref()
        .take(Compression::MAGIC_BYTES as u64)
        .read_to_end(&mut first)?;
    input.seek(SeekFrom::Start(0))?;
    let refused = |packing: &str| {
        Err(Error::malformed(
            "archive",
            format!("is packed with {packing}; unpack it first"),
        ))
    };
    Ok(match Compression::detect(&first) {
        Ok(Compression::None) => Ok(()),
        Ok(packing) => refused(&packing.to_string()),
        Err(other) => refused(other.0),
    })
}

/// Where a symbolic link in the archive points, inside the archive.
fn beside(link: &ImagePath, target: &[u8]) -> ImagePath {
    let parent = match target.first() {
        Some(b'/') => None,
        _ => link.parent(),
    };
    let mut components: Vec<&[u8]> = match &parent {
        Some(parent) => parent.components().collect(),
        None => Vec::new(),
    };
    for name in target.split(|&b| b == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                components.pop();
            }
            name => components.push(name),
        }
    }
    ImagePath::from_components(&components)
}
