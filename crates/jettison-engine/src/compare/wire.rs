//! What a pull moves. An archive or an engine holds layers unpacked, and
//! nobody pulls those: held against a registry's they would look three times
//! as large as they are.

use std::io::{self, BufRead, BufReader, Write};

use jettison_image::compression::{Compression, Encoder, EncoderOptions};
use jettison_image::{Error, Image, LayerBlob, open_verified};

use crate::progress::Progress;

/// Read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// True for a layer that is stored unpacked.
pub(super) fn is_plain(layer: &LayerBlob) -> bool {
    layer.compression == Compression::None
}

/// For each layer, the bytes that a registry would be asked for: what copies
/// into one make of an unpacked layer, and any other as it is.
pub(super) fn packed_bytes(
    image: &Image,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<u64>, Error> {
    let plain = image.layers.iter().filter(|layer| is_plain(layer));
    let total: u64 = plain.map(|layer| layer.descriptor.size_bytes).sum();
    let item = (total > 0).then(|| progress.begin("packing layers", Some(total)));
    let size = |layer: &LayerBlob| {
        if !is_plain(layer) {
            return Ok(layer.descriptor.size_bytes);
        }
        let unreadable = |source| Error::Read {
            what: format!("blob {}", layer.descriptor.digest),
            source,
        };
        let reader = open_verified(&*image.source, &layer.descriptor)?;
        let mut reader = BufReader::with_capacity(PIECE_BYTES, reader);
        let options = EncoderOptions {
            threads,
            ..EncoderOptions::new(Compression::Gzip)
        };
        let mut encoder = Encoder::new(Counter(0), &options).map_err(unreadable)?;
        loop {
            let piece = reader.fill_buf().map_err(unreadable)?;
            let count = piece.len();
            if count == 0 {
                break;
            }
            encoder.write_all(piece).map_err(unreadable)?;
            reader.consume(count);
            if let Some(item) = &item {
                item.advance(count as u64);
            }
        }
        Ok(encoder.finish().map_err(unreadable)?.0)
    };
    image.layers.iter().map(size).collect()
}

/// Keeps nothing of what is written to it but its length.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
