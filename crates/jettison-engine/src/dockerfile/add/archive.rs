//! A tar archive to be unpacked, plain or packed by gzip, bzip2, xz or zstd,
//! recognised by its content as BuildKit does: a file whose first tar header
//! can be read is an archive, anything else is a file.
//!
//! Contents lie in a temporary file without a name until the layer is written;
//! stretches of zeros take no room there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use jettison_image::tar::Reader;
use jettison_image::{Compression, Decoder, Entry, EntryKind, Error, Limits};

/// What `xz -9` needs to unpack, twice.
const XZ_MEMORY_BYTES: u64 = 128 << 20;
const BUFFER_BYTES: usize = 128 << 10;

/// An archive that was read.
pub(crate) struct Archive {
    members: Vec<Member>,
    contents: File,
}

/// One entry of an archive.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) entry: Entry,
    /// Where a file's content begins.
    offset: u64,
}

impl Archive {
    /// Reads an archive; none when it is not one. Contents go to a file in
    /// `scratch`, or where the machine keeps temporary files.
    pub(crate) fn read<'r>(
        content: Box<dyn Read + 'r>,
        scratch: Option<&Path>,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        let Ok(unpacked) = unpack(content, limits) else {
            return Ok(None);
        };
        let failed = |source| Error::Write {
            what: "the contents of an archive".into(),
            source,
        };
        let contents = match scratch {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        };
        let mut spool = Spool {
            file: contents.map_err(failed)?,
            end: 0,
        };
        let buffered = BufReader::with_capacity(BUFFER_BYTES, unpacked);
        let mut reader = Reader::new(buffered, limits).rooted();
        let mut members = Vec::new();
        let mut left = Left::new(limits);
        loop {
            let mut entry = match reader.next_entry() {
                Ok(Some(entry)) => entry,
                // Neither a header nor anything else: then it is a file.
                Ok(None) | Err(_) if members.is_empty() => return Ok(None),
                Ok(None) => break,
                Err(error) => return Err(error),
            };
            left.take(entry.entry())?;
            let offset = spool.end;
            let what = entry.entry().path.display().to_string();
            if matches!(entry.entry().kind, EntryKind::File { .. }) {
                spool.take(&mut entry, what)?;
            }
            members.push(Member {
                entry: entry.into_entry(),
                offset,
            });
        }
        spool.file.set_len(spool.end).map_err(failed)?;
        Ok(Some(Self {
            members,
            contents: spool.file,
        }))
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The content of a member that is a file.
    pub(crate) fn open(&self, member: &Member) -> Box<dyn Read + '_> {
        let left = match member.entry.kind {
            EntryKind::File { size_bytes } => size_bytes,
            _ => 0,
        };
        Box::new(Stretch::new(&self.contents, member.offset, left))
    }
}

/// A stretch of a file, read without moving the file's position.
pub(super) struct Stretch<'f> {
    file: &'f File,
    offset: u64,
    left: u64,
}

impl<'f> Stretch<'f> {
    pub(super) fn new(file: &'f File, offset: u64, left: u64) -> Self {
        Self { file, offset, left }
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The contents of all members, one behind the other.
struct Spool {
    file: File,
    end: u64,
}

impl Spool {
    fn take(&mut self, content: &mut dyn Read, what: String) -> Result<(), Error> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::read(what, error)),
            };
            let written = if buffer[..count].iter().all(|&byte| byte == 0) {
                // The file is made as long as all of it in the end.
                self.file.seek(SeekFrom::Current(count as i64)).map(drop)
            } else {
                self.file.write_all(&buffer[..count])
            };
            written.map_err(|source| Error::Write {
                what: what.clone(),
                source,
            })?;
            self.end = self.end.saturating_add(count as u64);
        }
    }
}

/// What an archive may still hold.
struct Left<'l> {
    limits: &'l Limits,
    entries: u64,
    name_bytes: u64,
    content_bytes: u64,
}

impl<'l> Left<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            entries: 0,
            name_bytes: 0,
            content_bytes: 0,
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Error> {
        let target = match &entry.kind {
            EntryKind::HardLink { target } => target.as_bytes().len(),
            EntryKind::Symlink { target } => target.len(),
            _ => 0,
        };
        let metadata = &entry.metadata;
        let records = metadata.xattrs.iter().chain(&metadata.pax);
        let records: usize = records.map(|(name, value)| name.len() + value.len()).sum();
        let names = entry.path.as_bytes().len() + target + records;
        self.entries += 1;
        self.name_bytes = self.name_bytes.saturating_add(names as u64);
        if let EntryKind::File { size_bytes } = entry.kind {
            self.content_bytes = self.content_bytes.saturating_add(size_bytes);
        }
        let limits = self.limits;
        for (found, limit, unit, flag) in [
            (self.entries, limits.entries, "entries", "entries"),
            (
                self.name_bytes,
                limits.name_bytes,
                "bytes of names and attributes",
                "name-bytes",
            ),
            (
                self.content_bytes,
                limits.unpacked_bytes,
                "unpacked bytes",
                "unpacked-bytes",
            ),
        ] {
            if found > limit {
                return Err(Error::Limit {
                    what: entry.path.display().to_string(),
                    limit,
                    unit,
                    flag,
                });
            }
        }
        Ok(())
    }
}

/// Unpacks by the first bytes.
fn unpack<'r>(content: Box<dyn Read + 'r>, limits: &Limits) -> io::Result<Box<dyn Read + 'r>> {
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, content);
    let first = packed.fill_buf()?;
    if first.starts_with(b"BZh") {
        return Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(packed)));
    }
    if first.starts_with(b"\xfd7zXZ\0") {
        let flags = liblzma::stream::CONCATENATED;
        let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, flags)?;
        let decoder = liblzma::bufread::XzDecoder::new_stream(packed, stream);
        return Ok(Box::new(decoder));
    }
    let compression = Compression::detect(first).unwrap_or(Compression::None);
    if compression == Compression::None {
        return Ok(Box::new(packed));
    }
    Ok(Box::new(Decoder::new(packed, compression, limits)?))
}
