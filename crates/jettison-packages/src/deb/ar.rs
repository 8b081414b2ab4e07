//! The ar archive around a `.deb` (deb(5), ar(5)): a magic line, then a header
//! of 60 bytes and the content of each member, padded to an even length.

use std::io::{self, Read};

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER_BYTES: usize = 60;
/// Members of one archive; a `.deb` has three.
const MEMBERS: usize = 64;

/// The members of an archive, one after the other.
pub(super) struct Members<R> {
    inner: R,
    left: u64,
    padding: u64,
    count: usize,
}

/// The content of the current member.
pub(super) struct Content<'a, R>(&'a mut Members<R>);

impl<R: Read> Members<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            padding: 0,
            count: 0,
        }
    }

    /// Reads the magic line.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let mut magic = [0; MAGIC.len()];
        self.inner.read_exact(&mut magic)?;
        if &magic != MAGIC {
            Err(invalid("it is not an ar archive"))
        } else {
            Ok(())
        }
    }

    /// Skips what is left of the current member and reads the next one's name;
    /// none at the end of the archive.
    pub(super) fn next_name(&mut self) -> io::Result<Option<String>> {
        let rest = self.left + self.padding;
        if io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())? != rest {
            // The padding of the last member may be missing.
            if self.left > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(None);
        }
        (self.left, self.padding) = (0, 0);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        (&mut self.inner)
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        if header.len() < HEADER_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.count += 1;
        if self.count > MEMBERS {
            return Err(invalid("too many members"));
        }
        if &header[58..] != b"`\n" {
            return Err(invalid("a member's header is broken"));
        }
        let text = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range]).map(|text| text.trim_end_matches(' '))
        };
        let name = text(0..16).map_err(|_| invalid("a member's name is not text"))?;
        let size = text(48..58)
            .ok()
            .filter(|size| size.bytes().all(|b| b.is_ascii_digit()));
        self.left = size
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| invalid("a member's size is not a number"))?;
        self.padding = self.left % 2;
        Ok(Some(name.trim_end_matches('/').to_owned()))
    }

    /// Reads the current member.
    pub(super) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let members = &mut *self.0;
        let room = usize::try_from(members.left).map_or(buf.len(), |left| left.min(buf.len()));
        if room == 0 {
            return Ok(0);
        }
        let count = members.inner.read(&mut buf[..room])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        members.left -= count as u64;
        Ok(count)
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_owned())
}
