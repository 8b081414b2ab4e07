//! `.go.buildinfo` (Go's debug/buildinfo): strings in place since Go 1.18,
//! behind two pointers before.

use serde::Serialize;

use crate::elf::ElfFile;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The blob is aligned to this.
const ALIGNMENT: usize = 16;
/// The text of the largest programs (Kubernetes) has some 60 kB.
const TEXT_BYTES: u64 = 4 << 20;
/// How much of the data segments is searched when the section has no name any more.
const SEARCH_BYTES: usize = 64 << 20;

/// How a Go program was built.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GoBuild {
    /// `go1.26.8`.
    pub go_version: String,
    /// Import path of the main package.
    pub path: Option<String>,
    /// The main module.
    pub main: Option<GoModule>,
    /// The modules it is built of, the main one aside.
    pub modules: Vec<GoModule>,
    /// `CGO_ENABLED`, `GOARCH`, `vcs.revision`, `-ldflags` …
    pub settings: Vec<(String, String)>,
}

/// One module of a Go program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GoModule {
    /// Its path.
    pub path: String,
    /// Its version; `(devel)` for a main module out of a checkout.
    pub version: String,
    /// The `h1:` hash of go.sum, where there is one.
    pub sum: Option<String>,
    /// What stands in for it (`replace`).
    pub replaced_by: Option<Box<GoModule>>,
}

impl GoBuild {
    /// The value of a build setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads it; none when this is no Go program, or one older than Go 1.13.
    pub(crate) fn of(file: &ElfFile<'_>) -> Option<Self> {
        let blob = blob(file)?;
        let flags = *blob.get(15)?;
        let (version, modules) = if flags & 2 != 0 {
            let rest = blob.get(32..)?;
            let (version, rest) = inline_text(rest)?;
            let (modules, _) = inline_text(rest).unwrap_or_default();
            (version, modules)
        } else {
            let pointer_bytes = usize::from(*blob.get(14)?);
            if pointer_bytes != file.word_bytes() || (flags & 1 == 0) != file.little_endian {
                return None;
            }
            let version = pointed_text(file, file.word(blob, 16)?)?;
            let modules = file
                .word(blob, 16 + pointer_bytes)
                .and_then(|at| pointed_text(file, at));
            (version, modules.unwrap_or_default())
        };
        let mut build = Self {
            go_version: text(version),
            ..Self::default()
        };
        build.read_modules(&text(unwrapped(modules)));
        Some(build)
    }

    fn read_modules(&mut self, lines: &str) {
        let mut last = None;
        for line in lines.lines() {
            let mut fields = line.split('\t');
            let kind = fields.next().unwrap_or_default();
            let mut field = || fields.next().unwrap_or_default().to_owned();
            match kind {
                "path" => self.path = Some(field()),
                "mod" | "dep" | "=>" => {
                    let module = GoModule {
                        path: field(),
                        version: field(),
                        sum: Some(field()).filter(|sum| !sum.is_empty()),
                        replaced_by: None,
                    };
                    match (kind, last) {
                        ("mod", _) => self.main = Some(module),
                        ("dep", _) => self.modules.push(module),
                        // A replacement belongs to the line before it.
                        (_, Some("mod")) => {
                            if let Some(main) = &mut self.main {
                                main.replaced_by = Some(Box::new(module));
                            }
                        }
                        _ => {
                            if let Some(replaced) = self.modules.last_mut() {
                                replaced.replaced_by = Some(Box::new(module));
                            }
                        }
                    }
                }
                "build" => {
                    let setting = field();
                    if let Some((key, value)) = split_setting(&setting) {
                        self.settings.push((key, value));
                    }
                }
                _ => {}
            }
            last = Some(kind);
        }
    }
}

fn blob<'d>(file: &ElfFile<'d>) -> Option<&'d [u8]> {
    if let Some(bytes) = file
        .section(b".go.buildinfo")
        .and_then(|section| file.section_bytes(section))
        && bytes.starts_with(MAGIC)
    {
        return Some(bytes);
    }
    const PT_LOAD: u32 = 1;
    // Segments may lie over each other.
    let mut left = SEARCH_BYTES;
    file.segments_of(PT_LOAD)
        .filter(|segment| segment.writable)
        .find_map(|segment| {
            let bytes = file.segment_bytes(segment);
            let within = &bytes[..bytes.len().min(left)];
            left -= within.len();
            let at = (0..within.len())
                .step_by(ALIGNMENT)
                .find(|&at| within[at..].starts_with(MAGIC))?;
            Some(&bytes[at..])
        })
}

/// A length as a varint, then the bytes.
fn inline_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            if length > TEXT_BYTES {
                return None;
            }
            return bytes
                .get(at + 1..)?
                .split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

/// A Go string at an address: pointer and length.
fn pointed_text<'d>(file: &ElfFile<'d>, address: u64) -> Option<&'d [u8]> {
    let word = file.word_bytes();
    let header = file.bytes_at(address, 2 * word as u64)?;
    let (start, length) = (file.word(header, 0)?, file.word(header, word)?);
    if length > TEXT_BYTES {
        None
    } else {
        file.bytes_at(start, length)
    }
}

/// The module text lies between two 16-byte marks.
fn unwrapped(text: &[u8]) -> &[u8] {
    let length = text.len();
    if length >= 33 && text[length - 17] == b'\n' {
        &text[16..length - 16]
    } else {
        &[]
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `KEY=VALUE`, either of them quoted as Go quotes strings where it must be.
fn split_setting(setting: &str) -> Option<(String, String)> {
    let (key, rest) = split_quoted(setting)?;
    let value = rest.strip_prefix('=')?;
    let value = if value.starts_with(['"', '`']) {
        split_quoted(value)?.0
    } else {
        value.to_owned()
    };
    Some((key, value))
}

fn split_quoted(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, rest) = raw.split_once('`')?;
        return Some((value.to_owned(), rest));
    }
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('=')?;
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                escaped => value.push(escaped),
            },
            c => value.push(c),
        }
    }
    None
}
