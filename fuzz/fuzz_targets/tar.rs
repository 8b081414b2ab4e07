//! Any bytes as a tar archive: no panic, the same entries streamed and
//! sought, and what is read can be written and is read back alike.

#![no_main]

use std::io::{Cursor, Read as _};

use jettison_image::tar::{END_OF_ARCHIVE, Reader, SeekSource, Source, encode_header};
use jettison_image::{Entry, EntryKind, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (streamed, raw) = read(data);
    let (sought, _) = read(SeekSource::new(Cursor::new(data)).expect("memory can be sought"));
    assert_eq!(streamed, sought);
    let (copied, _) = read(&[&raw[..], &END_OF_ARCHIVE].concat()[..]);
    assert_eq!(streamed, copied);
    for entry in streamed {
        let mut entry = entry;
        if let EntryKind::File { size_bytes } = &mut entry.kind {
            *size_bytes = 0;
        }
        // What cannot be written is an error, never something else.
        let Ok(header) = encode_header(&entry) else {
            continue;
        };
        let mut reader = Reader::new(&header[..], &Limits::default());
        let back = reader.next_entry().expect("readable").expect("an entry");
        assert_eq!(*back.entry(), entry);
    }
});

/// The entries up to the first error, and their raw copies.
fn read(source: impl Source) -> (Vec<Entry>, Vec<u8>) {
    let mut reader = Reader::new(source, &Limits::default());
    let (mut entries, mut raw) = (Vec::new(), Vec::new());
    while let Ok(Some(mut entry)) = reader.next_entry() {
        let before = raw.len();
        let read = match entries.len() % 2 {
            0 => entry.copy_raw(&mut raw).is_ok(),
            _ => {
                // Content first, then nothing is left to copy.
                let mut content = (&mut entry).take(1 << 16);
                std::io::copy(&mut content, &mut std::io::sink()).is_ok()
            }
        };
        if !read {
            raw.truncate(before);
            break;
        }
        if entries.len() % 2 == 1 {
            raw.truncate(before);
            let plain = Entry {
                kind: without_content(&entry.entry().kind),
                ..entry.into_entry()
            };
            // Names of attributes that no archive can say.
            let Ok(header) = encode_header(&plain) else {
                break;
            };
            raw.extend_from_slice(&header);
            entries.push(plain);
        } else {
            entries.push(entry.into_entry());
        }
    }
    (entries, raw)
}

fn without_content(kind: &EntryKind) -> EntryKind {
    match kind {
        EntryKind::File { .. } => EntryKind::File { size_bytes: 0 },
        other => other.clone(),
    }
}
