//! RUN.

use super::flags::{Flags, Takes};
use super::mount::{self, boolean};
use super::{CommandLine, csv};
use crate::ParseErrorKind;
use crate::syntax::{
    Heredoc, Logical, Node, Word, go_quote, parse_heredoc_word, remove_leading_tabs,
};
use crate::text;

/// RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The command.
    pub command: CommandLine,
    /// `--mount`, as written; [`super::Mount::read`] reads one once variables are known.
    pub mounts: Vec<Word>,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--device`.
    pub devices: Vec<Device>,
    /// Heredocs in order.
    pub heredocs: Vec<Heredoc>,
    /// What the shell is handed; `None` in the exec form.
    pub script: Option<Script>,
}

/// The text that a shell gets, with its way back to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The text.
    pub text: Logical,
    /// It is the contents of the one heredoc that the instruction consists of. When it then starts with `#!`, it is
    /// a file that is executed, and no shell reads it.
    pub is_heredoc: bool,
}

/// `--network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the flag")]
pub enum Network {
    #[default]
    Default,
    None,
    Host,
}

/// `--security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the flag")]
pub enum Security {
    #[default]
    Sandbox,
    Insecure,
}

/// `--device`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// The device's name.
    pub name: Vec<u8>,
    /// The build fails without it.
    pub required: bool,
}

pub(super) fn read(node: &Node, heredocs: &[Heredoc]) -> Result<Run, ParseErrorKind> {
    const KNOWN: [(&str, Takes); 4] = [
        ("mount", Takes::Values),
        ("network", Takes::Value),
        ("security", Takes::Value),
        ("device", Takes::Values),
    ];
    let flags = Flags::read(node, &KNOWN)?;
    let command = super::read::command(node);
    let devices = flags
        .values("device")
        .iter()
        .map(|word| device(&word.value))
        .collect::<Result<_, _>>()?;
    let mounts = flags.values("mount");
    for mount in &mounts {
        mount::check(&mount.value)?;
    }
    let network = match flags
        .value("network")
        .as_ref()
        .map(|word| word.value.as_slice())
    {
        None | Some(b"default") => Network::Default,
        Some(b"none") => Network::None,
        Some(b"host") => Network::Host,
        Some(other) => return Err(ParseErrorKind::NetworkMode(go_quote(other))),
    };
    let security = match flags
        .value("security")
        .as_ref()
        .map(|word| word.value.as_slice())
    {
        None | Some(b"sandbox") => Security::Sandbox,
        Some(b"insecure") => Security::Insecure,
        Some(other) => return Err(ParseErrorKind::Security(go_quote(other))),
    };
    let script = script(&command, node, heredocs);
    Ok(Run {
        command,
        mounts,
        network,
        security,
        devices,
        heredocs: heredocs.to_vec(),
        script,
    })
}

fn script(command: &CommandLine, node: &Node, heredocs: &[Heredoc]) -> Option<Script> {
    let word = command.words.first().filter(|_| command.shell)?;
    let opens_one = parse_heredoc_word(&word.value).ok().flatten().is_some();
    if let (Some(heredoc), true) = (heredocs.first(), opens_one) {
        let mut text = Logical::default();
        push_body(&mut text, heredoc, heredoc.word.chomp);
        return Some(Script {
            text,
            is_heredoc: true,
        });
    }
    // The words of a trigger have no logical line of their own; its text then maps to where it starts.
    let mut text = if node.logical.text().is_empty() {
        let mut text = Logical::default();
        text.push(&word.value, word.range.start);
        text
    } else {
        node.logical.slice(node.rest.clone())
    };
    for heredoc in heredocs {
        // The line feed in front of the body is the end of the instruction's line in the file.
        text.push(b"\n", heredoc.range.start.saturating_sub(1));
        push_body(&mut text, heredoc, false);
        text.push(&heredoc.word.name, heredoc.terminator.start);
    }
    Some(Script {
        text,
        is_heredoc: false,
    })
}

fn push_body(text: &mut Logical, heredoc: &Heredoc, chomp: bool) {
    let mut at = heredoc.range.start;
    for line in heredoc.content.split_inclusive(|byte| *byte == b'\n') {
        let kept = if chomp {
            remove_leading_tabs(line)
        } else {
            line.to_vec()
        };
        text.push(&kept, at + (line.len() - kept.len()));
        at += line.len();
    }
}

fn device(value: &[u8]) -> Result<Device, ParseErrorKind> {
    let mut device = Device::default();
    for field in csv::fields(value).map_err(ParseErrorKind::DeviceList)? {
        let equals = field.iter().position(|byte| *byte == b'=');
        let key = text::lower(&field[..equals.unwrap_or(field.len())]);
        match (key.as_slice(), equals.map(|at| &field[at + 1..])) {
            (b"required", None) => device.required = true,
            (b"name", Some(name)) if device.name.is_empty() => device.name = name.to_vec(),
            (b"name", Some(_)) => {
                return Err(ParseErrorKind::Device(format!(
                    "device name already set to {}",
                    text::lossy(&device.name)
                )));
            }
            (b"required", Some(value)) => {
                device.required = boolean(value).ok_or_else(|| {
                    ParseErrorKind::Device(format!(
                        "invalid value for required: {}",
                        text::lossy(value)
                    ))
                })?;
            }
            _ if device.name.is_empty() => device.name = field,
            (_, None) => {
                return Err(ParseErrorKind::Device(format!(
                    "invalid field '{}' must be a key=value pair",
                    text::lossy(&field)
                )));
            }
            _ => {
                let (key, field) = (text::lossy(&key), text::lossy(&field));
                return Err(ParseErrorKind::Device(format!(
                    "unexpected key '{key}' in '{field}'"
                )));
            }
        }
    }
    Ok(device)
}
