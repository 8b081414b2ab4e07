//! Conditions: `[ … ]`, and commands that only answer.

use jettison_dockerfile::shell::{Command, Connector, List, Pipeline};

use super::{Run, Status, Text};
use crate::index::Version;
use crate::system::accounts;
use crate::system::diversions;
use crate::system::model::Found;

/// Where commands are looked for.
const PATH: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

impl<'a> Run<'a, '_> {
    /// `[ … ]` and `test …`, without the name and the closing bracket.
    pub(super) fn judge(&self, words: &[Text]) -> Status {
        // As many as no person writes.
        if words.len() > 200 {
            return Status::Unknown;
        }
        // -o binds weaker than -a.
        if let Some(at) = operator(words, b"-o") {
            let (left, right) = (self.judge(&words[..at]), self.judge(&words[at + 1..]));
            return match (left, right) {
                (Status::Yes, _) | (_, Status::Yes) => Status::Yes,
                (Status::No, Status::No) => Status::No,
                _ => Status::Unknown,
            };
        }
        if let Some(at) = operator(words, b"-a") {
            let (left, right) = (self.judge(&words[..at]), self.judge(&words[at + 1..]));
            return match (left, right) {
                (Status::No, _) | (_, Status::No) => Status::No,
                (Status::Yes, Status::Yes) => Status::Yes,
                _ => Status::Unknown,
            };
        }
        match words {
            [] => Status::No,
            [None] => Status::Unknown,
            [Some(word)] => (!word.is_empty()).into(),
            [Some(not), rest @ ..] if not == b"!" && !rest.is_empty() && rest.len() != 2 => {
                self.judge(rest).not()
            }
            [Some(not), Some(operator), operand] if not == b"!" => {
                let operand = std::slice::from_ref(operand);
                self.unary(operator, operand).not()
            }
            [Some(operator), operand] => self.unary(operator, std::slice::from_ref(operand)),
            [left, Some(operator), right] => {
                let (Some(left), Some(right)) = (left, right) else {
                    return Status::Unknown;
                };
                binary(left, operator, right)
            }
            _ => Status::Unknown,
        }
    }

    fn unary(&self, operator: &[u8], operand: &[Text]) -> Status {
        let [Some(operand)] = operand else {
            return Status::Unknown;
        };
        let found = || self.model.find(operand);
        match operator {
            b"-n" => (!operand.is_empty()).into(),
            b"-z" => operand.is_empty().into(),
            _ if operand.is_empty() => Status::No,
            b"-e" => found().is_some().into(),
            b"-f" => matches!(found(), Some(Found::File(_))).into(),
            b"-d" => (found() == Some(Found::Directory)).into(),
            b"-L" | b"-h" => {
                matches!(self.model.find_link(operand), Some(Found::Symlink(_))).into()
            }
            b"-r" | b"-w" => found().is_some().into(),
            b"-x" => match found() {
                Some(Found::File(mode)) => (mode & 0o111 != 0).into(),
                other => other.is_some().into(),
            },
            b"-s" => match found() {
                Some(Found::File(_)) => match self.model.read(operand) {
                    Some(content) => (!content.is_empty()).into(),
                    None => Status::Yes,
                },
                other => other.is_some().into(),
            },
            b"-S" | b"-p" | b"-b" | b"-c" | b"-t" => Status::No,
            _ => Status::Unknown,
        }
    }

    /// Commands that answer and change nothing; none where this is not such.
    pub(super) fn asked(&mut self, words: &[Vec<u8>]) -> Option<Status> {
        let name = words.first()?.as_slice();
        let arguments: Vec<&[u8]> = words.iter().skip(1).map(Vec::as_slice).collect();
        Some(match (name, arguments.as_slice()) {
            (b"true" | b":" | b"ischroot", _) => Status::Yes,
            (b"false", _) => Status::No,
            (b"command", [b"-v", program]) | (b"which" | b"type", [program]) => {
                self.program(program).is_some().into()
            }
            (b"getent", [b"passwd" | b"group", _]) | (b"id", [b"-u" | b"-g", _]) | (b"id", [_]) => {
                let database = match arguments[0] {
                    b"group" => "/etc/group",
                    _ => "/etc/passwd",
                };
                let name = arguments.last()?;
                let text = self.model.read(database.as_bytes()).unwrap_or_default();
                accounts::lookup(&text, name).is_some().into()
            }
            (b"dpkg", [b"--compare-versions", b"--", left, operator, right])
            | (b"dpkg", [b"--compare-versions", left, operator, right]) => {
                compare(left, operator, right)
            }
            (b"dpkg", [b"--compare-versions", operator, right]) => compare(b"", operator, right),
            (b"dpkg-statoverride", [b"--list", ..]) => Status::No,
            (b"dpkg-divert", [b"--list" | b"--listpackage", path]) => {
                diversions::of(self.model, path).is_some().into()
            }
            (b"systemctl" | b"pidof" | b"mountpoint", _) => Status::No,
            _ => return None,
        })
    }

    /// Where a program lies.
    pub(super) fn program(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.contains(&b'/') {
            return self.model.exists(name).then(|| name.to_vec());
        }
        let places = PATH
            .iter()
            .map(|folder| [folder.as_bytes(), b"/", name].concat());
        places.into_iter().find(|place| self.model.exists(place))
    }

    /// What a command in `$( … )` would write, where that can be told.
    pub(super) fn substituted(&mut self, list: &'a List) -> Text {
        let [item] = list.items.as_slice() else {
            return None;
        };
        // `$( … || true )` writes no more than what stands before it.
        let is_harmless =
            |pipeline: &Pipeline| matches!(self.bytes(&pipeline.range), b"true" | b":");
        let mut rest = item.rest.iter();
        if !rest.all(|(connector, _, other)| *connector == Connector::Or && is_harmless(other)) {
            return None;
        }
        let [
            Command {
                kind: jettison_dockerfile::shell::CommandKind::Simple { words, .. },
                ..
            },
        ] = item.first.commands.as_slice()
        else {
            return None;
        };
        let words = self.fields(words)?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        Some(match words.as_slice() {
            [b"command", b"-v", program] | [b"which", program] => {
                self.program(program).unwrap_or_default()
            }
            [b"uname", b"-s"] | [b"uname"] => b"Linux".to_vec(),
            [b"dpkg", b"--print-architecture"] => self.architecture.as_bytes().to_vec(),
            [b"dpkg-divert", b"--listpackage", path] => {
                diversions::of(self.model, path).map_or(Vec::new(), |known| known.package)
            }
            [b"dpkg-divert", b"--truename", path] => {
                diversions::of(self.model, path).map_or(path.to_vec(), |known| known.to)
            }
            [b"basename", path] => {
                let end = path.iter().rposition(|byte| *byte == b'/');
                path[end.map_or(0, |at| at + 1)..].to_vec()
            }
            [b"dirname", path] => {
                let end = path.iter().rposition(|byte| *byte == b'/')?;
                path[..end].to_vec()
            }
            [b"echo", text @ ..] => text.join(&b' '),
            [b"readlink", path] => match self.model.find_link(path) {
                Some(Found::Symlink(target)) => target,
                _ => Vec::new(),
            },
            [b"dpkg-realpath" | b"realpath", path] => {
                let real = self.model.real(path, true)?;
                [b"/", real.as_bytes()].concat()
            }
            [b"cat", path] => {
                let mut text = self.model.read(path)?;
                while text.last() == Some(&b'\n') {
                    text.pop();
                }
                text
            }
            _ => return None,
        })
    }
}

