//! Any bytes as an image config: no panic, and what is read is written as
//! something that reads the same and is written the same again.

#![no_main]

use jettison_image::{ImageConfig, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let Ok(config) = ImageConfig::parse(data, &limits) else {
        return;
    };
    let _ = (config.platform().to_string(), config.layer_history());
    let bytes = config.to_bytes();
    let again = ImageConfig::parse(&bytes, &limits).expect("own output is read");
    assert_eq!(again, config);
    assert_eq!(again.to_bytes(), bytes);
});
