//! Writes a layer: entries in the order they are given, packed and hashed in
//! one pass. Same entries and options, same digest.

use std::io::{self, Read, Write};

use crate::compression::{Compression, Encoder, EncoderOptions};
use crate::tar::{END_OF_ARCHIVE, Source, TarEntry, encode_header, encode_sparse_header, padding};
use crate::{DiffId, Digest, Entry, EntryKind, Error, Sha256Writer, Timestamp};

/// A layer that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltLayer {
    /// Digest of the packed blob.
    pub digest: Digest,
    /// Length of the packed blob.
    pub size_bytes: u64,
    /// Digest of the uncompressed archive.
    pub diff_id: DiffId,
    /// Length of the uncompressed archive.
    pub unpacked_bytes: u64,
    /// How it is packed.
    pub compression: Compression,
    /// How many entries it has.
    pub entries: u64,
}

/// Writes a layer into `W`.
pub struct LayerWriter<W: Write> {
    archive: Sha256Writer<Encoder<Sha256Writer<W>>>,
    compression: Compression,
    entries: u64,
    buffer: Box<[u8]>,
    latest: Option<Timestamp>,
}

impl<W: Write> LayerWriter<W> {
    /// Starts an empty layer.
    pub fn new(sink: W, options: &EncoderOptions) -> Result<Self, Error> {
        let encoder =
            Encoder::new(Sha256Writer::new(sink), options).map_err(|source| Error::Write {
                what: "layer".into(),
                source,
            })?;
        Ok(Self {
            archive: Sha256Writer::new(encoder),
            compression: options.compression,
            entries: 0,
            buffer: vec![0; 128 << 10].into(),
            latest: None,
        })
    }

    /// From now on no entry that is appended is younger than `latest`: those
    /// that are, bear that time. What is copied bit for bit stays as it is.
    pub fn date_back(&mut self, latest: Timestamp) {
        self.latest = Some(latest);
    }

    /// Appends an entry. For a file, `content` must hold exactly the bytes
    /// that the entry says; for anything else it is not looked at.
    pub fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Error> {
        let header = match self.latest.filter(|latest| *latest < entry.metadata.mtime) {
            Some(latest) => {
                let mut dated = entry.clone();
                dated.metadata.mtime = latest;
                encode_header(&dated)?
            }
            None => encode_header(entry)?,
        };
        self.write(entry, &header)?;
        if let EntryKind::File { size_bytes } = entry.kind {
            self.copy(entry, content, size_bytes)?;
            self.write(entry, &END_OF_ARCHIVE[..padding(size_bytes)])?;
        }
        self.entries += 1;
        Ok(())
    }

    /// Appends an entry that has no content.
    pub fn append_empty(&mut self, entry: &Entry) -> Result<(), Error> {
        self.append(entry, &mut io::empty())
    }

    /// Appends an entry of another layer bit for bit, headers, holes and all.
    /// It must not have been read from.
    pub fn append_raw<S: Source>(&mut self, entry: &mut TarEntry<'_, S>) -> Result<(), Error> {
        entry.copy_raw(&mut self.archive)?;
        self.entries += 1;
        Ok(())
    }

    /// Appends an entry with the content of another layer's, holes and all.
    /// That must be a file of the same size that was not read from.
    pub fn append_content_of<S: Source>(
        &mut self,
        entry: &Entry,
        from: &mut TarEntry<'_, S>,
    ) -> Result<(), Error> {
        match (&from.entry().kind, from.stretches()) {
            (EntryKind::File { size_bytes }, Some(stretches)) => {
                let header = encode_sparse_header(entry, *size_bytes, &stretches)?;
                self.write(entry, &header)?;
                from.copy_stored(&mut self.archive)?;
                self.entries += 1;
                Ok(())
            }
            _ => self.append(entry, from),
        }
    }

    /// Ends the layer: what it became, and the sink.
    pub fn finish(mut self) -> Result<(BuiltLayer, W), Error> {
        let failed = |source| Error::Write {
            what: "layer".into(),
            source,
        };
        self.archive.write_all(&END_OF_ARCHIVE).map_err(failed)?;
        let (encoder, diff_id, unpacked_bytes) = self.archive.finish();
        let mut packed = encoder.finish().map_err(failed)?;
        packed.flush().map_err(failed)?;
        let (sink, digest, size_bytes) = packed.finish();
        let built = BuiltLayer {
            digest,
            size_bytes,
            diff_id: DiffId(diff_id),
            unpacked_bytes,
            compression: self.compression,
            entries: self.entries,
        };
        Ok((built, sink))
    }

    fn copy(&mut self, entry: &Entry, content: &mut dyn Read, size: u64) -> Result<(), Error> {
        let name = || entry.path.display().to_string();
        let mut left = size;
        loop {
            // One byte more than is left finds content that is too long.
            let wanted = left.saturating_add(1).min(self.buffer.len() as u64) as usize;
            let count = match content.read(&mut self.buffer[..wanted]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::read(name(), error)),
            };
            if count == 0 && left == 0 {
                return Ok(());
            }
            if count == 0 || count as u64 > left {
                let which = if count == 0 { "shorter" } else { "longer" };
                let problem = format!("content is {which} than the {size} bytes the entry says");
                return Err(Error::malformed(name(), problem));
            }
            self.archive
                .write_all(&self.buffer[..count])
                .map_err(|source| Error::Write {
                    what: name(),
                    source,
                })?;
            left -= count as u64;
        }
    }

    fn write(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), Error> {
        self.archive
            .write_all(bytes)
            .map_err(|source| Error::Write {
                what: entry.path.display().to_string(),
                source,
            })
    }
}
