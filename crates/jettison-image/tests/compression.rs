//! What packed data may look like, and how it is refused.

use std::io::{self, Cursor, Read, Write as _};

use jettison_image::compression::{Encoder, EncoderOptions, Level};
use jettison_image::{Compression, Decoder, Digest, Error, Limits};
use proptest::prelude::*;

fn unpack(bytes: &[u8], compression: Compression, limits: &Limits) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    Decoder::new(bytes, compression, limits)?.read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn unpack_pipelined(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    Decoder::pipelined(Cursor::new(bytes.to_vec()), compression, &Limits::default())?
        .read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn pack(data: &[u8], options: EncoderOptions) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), &options).expect("encoder");
    encoder.write_all(data).expect("write");
    encoder.finish().expect("finish")
}

fn gzip(data: &[u8]) -> Vec<u8> {
    pack(
        data,
        EncoderOptions {
            level: Level::Fixed(1),
            ..EncoderOptions::new(Compression::Gzip)
        },
    )
}

fn zstd(data: &[u8]) -> Vec<u8> {
    pack(
        data,
        EncoderOptions {
            level: Level::Fixed(1),
            ..EncoderOptions::new(Compression::Zstd)
        },
    )
}

/// A gzip member with every optional header field there is.
fn dressed_gzip(data: &[u8]) -> Vec<u8> {
    let mut header = vec![0x1f, 0x8b, 8, 0b0001_1111, 1, 2, 3, 4, 0, 3];
    header.extend_from_slice(b"\x05\0extra");
    header.extend_from_slice(b"name\0comment\0");
    let crc = libdeflater::crc32(&header) as u16;
    header.extend_from_slice(&crc.to_le_bytes());
    header.extend_from_slice(&gzip(data)[10..]);
    header
}

fn skippable(length: u32) -> Vec<u8> {
    let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
    frame.extend_from_slice(&length.to_le_bytes());
    frame.resize(8 + length as usize, b's');
    frame
}

#[test]
fn forms() {
    fn check(compression: Compression, parts: &[Vec<u8>], expected: Result<&[u8], &str>) {
        let bytes = parts.concat();
        let inline = unpack(&bytes, compression, &Limits::default());
        let threaded = unpack_pipelined(&bytes, compression);
        for result in [inline, threaded] {
            match (result, expected) {
                (Ok(data), Ok(expected)) => assert_eq!(data, expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (result, _) => panic!("{result:?} where {expected:?} was expected"),
            }
        }
    }
    let mut damaged = gzip(b"hello hello hello");
    let middle = damaged.len() - 6;
    damaged[middle] ^= 1;
    let mut wrong_length = gzip(b"hello");
    let last = wrong_length.len() - 4;
    wrong_length[last] ^= 1;
    let mut wrong_header = dressed_gzip(b"x");
    wrong_header[5] ^= 1;
    let mut endless_name = vec![0x1f, 0x8b, 8, 0b1000, 0, 0, 0, 0, 0, 3];
    endless_name.extend_from_slice(&[b'n'; 2000]);

    let c = Compression::Gzip;
    check(c, &[gzip(b"")], Ok(b""));
    check(c, &[gzip(b"hello")], Ok(b"hello"));
    check(
        c,
        &[gzip(b"hello "), gzip(b""), gzip(b"world")],
        Ok(b"hello world"),
    );
    check(c, &[dressed_gzip(b"dressed")], Ok(b"dressed"));
    check(c, &[], Err("ends too early, after 0 bytes"));
    check(c, &[b"not gzip".to_vec()], Err("not gzip"));
    check(c, &[gzip(b"x"), b"junk".to_vec()], Err("not gzip follows"));
    // As with Go's reader, which every engine uses.
    check(c, &[gzip(b"x"), vec![0; 512]], Err("not gzip follows"));
    check(c, &[gzip(b"x"), vec![0x1f]], Err("ends too early"));
    check(c, &[damaged], Err("checksum"));
    check(c, &[wrong_length], Err("length"));
    check(c, &[wrong_header], Err("header does not have the checksum"));
    check(c, &[endless_name], Err("endless name"));
    check(
        c,
        &[vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff]],
        Err("damaged"),
    );
    for length in 1..gzip(b"hello").len() {
        check(
            c,
            &[gzip(b"hello")[..length].to_vec()],
            Err("ends too early"),
        );
    }

    let c = Compression::Zstd;
    check(c, &[zstd(b"")], Ok(b""));
    check(
        c,
        &[zstd(b"hello "), skippable(3), zstd(b"world")],
        Ok(b"hello world"),
    );
    check(c, &[skippable(0), zstd(b"x"), skippable(300_000)], Ok(b"x"));
    check(c, &[], Err("ends too early"));
    check(c, &[zstd(b"x"), b"junk".to_vec()], Err("damaged"));
    check(c, &[skippable(9)[..12].to_vec()], Err("ends too early"));
    for length in 1..zstd(b"hello").len() {
        check(
            c,
            &[zstd(b"hello")[..length].to_vec()],
            Err("ends too early"),
        );
    }
    // A frame header that asks for a window of 2 GiB.
    check(
        c,
        &[vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0, 0, 0, 0]],
        Err("too much memory"),
    );
}

