//! Reads a tar archive entry by entry, as a stream, in a few MiB at most
//! whatever the archive says.
//!
//! Refuses, naming the entry: sizes that are negative or beyond the archive,
//! contradicting sparse maps, names that leave the root, what exceeds the
//! [`Limits`]. Global extended headers are read over: container engines do
//! not apply them either (Go's reader hands them out as entries of their own).

use std::io::{self, BufRead, Read, Write};

use super::content::{Content, Holes, Next};
use super::header::{Block, Dialect, text};
use super::kind::{Fields, has_content};
use super::source::{Source, read_buffered};
use super::sparse::{Pax1, SparseMap, old_gnu, pax_0};
use super::{BLOCK_BYTES, padding, pax, quoted};
use crate::{Entry, EntryKind, Error, Limits};

/// Zeros that a hole of a sparse file is read as, lent piece by piece.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A tar archive being read.
pub struct Reader<S> {
    source: S,
    limits: Limits,
    offset: u64,
    entries: u64,
    unpacked_bytes: u64,
    raw: Vec<u8>,
    content: Content,
    /// Where the current header begins, and whose it is, for messages.
    header_at: u64,
    name: Vec<u8>,
    ended: bool,
    is_rooted: bool,
}

/// An entry of an archive. [`Read`] and [`BufRead`] give its content, the
/// holes of a sparse file as zeros; what is not read is skipped.
pub struct TarEntry<'a, S> {
    reader: &'a mut Reader<S>,
    entry: Entry,
    ordinal: u32,
    header_offset: u64,
    stored_bytes: u64,
}

impl<S: Source> Reader<S> {
    /// Starts at the beginning of `source`.
    pub fn new(source: S, limits: &Limits) -> Self {
        Self {
            source,
            limits: limits.clone(),
            offset: 0,
            entries: 0,
            unpacked_bytes: 0,
            raw: Vec::new(),
            content: Content::default(),
            header_at: 0,
            name: Vec::new(),
            ended: false,
            is_rooted: false,
        }
    }

    /// Takes names that climb as a process whose root is the destination
    /// would: `..` goes no further than it. Without this they are refused.
    pub fn rooted(mut self) -> Self {
        self.is_rooted = true;
        self
    }

