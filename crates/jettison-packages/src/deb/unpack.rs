//! The packings of a `.deb`'s members (deb(5)): none, gzip, xz, zstd, bzip2.

use std::io::{self, BufReader, Read};

/// Memory that unpacking xz may take. `xz -9` needs 65 MiB.
const XZ_MEMORY_BYTES: u64 = 128 << 20;
/// Window of zstd as a power of two: 128 MiB, what `zstd -d` accepts unasked.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Unpacks by the ending after `.tar`; none for an ending that is not known.
pub(super) fn open<'a, R: Read + 'a>(
    packed: R,
    ending: &str,
) -> io::Result<Option<Box<dyn Read + 'a>>> {
    Ok(Some(match ending {
        "" => Box::new(packed),
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        ".xz" => Box::new(xz(packed)?),
        ".zst" => {
            let mut decoder = zstd::stream::read::Decoder::new(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        ".bz2" => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
        _ => return Ok(None),
    }))
}

/// Unpacks xz within a bound of memory, one stream after the other.
pub(crate) fn xz<R: Read>(packed: R) -> io::Result<impl Read> {
    let flags = liblzma::stream::CONCATENATED;
    let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, flags)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(
        BufReader::with_capacity(1 << 16, packed),
        stream,
    ))
}