#[test]
fn bombs_end_at_the_limit() {
    let limits = Limits {
        unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    let zeros = vec![0; (1 << 20) + 1];
    for (compression, bytes) in [
        (Compression::Gzip, gzip(&zeros)),
        (Compression::Zstd, zstd(&zeros)),
    ] {
        let error = unpack(&bytes, compression, &limits).expect_err("too much");
        let error = Error::read("layer", error);
        assert!(
            matches!(
                error,
                Error::Limit {
                    flag: "unpacked-bytes",
                    ..
                }
            ),
            "{error}"
        );
        let fine = Limits {
            unpacked_bytes: zeros.len() as u64,
            ..limits.clone()
        };
        assert_eq!(
            unpack(&bytes, compression, &fine).expect("fits").len(),
            zeros.len()
        );
    }
}

#[test]
fn consumed_bytes_add_up() {
    let data: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|n| (n / 7).to_le_bytes())
        .collect();
    for bytes in [gzip(&data), zstd(&data), data.clone()] {
        let size = bytes.len() as u64;
        let mut decoder = Decoder::detect(Cursor::new(bytes), &Limits::default())
            .expect("known")
            .1;
        let (mut before, mut buf) = (0, vec![0; 50_000]);
        while decoder.read(&mut buf).expect("readable") > 0 {
            assert!(decoder.consumed_bytes() >= before);
            before = decoder.consumed_bytes();
            assert!(before <= size);
        }
        assert_eq!(decoder.consumed_bytes(), size);
    }
}

#[test]
fn packed_bytes_are_pinned() {
    fn check(compression: Compression, expected: &str) {
        let data: Vec<u8> = (0..400_000_u32)
            .flat_map(|n| (n.wrapping_mul(n) / 3).to_be_bytes())
            .collect();
        let packed = pack(&data, EncoderOptions::new(compression));
        assert_eq!(
            unpack(&packed, compression, &Limits::default()).expect("readable"),
            data
        );
        assert_eq!(Digest::of(&packed).short(), expected, "{compression}");
    }
    check(Compression::Gzip, "59febaac6f8d");
    check(Compression::Zstd, "177477672d7a");
}

proptest! {
    #[test]
    fn damaged_data_never_panics(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let data: Vec<u8> = (0..5000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let (compression, mut bytes) = match which {
            0 => (Compression::Gzip, gzip(&data)),
            1 => (Compression::Gzip, dressed_gzip(&data)),
            _ => (Compression::Zstd, [skippable(5), zstd(&data)].concat()),
        };
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = unpack(&bytes, compression, &Limits::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn writes_may_be_cut_anywhere(cuts in prop::collection::vec(1..300_000_usize, 0..6)) {
        let data: Vec<u8> = (0..350_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        for (compression, expected) in
            [(Compression::Gzip, gzip(&data)), (Compression::Zstd, zstd(&data))]
        {
            let options =
                EncoderOptions { level: Level::Fixed(1), threads: 2, compression };
            let mut encoder = Encoder::new(Vec::new(), &options).expect("encoder");
            let mut rest = &data[..];
            for cut in &cuts {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                encoder.write_all(now).expect("write");
                encoder.flush().expect("flush");
                rest = later;
            }
            encoder.write_all(rest).expect("write");
            prop_assert!(encoder.finish().expect("finish") == expected);
        }
    }
}

#[test]
fn what_precedes_a_fault_is_handed_out() {
    let data: Vec<u8> = (0..60_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for bytes in [gzip(&data), zstd(&data)] {
        let cut = &bytes[..bytes.len() - 1000];
        let mut decoder = Decoder::detect(cut, &Limits::default()).expect("known").1;
        let mut found = Vec::new();
        let error = decoder.read_to_end(&mut found).expect_err("cut off");
        assert!(error.to_string().contains("ends too early"), "{error}");
        assert!(!found.is_empty() && data.starts_with(&found));
    }
}
