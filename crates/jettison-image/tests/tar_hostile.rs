//! Archives that lie are refused by name; mutated ones never panic or hang.

use std::io::{Cursor, Read as _};
use std::sync::OnceLock;

use jettison_image::tar::{Reader, SeekSource, Source};
use jettison_image::testing::{Expected, TarBlock, TarCase, tar_corpus};
use jettison_image::{EntryKind, Error, Limits};
use proptest::prelude::*;

/// Reads everything, content included, without letting a hole run for ever.
fn read_all<S: Source>(source: S, limits: &Limits) -> Result<usize, Error> {
    let mut reader = Reader::new(source, limits);
    let mut entries = 0;
    while let Some(mut entry) = reader.next_entry()? {
        entries += 1;
        let name = entry.entry().path.display().to_string();
        let mut content = (&mut entry).take(1 << 20);
        std::io::copy(&mut content, &mut std::io::sink())
            .map_err(|error| Error::read(name, error))?;
    }
    reader.finish()?;
    Ok(entries)
}

#[test]
fn the_corpus_is_read_as_it_should_be() {
    for case in tar_corpus() {
        let limits = Limits::default();
        let streamed = read_all(case.bytes.as_slice(), &limits).map_err(|error| error.to_string());
        let source = SeekSource::new(Cursor::new(&case.bytes)).expect("in memory");
        let sought = read_all(source, &limits).map_err(|error| error.to_string());
        assert_eq!(streamed, sought, "{}", case.name);
        match (&case.expected, streamed) {
            (Expected::Fine(expected), Ok(entries)) => {
                assert_eq!(entries, *expected, "{}", case.name)
            }
            (Expected::Error(text), Err(error)) => {
                assert!(error.contains(text), "{}: {error}", case.name);
                assert!(
                    !error.chars().any(char::is_control),
                    "{}: {error:?}",
                    case.name
                );
            }
            (_, result) => panic!("{}: {result:?}", case.name),
        }
    }
}

#[test]
fn every_truncation_is_an_error_or_a_shorter_archive() {
    for case in tar_corpus()
        .into_iter()
        .filter(|case| case.bytes.len() < 8192)
    {
        // A step that is prime to everything in the format.
        for length in (0..case.bytes.len()).step_by(37) {
            let _ = read_all(&case.bytes[..length], &Limits::default());
        }
    }
}

fn small_cases() -> &'static Vec<TarCase> {
    static CASES: OnceLock<Vec<TarCase>> = OnceLock::new();
    CASES.get_or_init(|| {
        let is_small = |case: &TarCase| (1..8192).contains(&case.bytes.len());
        tar_corpus().into_iter().filter(is_small).collect()
    })
}

proptest! {
    #[test]
    fn mutated_archives_never_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        repair in any::<bool>(),
    ) {
        let mut bytes = which.get(&small_cases()[..]).bytes.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if repair {
            // Mostly a wrong checksum would hide everything behind it.
            for block in bytes.chunks_exact_mut(512) {
                if block[257..262] == *b"ustar" {
                    block[148..156].fill(b' ');
                    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
                    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
                }
            }
        }
        let streamed = read_all(bytes.as_slice(), &Limits::default());
        let source = SeekSource::new(Cursor::new(&bytes)).expect("in memory");
        let sought = read_all(source, &Limits::default());
        prop_assert_eq!(
            streamed.map_err(|error| error.to_string()),
            sought.map_err(|error| error.to_string())
        );
    }
}

/// Names of an archive read as by a process whose root is the destination.
#[test]
fn a_rooted_reader_keeps_names_within() {
    for (name, expected) in [
        ("../climbed", "climbed"),
        ("/a/../../b", "b"),
        ("a/./b/../c", "a/c"),
        ("a/../..", ""),
    ] {
        let archive = TarBlock::new(b'5', name, 0).bytes();
        let limits = Limits::default();
        let mut strict = Reader::new(archive.as_slice(), &limits);
        assert!(strict.next_entry().is_err(), "{name}");
        let mut rooted = Reader::new(archive.as_slice(), &limits).rooted();
        let entry = rooted.next_entry().expect(name).expect(name);
        assert_eq!(entry.entry().path.as_bytes(), expected.as_bytes(), "{name}");
    }
    let link = TarBlock::new(b'1', "l", 0).link("../../x").bytes();
    let mut rooted = Reader::new(link.as_slice(), &Limits::default()).rooted();
    let entry = rooted.next_entry().expect("read").expect("a link");
    assert!(matches!(
        &entry.entry().kind,
        EntryKind::HardLink { target } if target.as_bytes() == b"x"
    ));
}
