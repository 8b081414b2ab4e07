//! The pipe to BuildKit's own parser (`tests/oracle`, a Go program that is built here), the corpus, and what both
//! sides' answers are compared as. Whatever is missing is said aloud, never passed over.

#![allow(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::print_stderr, reason = "what is skipped is said aloud")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A question: a letter and its byte strings.
pub(crate) struct Question(pub(crate) u8, pub(crate) Vec<Vec<u8>>);

/// Builds the judge once; `None`, said aloud, where Go or the modules cannot be had.
pub(crate) fn judge() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("buildkit-judge-{}", std::process::id()));
    let output = Command::new("go")
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .output();
    match output {
        Ok(output) if output.status.success() => Some(binary),
        Ok(output) => {
            eprintln!(
                "skipped: BuildKit's parser does not build: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            None
        }
        Err(error) => {
            eprintln!("skipped: no go: {error}");
            None
        }
    }
}

/// Asks everything in one run and hands each answer to `check` with the number of its question.
pub(crate) fn ask(
    judge: &Path,
    questions: impl Iterator<Item = Question> + Send,
    mut check: impl FnMut(usize, Value),
) {
    let mut child = Command::new(judge)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the judge was built a moment ago");
    let mut stdin = std::io::BufWriter::new(child.stdin.take().expect("stdin is piped"));
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for Question(letter, fields) in questions {
                let mut message = vec![letter];
                message.extend((fields.len() as u32).to_be_bytes());
                for field in fields {
                    message.extend((field.len() as u32).to_be_bytes());
                    message.extend(field);
                }
                if stdin.write_all(&message).is_err() {
                    return;
                }
            }
        });
        for (index, line) in stdout.lines().enumerate() {
            let line = line.expect("the judge's answers are text");
            check(
                index,
                serde_json::from_str(&line).expect("the judge answers in JSON"),
            );
        }
    });
    assert!(child.wait().expect("the judge ends").success());
}

/// The real Dockerfiles; empty, said aloud, where they are not at hand.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let candidates = [
        root.join("../shared/corpus/dockerfiles"),
        root.join("../../shared/corpus/dockerfiles"),
    ];
    let Some(folder) = candidates.iter().find(|folder| folder.is_dir()) else {
        eprintln!("skipped: the corpus of real Dockerfiles is not at ../shared/corpus");
        return Vec::new();
    };
    let mut out: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("the corpus is readable")
        .map(|entry| {
            let entry = entry.expect("the corpus is readable");
            (
                entry.file_name().to_string_lossy().into_owned(),
                std::fs::read(entry.path()).expect("the corpus is readable"),
            )
        })
        .collect();
    out.sort();
    out
}

/// Bytes as the judge writes them.
pub(crate) fn encode(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        Value::from("")
    } else {
        Value::from(STANDARD.encode(bytes))
    }
}

/// Bytes as the judge wrote them.
pub(crate) fn decode(value: &Value) -> Vec<u8> {
    value
        .as_str()
        .map(|text| STANDARD.decode(text).expect("base64"))
        .unwrap_or_default()
}

/// A small generator with a seed, so that every run sees the same inputs.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}
