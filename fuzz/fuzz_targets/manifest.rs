//! Any bytes as a manifest or index: no panic, and what is read is written as
//! something that reads the same.

#![no_main]

use jettison_image::{Limits, ManifestOrIndex, Platform};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let Ok(parsed) = ManifestOrIndex::parse(data, "", &limits) else {
        return;
    };
    let bytes = match &parsed {
        ManifestOrIndex::Manifest(manifest) => manifest.to_bytes(),
        ManifestOrIndex::Index(index) => {
            let _ = index.select(&Platform::host());
            index.to_bytes()
        }
    };
    let again = ManifestOrIndex::parse(&bytes, "", &limits).expect("own output is read");
    assert_eq!(again, parsed);
});