    /// The next entry; none at the end of the archive: two blocks of zeros,
    /// or, as Go's reader allows, the end of the data where a header might be
    /// or after one block of zeros.
    pub fn next_entry(&mut self) -> Result<Option<TarEntry<'_, S>>, Error> {
        if self.ended {
            return Ok(None);
        }
        // Whatever fails, no second attempt reads on from the middle.
        self.ended = true;
        self.skip_content()?;
        let Some((entry, header_offset, stored_bytes)) = self.read_headers()? else {
            return Ok(None);
        };
        self.count(&entry)?;
        self.ended = false;
        // `count` keeps the number within the limit and within u32.
        let ordinal = (self.entries - 1) as u32;
        Ok(Some(TarEntry {
            reader: self,
            entry,
            ordinal,
            header_offset,
            stored_bytes,
        }))
    }

    /// Reads what is left, so that digests behind `source` are checked, and
    /// gives it back.
    pub fn finish(mut self) -> Result<S, Error> {
        match self.source.skip(u64::MAX) {
            Ok(_) => Ok(self.source),
            Err(error) => Err(Error::read("tar archive", error)),
        }
    }

    /// Where in the uncompressed archive reading has got to.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Apparent sizes of all files so far.
    pub fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes
    }

    /// Packed bytes behind what was read, where the source unpacks.
    pub fn consumed_bytes(&self) -> Option<u64> {
        self.source.consumed_bytes()
    }

    fn count(&mut self, entry: &Entry) -> Result<(), Error> {
        let over = |limit, unit, flag| Error::Limit {
            what: entry.path.display().to_string(),
            limit,
            unit,
            flag,
        };
        self.entries += 1;
        if self.entries > self.limits.entries.min(u64::from(u32::MAX)) {
            return Err(over(self.limits.entries, "entries", "entries"));
        }
        if let EntryKind::File { size_bytes } = entry.kind {
            self.unpacked_bytes = self.unpacked_bytes.saturating_add(size_bytes);
        }
        if self.unpacked_bytes > self.limits.unpacked_bytes {
            return Err(over(
                self.limits.unpacked_bytes,
                "unpacked bytes",
                "unpacked-bytes",
            ));
        }
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), Error> {
        let left = self.content.stored.saturating_add(self.content.padding);
        let skipped = self
            .source
            .skip(left)
            .map_err(|error| Error::read(self.what(), error))?;
        self.offset += skipped;
        // Go's reader allows the padding of the last entry to be missing.
        if skipped < self.content.stored {
            return Err(self.truncated());
        }
        self.content = Content::default();
        Ok(())
    }

    /// Reads all headers of the next entry: it, where they begin, and the
    /// length of what is stored after them.
    fn read_headers(&mut self) -> Result<Option<(Entry, u64, u64)>, Error> {
        self.raw.clear();
        let mut start = self.offset;
        let mut records = 0..0;
        let mut long_name = Vec::new();
        let mut long_link = Vec::new();
        loop {
            self.header_at = self.offset;
            self.name.clear();
            let Some(bytes) = self.read_header_block()? else {
                return match self.raw.is_empty() {
                    true => Ok(None),
                    false => Err(self.malformed("nothing follows an extended header")),
                };
            };
            let block = Block::new(&bytes).map_err(|problem| self.malformed(problem))?;
            let fields = Fields::of_block(&block).map_err(|problem| {
                self.name = block.name();
                self.malformed(problem)
            })?;
            match fields.type_flag {
                b'g' => {
                    let size = self.meta_size(&fields)?;
                    self.skip_meta(size)?;
                    self.raw.clear();
                    (records, start) = (0..0, self.offset);
                    (long_name, long_link) = (Vec::new(), Vec::new());
                }
                b'x' => {
                    self.raw.extend_from_slice(&bytes);
                    records = self.read_meta(&fields)?;
                }
                b'L' | b'K' => {
                    self.raw.extend_from_slice(&bytes);
                    let range = self.read_meta(&fields)?;
                    let name = text(&self.raw[range]).to_vec();
                    if fields.type_flag == b'L' {
                        long_name = name
                    } else {
                        long_link = name
                    }
                }
                _ => {
                    self.raw.extend_from_slice(&bytes);
                    let names = (long_name, long_link);
                    let (entry, stored) = self.read_entry(fields, &block, records, names)?;
                    return Ok(Some((entry, start, stored)));
                }
            }
        }
    }

    fn read_entry(
        &mut self,
        mut fields: Fields,
        block: &Block<'_>,
        records: std::ops::Range<usize>,
        (long_name, long_link): (Vec<u8>, Vec<u8>),
    ) -> Result<(Entry, u64), Error> {
        self.name.clone_from(&fields.name);
        let records = self.raw[records].to_vec();
        let parsed = pax::parse(&records).map_err(|problem| self.malformed(problem))?;
        if parsed.len() > pax::RECORDS_LIMIT {
            return Err(self.malformed("extended header has too many records"));
        }
        fields
            .merge(&parsed)
            .map_err(|problem| self.malformed(problem))?;
        if !long_name.is_empty() {
            fields.name = long_name;
        }
        if !long_link.is_empty() {
            fields.link_name = long_link;
        }
        self.name.clone_from(&fields.name);
        if fields.type_flag == 0 && fields.name.ends_with(b"/") {
            fields.type_flag = b'5';
        }
        let mut stored = 0;
        if has_content(fields.type_flag) {
            stored =
                u64::try_from(fields.size).map_err(|_| self.malformed("its size is negative"))?;
        }
        self.content = Content {
            stored,
            padding: padding(stored) as u64,
            sparse: None,
        };
        let map = match fields.type_flag {
            b'S' => Some(self.read_old_sparse(block)?),
            _ => self.read_pax_sparse(&mut fields)?,
        };
        let mut size_bytes = stored;
        if let Some(map) = map {
            size_bytes = map.size_bytes;
            self.content.sparse = Some(Holes::new(map));
        }
        let stored = self.content.stored;
        if self.is_rooted {
            fields.name = within_root(&fields.name);
            if fields.type_flag == b'1' {
                fields.link_name = within_root(&fields.link_name);
            }
        }
        let entry = fields
            .into_entry(size_bytes, &self.limits)
            .map_err(|problem| self.malformed(problem))?;
        Ok((entry, stored))
    }

    fn read_old_sparse(&mut self, block: &Block<'_>) -> Result<SparseMap, Error> {
        if block.dialect() != Dialect::Gnu {
            return Err(self.malformed("sparse file in a dialect other than GNU's"));
        }
        let mut pairs = Vec::new();
        let size = block
            .sparse_size()
            .map_err(|problem| self.malformed(problem))?;
        let mut more = old_gnu(block.sparse_map(), &mut pairs);
        while more.clone().map_err(|problem| self.malformed(problem))? {
            let bytes = self.read_block()?.ok_or_else(|| self.truncated())?;
            self.keep_raw(&bytes)?;
            // 21 pairs and the byte that says whether there are more.
            more = old_gnu(&bytes[..505], &mut pairs);
        }
        SparseMap::new(size, pairs, self.content.stored).map_err(|problem| self.malformed(problem))
    }

    /// Formats 0.0, 0.1 and 1.0, told apart as Go's reader does.
    fn read_pax_sparse(&mut self, fields: &mut Fields) -> Result<Option<SparseMap>, Error> {
        let pairs = std::mem::take(&mut fields.sparse_pairs);
        let record = |key: &[u8]| {
            fields
                .sparse
                .get(key)
                .map(Vec::as_slice)
                .unwrap_or_default()
        };
        let is_1_0 = match (record(b"major"), record(b"minor")) {
            (b"0", b"0" | b"1") => false,
            (b"1", b"0") => true,
            (b"", b"") if !pairs.is_empty() || !record(b"map").is_empty() => false,
            _ => return Ok(None),
        };
        if !matches!(fields.type_flag, b'0' | 0 | b'7') {
            return Err(self.malformed("sparse map for what is not a file"));
        }
        let size = [record(b"size"), record(b"realsize")]
            .into_iter()
            .find(|s| !s.is_empty());
        let size = size.map_or(Some(fields.size), pax::decimal);
        let size = size.ok_or_else(|| self.malformed("sparse size is not a number"))?;
        let map = if is_1_0 {
            self.read_map_blocks()?
        } else {
            let from_map = || {
                record(b"map")
                    .split(|&b| b == b',')
                    .filter(|n| !n.is_empty())
            };
            let numbers: Vec<&[u8]> = match pairs.is_empty() {
                true => from_map().collect(),
                false => pairs.iter().map(Vec::as_slice).collect(),
            };
            pax_0(
                fields.sparse.get(&b"numblocks"[..]).map(Vec::as_slice),
                &numbers,
            )
            .map_err(|problem| self.malformed(problem))?
        };
        let name = record(b"name");
        if !name.is_empty() {
            if name.contains(&0) {
                return Err(self.malformed("sparse name has a NUL byte"));
            }
            fields.name = name.to_vec();
            self.name = name.to_vec();
        }
        SparseMap::new(size, map, self.content.stored)
            .map(Some)
            .map_err(|problem| self.malformed(problem))
    }

    fn read_map_blocks(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        let mut map = Pax1::default();
        loop {
            if self.content.stored < BLOCK_BYTES as u64 {
                return Err(self.malformed("sparse map is longer than what is stored"));
            }
            let bytes = self.read_block()?.ok_or_else(|| self.truncated())?;
            self.keep_raw(&bytes)?;
            self.content.stored -= BLOCK_BYTES as u64;
            if map
                .push(&bytes)
                .map_err(|problem| self.malformed(problem))?
            {
                return map.finish().map_err(|problem| self.malformed(problem));
            }
        }
    }

    /// A header block; none at the end of the archive.
    fn read_header_block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Error> {
        let Some(bytes) = self.read_block()? else {
            return Ok(None);
        };
        if bytes != [0; BLOCK_BYTES] {
            return Ok(Some(bytes));
        }
        match self.read_block()? {
            None => Ok(None),
            Some(second) if second == [0; BLOCK_BYTES] => Ok(None),
            Some(_) => Err(self.malformed("a lone block of zeros is followed by something")),
        }
    }

    /// A whole block; none at the end of the data.
    fn read_block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Error> {
        let mut block = [0; BLOCK_BYTES];
        match self.source.fill_buf() {
            Ok(buf) => {
                if let Some(whole) = buf.first_chunk() {
                    block = *whole;
                    self.source.consume(BLOCK_BYTES);
                    self.offset += BLOCK_BYTES as u64;
                    return Ok(Some(block));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A source that failed once may say next that it is at its end.
            Err(error) => return Err(Error::read(self.what(), error)),
        }
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            let count = match self.source.read(&mut block[filled..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::read(self.what(), error)),
            };
            if count == 0 {
                break;
            }
            filled += count;
        }
        self.offset += filled as u64;
        match filled {
            0 => Ok(None),
            BLOCK_BYTES => Ok(Some(block)),
            _ => Err(self.malformed("archive ends in the middle of a header")),
        }
    }

    /// The size of an extended header's content, within the limit.
    fn meta_size(&mut self, fields: &Fields) -> Result<usize, Error> {
        let size = usize::try_from(fields.size)
            .map_err(|_| self.malformed("extended header's size is negative"))?;
        let padded = size.saturating_add(padding(size as u64));
        if self.raw.len().saturating_add(padded) > self.limits.pax_bytes as usize {
            return Err(self.over_pax_limit());
        }
        Ok(size)
    }

    /// Reads an extended header's content to the end of `raw`; where it lies.
    fn read_meta(&mut self, fields: &Fields) -> Result<std::ops::Range<usize>, Error> {
        let size = self.meta_size(fields)?;
        let start = self.raw.len();
        for _ in 0..size.div_ceil(BLOCK_BYTES) {
            let Some(bytes) = self.read_block()? else {
                return Err(self.malformed("archive ends in the middle of an extended header"));
            };
            self.raw.extend_from_slice(&bytes);
        }
        Ok(start..start + size)
    }

    fn skip_meta(&mut self, size: usize) -> Result<(), Error> {
        for _ in 0..size.div_ceil(BLOCK_BYTES) {
            if self.read_block()?.is_none() {
                return Err(self.malformed("archive ends in the middle of an extended header"));
            }
        }
        Ok(())
    }

    fn keep_raw(&mut self, block: &[u8]) -> Result<(), Error> {
        if self.raw.len() + block.len() > self.limits.pax_bytes as usize {
            return Err(self.over_pax_limit());
        }
        self.raw.extend_from_slice(block);
        Ok(())
    }

    fn over_pax_limit(&self) -> Error {
        Error::Limit {
            what: self.what(),
            limit: self.limits.pax_bytes,
            unit: "bytes of extended headers",
            flag: "pax-bytes",
        }
    }

    /// The current entry, or where it is when it has no name yet.
    fn what(&self) -> String {
        match self.name.is_empty() {
            true => format!("tar header at byte {}", self.header_at),
            false => quoted(&self.name),
        }
    }

    fn malformed(&self, problem: impl Into<String>) -> Error {
        Error::malformed(self.what(), problem)
    }

    fn truncated(&self) -> Error {
        self.malformed("archive ends in the middle of its content")
    }
}

