//! Writes the generated corpus to `corpus/TARGET/`, where fuzzing begins:
//! `cargo run --bin seeds`, from this folder.

use std::fs;
use std::io::{self, Write as _};

use jettison_image::Compression;
use jettison_image::compression::{Encoder, EncoderOptions};
use jettison_image::testing::tar_corpus;

/// Seeds longer than this slow fuzzing down and show nothing more.
const SEED_BYTES: usize = 16 << 10;

fn main() -> io::Result<()> {
    fs::create_dir_all("corpus/tar")?;
    fs::create_dir_all("corpus/layer")?;
    for case in tar_corpus()
        .into_iter()
        .filter(|case| case.bytes.len() <= SEED_BYTES)
    {
        fs::write(format!("corpus/tar/{}", case.name), &case.bytes)?;
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut encoder = Encoder::new(Vec::new(), &EncoderOptions::new(compression))?;
            encoder.write_all(&case.bytes)?;
            fs::write(
                format!("corpus/layer/{}.{compression}", case.name),
                encoder.finish()?,
            )?;
        }
    }
    Ok(())
}
