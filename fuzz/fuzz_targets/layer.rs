//! Any bytes as a packed layer: no panic, no memory out of proportion, and
//! unpacking ahead in a thread gives what unpacking in place gives.

#![no_main]

use std::io::{BufRead as _, Cursor};

use jettison_image::layer::LayerReader;
use jettison_image::tar::Source;
use jettison_image::{Decoder, DiffId, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        unpacked_bytes: 4 << 20,
        ..Limits::default()
    };
    let inline = Decoder::detect(data, &limits)
        .ok()
        .map(|(_, decoder)| scan(decoder, &limits));
    let ahead = Decoder::detect_pipelined(Cursor::new(data.to_vec()), &limits).ok();
    let ahead = ahead.map(|(_, decoder)| scan(decoder, &limits));
    assert_eq!(inline, ahead);
});

fn scan(source: impl Source, limits: &Limits) -> Result<(u64, DiffId), String> {
    let mut layer = LayerReader::new(source, limits);
    let mut entries = 0;
    loop {
        match layer.next_entry() {
            Ok(Some(mut entry)) => {
                entries += 1;
                entry.fill_buf().map_err(|error| error.to_string())?;
                entry.sha256().map_err(|error| error.to_string())?;
            }
            Ok(None) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    let summary = layer.finish().map_err(|error| error.to_string())?;
    Ok((entries, summary.diff_id))
}