impl<S: Source> TarEntry<'_, S> {
    /// Path, kind and metadata.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Path, kind and metadata, for good.
    pub fn into_entry(self) -> Entry {
        self.entry
    }

    /// Which entry of the archive this is, from 0.
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// All header blocks, from the first extended header to the last block of
    /// a sparse map, bit for bit.
    pub fn raw_header(&self) -> &[u8] {
        &self.reader.raw
    }

    /// Where in the uncompressed archive the headers begin.
    pub fn header_offset(&self) -> u64 {
        self.header_offset
    }

    /// Where in the uncompressed archive the stored content begins.
    pub fn content_offset(&self) -> u64 {
        self.header_offset + self.reader.raw.len() as u64
    }

    /// Length of the stored content: less than the file's size where it is
    /// sparse, none where it has no content.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Whether the archive stores the file with holes.
    pub fn is_sparse(&self) -> bool {
        self.reader.content.sparse.is_some()
    }

    /// Offset and length of what is stored of a sparse file, in order; none
    /// for what is stored whole.
    pub fn stretches(&self) -> Option<Vec<(u64, u64)>> {
        self.reader.content.stretches()
    }

    /// Packed bytes behind what was read so far, where the source unpacks.
    pub fn consumed_bytes(&self) -> Option<u64> {
        self.reader.source.consumed_bytes()
    }

    /// Writes headers and stored content, padded, as they are in the archive;
    /// the number of bytes. Must come before any other reading.
    pub fn copy_raw(&mut self, sink: &mut dyn Write) -> Result<u64, Error> {
        sink.write_all(&self.reader.raw)
            .map_err(|source| Error::Write {
                what: self.reader.what(),
                source,
            })?;
        let header_bytes = self.reader.raw.len() as u64;
        Ok(header_bytes + self.copy_stored(sink)?)
    }

    /// Writes the stored content, padded, as it is in the archive; the number
    /// of bytes. Must come before any other reading.
    pub fn copy_stored(&mut self, sink: &mut dyn Write) -> Result<u64, Error> {
        let name = self.reader.what();
        let failed = |source| Error::Write {
            what: name.clone(),
            source,
        };
        let content = &mut self.reader.content;
        if content.stored != self.stored_bytes {
            return Err(self.reader.malformed("was read from before it was copied"));
        }
        let mut left = content.stored;
        // From here on there is nothing to read any more, only to skip.
        content.sparse = None;
        while left > 0 {
            let buf = self
                .fill_buf()
                .map_err(|error| Error::read(name.as_str(), error))?;
            let count = buf.len();
            sink.write_all(buf).map_err(failed)?;
            self.consume(count);
            left -= count as u64;
        }
        let zeros = padding(self.stored_bytes);
        sink.write_all(&ZEROS[..zeros]).map_err(failed)?;
        Ok(self.stored_bytes + zeros as u64)
    }
}

