//! The first line of a script: `#!`, as the kernel's binfmt_script reads it.

use jettison_image::ImagePath;

use super::reader::{Reader, last};
use super::wrappers;
use crate::How;

/// The kernel reads so much of a file's head.
const MOST_BYTES: usize = 256;

/// A `#!` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shebang {
    /// What the kernel starts.
    pub(crate) interpreter: Vec<u8>,
    /// The one argument that the kernel passes.
    pub(crate) argument: Option<Vec<u8>>,
}

impl Shebang {
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        let head = data
            .get(..data.len().min(MOST_BYTES))?
            .strip_prefix(b"#!")?;
        let line = head.split(|&byte| byte == b'\n' || byte == 0).next()?;
        let line = line.trim_ascii();
        let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let (interpreter, argument) = match end {
            Some(at) => (&line[..at], line[at..].trim_ascii()),
            None => (line, &b""[..]),
        };
        (!interpreter.is_empty()).then(|| Self {
            interpreter: interpreter.to_vec(),
            argument: (!argument.is_empty()).then(|| argument.to_vec()),
        })
    }

    /// The program that reads the script and its arguments, `env` resolved.
    pub(crate) fn program(&self) -> Vec<Vec<u8>> {
        let mut argv = vec![self.interpreter.clone()];
        if wrappers::base(&self.interpreter) != b"env" {
            argv.extend(self.argument.clone());
            return argv;
        }
        let argument = self.argument.as_deref().unwrap_or_default();
        // Without -S the kernel's one argument is one word; with it, many.
        let words = argument
            .split(|byte| byte.is_ascii_whitespace())
            .filter(|word| !word.is_empty());
        let mut rest: Vec<Vec<u8>> = words.map(<[u8]>::to_vec).collect();
        let is_word = |word: &Vec<u8>| !word.starts_with(b"-") && !word.contains(&b'=');
        if let Some(first) = rest.first_mut()
            && first.starts_with(b"-S")
        {
            first.drain(..2);
        }
        let start = rest
            .iter()
            .position(|word| !word.is_empty() && is_word(word));
        rest.split_off(start.unwrap_or(rest.len()))
    }

    /// The interpreter's plain name, without a version: `python`, `sh`.
    pub(crate) fn language(&self) -> Vec<u8> {
        let program = self.program();
        let name = program.first().map_or(&b""[..], Vec::as_slice);
        wrappers::stem(wrappers::base(name)).to_vec()
    }
}

/// Adds what `#!` starts.
pub(crate) fn edges(reader: &mut Reader, data: &[u8]) -> Option<Shebang> {
    let shebang = Shebang::of(data)?;
    if let Some(path) = reader.existing(&shebang.interpreter) {
        add(reader, path);
    }
    let program = shebang.program();
    if let Some(first) = program.first()
        && *first != shebang.interpreter
        && let Some(path) = reader.program(first)
    {
        add(reader, path);
    }
    Some(shebang)
}

fn add(reader: &mut Reader, path: ImagePath) {
    let detail = format!("is read by {}", last(&path));
    reader.add(path, How::Interpreter, detail);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        for (line, program, language) in [
            ("#!/bin/sh\n", "/bin/sh", "sh"),
            ("#! /bin/bash -eu\nx", "/bin/bash -eu", "bash"),
            ("#!/usr/bin/env python3.11\n", "python3.11", "python"),
            (
                "#!/usr/bin/env -S node --title=x\n",
                "node --title=x",
                "node",
            ),
            ("#!/usr/bin/env -S A=b perl -w\n", "perl -w", "perl"),
            ("#!/usr/bin/env -Sruby\n", "ruby", "ruby"),
            ("#!/usr/bin/env", "", ""),
        ] {
            let shebang = Shebang::of(line.as_bytes()).unwrap();
            let words = shebang.program();
            let text = String::from_utf8(words.join(&b' ')).unwrap();
            assert_eq!(
                (text.as_str(), &shebang.language()[..]),
                (program, language.as_bytes())
            );
        }
        for none in ["", "#", "#!", "#!\n/bin/sh", "x#!/bin/sh"] {
            assert_eq!(Shebang::of(none.as_bytes()), None, "{none}");
        }
    }
}