fn operator(words: &[Text], name: &[u8]) -> Option<usize> {
    let is = |word: &Text| word.as_deref() == Some(name);
    let at = words.iter().position(is)?;
    (at > 0 && at + 1 < words.len() && words.len() > 3).then_some(at)
}

fn binary(left: &[u8], operator: &[u8], right: &[u8]) -> Status {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<i64>().ok();
    let compared = |is: fn(i64, i64) -> bool| match (number(left), number(right)) {
        (Some(left), Some(right)) => is(left, right).into(),
        _ => Status::Unknown,
    };
    match operator {
        b"=" | b"==" => (left == right).into(),
        b"!=" => (left != right).into(),
        b"-eq" => compared(|a, b| a == b),
        b"-ne" => compared(|a, b| a != b),
        b"-lt" => compared(|a, b| a < b),
        b"-le" => compared(|a, b| a <= b),
        b"-gt" => compared(|a, b| a > b),
        b"-ge" => compared(|a, b| a >= b),
        _ => Status::Unknown,
    }
}

/// dpkg(1): no version is earlier than any, with `-nl` later.
fn compare(left: &[u8], operator: &[u8], right: &[u8]) -> Status {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (operator, empty_is_late) = match operator.strip_suffix(b"-nl") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    use std::cmp::Ordering;
    let order = match (left.is_empty(), right.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if empty_is_late => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if empty_is_late => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => Version::new(text(left)).cmp(&Version::new(text(right))),
    };
    match operator {
        b"lt" | b"<<" => order.is_lt(),
        b"le" | b"<=" | b"<" => order.is_le(),
        b"eq" | b"=" => order.is_eq(),
        b"ne" => order.is_ne(),
        b"ge" | b">=" | b">" => order.is_ge(),
        b"gt" | b">>" => order.is_gt(),
        _ => return Status::Unknown,
    }
    .into()
}
