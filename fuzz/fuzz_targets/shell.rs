//! Any bytes as the text of a RUN instruction: no panic, and every command and word lies inside the text.

#![no_main]

use jettison_dockerfile::shell::{self, CommandKind};
use jettison_dockerfile::syntax::Logical;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut text = Logical::default();
    text.push(data, 0);
    let script = shell::parse(text);
    for command in script.commands() {
        assert!(command.range.start <= command.range.end && command.range.end <= data.len());
        if let CommandKind::Simple { words, .. } = &command.kind {
            for word in words {
                assert!(word.range.start <= word.range.end && word.range.end <= data.len());
                script.literal(word);
            }
        }
    }
    for error in &script.errors {
        assert!(error.range.start <= error.range.end && error.range.end <= data.len());
    }
});