/// The rest of the content of the entry that was read last.
impl<S: Source> BufRead for Reader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = match self.content.next() {
            Next::End => return Ok(&[]),
            Next::Hole(length) => {
                return Ok(&ZEROS[..length.min(ZEROS.len() as u64) as usize]);
            }
            Next::Data(left) => left,
        };
        let Reader { source, name, .. } = self;
        let buf = source.fill_buf()?;
        if buf.is_empty() {
            let error = Error::malformed(quoted(name), "archive ends in the middle of its content");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
        }
        Ok(&buf[..(buf.len() as u64).min(left) as usize])
    }

    fn consume(&mut self, count: usize) {
        let count = count as u64;
        match self.content.next() {
            Next::End => {}
            Next::Hole(length) => self.content.advance(count.min(length)),
            Next::Data(length) => {
                let count = count.min(length);
                self.source.consume(count as usize);
                self.offset += count;
                self.content.advance(count);
            }
        }
    }
}

impl<S: Source> Read for Reader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

impl<S: Source> BufRead for TarEntry<'_, S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
    }
}

impl<S: Source> Read for TarEntry<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

/// A name without the `..` in it, by its letters, as a path from a root.
fn within_root(name: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            component => kept.push(component),
        }
    }
    kept.join(&b'/')
}
