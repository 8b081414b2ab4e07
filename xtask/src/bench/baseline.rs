//! `xtask baseline WHAT PATH`: plain programs that do the least that must be done, with the same libraries as jettison, as the
//! measure of what jettison does beyond that.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::tar_walk::{Header, next_header, padded};
use crate::Problem;

const BUFFER: usize = 256 * 1024;

/// `headers FILE`, `hash FILE`, `inflate LAYOUT`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let [what, path] = arguments else {
        return Err("baseline wants what and a path".into());
    };
    let path = Path::new(path);
    match what.as_str() {
        "headers" => println!("{} headers", headers(&mut File::open(path)?)?),
        "hash" => println!("{}", hash(&mut File::open(path)?)?),
        "inflate" => inflate(path)?,
        other => return Err(format!("no such baseline: {other}").into()),
    }
    Ok(())
}

/// Walks the headers of a docker-archive and of the layers in it, seeking over contents.
fn headers(archive: &mut File) -> Result<u64, Problem> {
    let mut count = 0;
    let mut at = 0;
    while let Some(header) = header_at(archive, at)? {
        at += 512;
        count += 1;
        if header.name.ends_with(b".tar") {
            let end = at + header.size_bytes;
            let mut inside = at;
            while inside < end {
                let Some(header) = header_at(archive, inside)? else {
                    break;
                };
                inside += 512 + padded(header.size_bytes);
                count += 1;
            }
        }
        at += padded(header.size_bytes);
    }
    Ok(count)
}

fn header_at(archive: &mut File, at: u64) -> io::Result<Option<Header>> {
    archive.seek(SeekFrom::Start(at))?;
    next_header(archive)
}

/// SHA-256 of everything that comes.
pub(crate) fn hash(input: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Inflates and hashes every gzip blob of a layout, one after the other.
fn inflate(layout: &Path) -> Result<(), Problem> {
    for entry in std::fs::read_dir(layout.join("blobs/sha256"))? {
        let mut blob = File::open(entry?.path())?;
        let mut magic = [0; 2];
        if blob.read_exact(&mut magic).is_err() || magic != [0x1f, 0x8b] {
            continue;
        }
        blob.seek(SeekFrom::Start(0))?;
        println!(
            "{}",
            hash(&mut MultiGzDecoder::new(BufReader::with_capacity(
                BUFFER, blob
            )))?
        );
    }
    Ok(())
}
