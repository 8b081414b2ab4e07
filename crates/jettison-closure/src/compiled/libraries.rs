//! Names given to `dlopen`: texts like `libgpm.so.2` in what calls it, and the
//! names that a program lists itself in a note
//! (systemd's "ELF dlopen metadata", owner `FDO`, type 0x407c0c0a).

use jettison_image::{Node, escape};

use crate::edge::How;
use crate::facts::ProgramFacts;
use crate::loader::Loader;
use crate::scripts::Reader;

const NOTE_OWNER: &[u8] = b"FDO\0";
const NOTE_TYPE: u32 = 0x407c_0c0a;
/// Longest name of a library.
const MOST_NAME: usize = 128;
/// Names of one file.
const MOST: usize = 4096;

/// Functions that open a library by its name, wrappers of `dlopen` among them.
const OPENERS: &[&str] = &[
    "dlopen",
    "dlmopen",
    "g_module_open",
    "g_module_open_full",
    "lt_dlopen",
    "lt_dlopenext",
    "SDL_LoadObject",
    "PR_LoadLibrary",
    "apr_dso_load",
    "uv_dlopen",
    "DSO_load",
];

pub(super) fn edges<'a>(
    reader: &mut Reader<'_>,
    loader: &Loader<'a>,
    node: Node<'a>,
    facts: &ProgramFacts<'_>,
) {
    for name in noted(facts) {
        open(reader, loader, node, name.as_bytes());
    }
    if !facts.calls(OPENERS) && !facts.is_go {
        return;
    }
    let names = facts.c_texts().filter(|text| is_library(text)).take(MOST);
    for name in names {
        open(reader, loader, node, name);
    }
}

fn open<'a>(reader: &mut Reader<'_>, loader: &Loader<'a>, node: Node<'a>, name: &[u8]) {
    let shown = escape(&String::from_utf8_lossy(name));
    for path in loader.find(node, name) {
        reader.add(path, How::Opens, format!("opens {shown}"));
    }
}

/// `libx.so`, `libx.so.1`, `x.so`; no path and no pattern.
fn is_library(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(text, b".so") else {
        return false;
    };
    let version = &text[at + 3..];
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"._+-".contains(b);
    at > 0
        && text.len() <= MOST_NAME
        && text.iter().all(is_name)
        && (version.is_empty() || version.first() == Some(&b'.'))
        && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// The names in the notes.
fn noted(facts: &ProgramFacts<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for notes in &facts.notes {
        let mut rest = *notes;
        while rest.len() >= 12 && names.len() < MOST {
            let number = |at: usize| {
                let raw: [u8; 4] = rest[at..at + 4].try_into().unwrap_or_default();
                match facts.elf.little_endian {
                    true => u32::from_le_bytes(raw),
                    false => u32::from_be_bytes(raw),
                }
            };
            let (owner_bytes, bytes, kind) = (number(0) as usize, number(4) as usize, number(8));
            let text_at = owner_bytes
                .checked_next_multiple_of(4)
                .and_then(|owner| owner.checked_add(12));
            let Some(text_at) = text_at else { break };
            let end = bytes.checked_add(text_at);
            let Some(text) = end.and_then(|end| rest.get(text_at..end)) else {
                break;
            };
            if kind == NOTE_TYPE && rest.get(12..).is_some_and(|r| r.starts_with(NOTE_OWNER)) {
                names.extend(sonames(text));
            }
            let next = end.and_then(|end| end.checked_next_multiple_of(4));
            rest = next.and_then(|next| rest.get(next..)).unwrap_or_default();
        }
    }
    names
}

/// `[{"feature": …, "soname": ["libx.so.1", "libx.so.0"]}]`.
fn sonames(text: &[u8]) -> Vec<String> {
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    let Ok(serde_json::Value::Array(features)) = serde_json::from_slice(text) else {
        return Vec::new();
    };
    features
        .iter()
        .filter_map(|feature| feature.get("soname")?.as_array())
        .flatten()
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_library;

    #[test]
    fn names_of_libraries() {
        for (text, expected) in [
            ("libgpm.so.2", true),
            ("libx.so", true),
            ("plugin.so", true),
            ("lib%s.so", false),
            ("libx.so.2 is missing", false),
            ("libx.solver", false),
            ("/usr/lib/libx.so", false),
            (".so", false),
        ] {
            assert_eq!(is_library(text.as_bytes()), expected, "{text}");
        }
    }
}
