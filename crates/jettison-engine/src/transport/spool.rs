//! Archives that cannot be read where they lie: packed as a whole
//! (`docker save | gzip`), or out of a pipe. They are unpacked once, into a
//! file without a name in scratch space, which is gone with its process
//! however that ends.
//!
//! A pipe is read where standard input is named as `/dev/stdin`, and nowhere
//! else: a FIFO in the place of a file would make us wait for its writer.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use jettison_image::compression::{Compression, Decoder};
use jettison_image::{Limits, escape};

use crate::files::open_named;
use crate::progress::Progress;

const STANDARD_INPUT: &str = "/dev/stdin";
/// Other programs write to the same disk; what a small archive makes of
/// itself must not fill it.
const ROOM_LEFT_BYTES: u64 = 512 << 20;
/// Between two looks at the room that is left.
const LOOK_BYTES: u64 = 64 << 20;

/// Opens an archive so that it can be read at any place.
pub(super) fn open_archive(
    path: &Path,
    scratch: impl Fn() -> io::Result<std::path::PathBuf>,
    limits: &Limits,
    progress: &dyn Progress,
) -> io::Result<File> {
    let (file, flows) = open(path)?;
    if !flows && !is_packed(&file)? {
        return Ok(file);
    }
    let packed_bytes = (!flows).then(|| file.metadata().map(|facts| facts.len()));
    let item = progress.begin(
        &format!("unpack {}", escape(&path.to_string_lossy())),
        packed_bytes.transpose()?,
    );
    let (_, mut decoder) = Decoder::detect_pipelined(file, limits)?;
    let mut spool = tempfile::tempfile_in(scratch()?)?;
    let (mut consumed_bytes, mut looked_bytes) = (0, 0);
    loop {
        let piece = decoder.fill_buf()?;
        let count = piece.len();
        if count == 0 {
            return Ok(spool);
        }
        spool.write_all(piece)?;
        decoder.consume(count);
        let now = decoder.consumed_bytes();
        item.advance(now.saturating_sub(consumed_bytes));
        consumed_bytes = now;
        looked_bytes += count as u64;
        if looked_bytes >= LOOK_BYTES {
            looked_bytes = 0;
            look_for_room(&spool)?;
        }
    }
}

/// The file, and whether it is a pipe.
fn open(path: &Path) -> io::Result<(File, bool)> {
    if path != Path::new(STANDARD_INPUT) {
        return Ok((open_named(path)?, false));
    }
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "neither a file nor a pipe",
        ));
    }
    Ok((file, kind.is_fifo()))
}

/// True for packings that can be unpacked here; others are refused by whoever
/// reads the archive.
fn is_packed(file: &File) -> io::Result<bool> {
    let mut first = Vec::with_capacity(Compression::MAGIC_BYTES);
    let start = At { file, position: 0 };
    start
        .take(Compression::MAGIC_BYTES as u64)
        .read_to_end(&mut first)?;
    Ok(matches!(
        Compression::detect(&first),
        Ok(Compression::Gzip | Compression::Zstd)
    ))
}

/// Leaves the position of the file where it is.
struct At<'a> {
    file: &'a File,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buf, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

fn look_for_room(spool: &File) -> io::Result<()> {
    let disk = rustix::fs::fstatvfs(spool)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_LEFT_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::StorageFull,
            "it needs more room unpacked than there is in the store's scratch directory",
        ));
    }
    Ok(())
}
