//! Which text of which instruction a shell reads, and the parsed result.

use std::ops::Range;

use super::ast::{HeredocBody, List, ShellError, Span};
use super::command::Parser;
use crate::Tree;
use crate::instruction::{Body, CommandLine, Healthcheck, HealthcheckTest};
use crate::syntax::{Logical, Word};

/// A parsed shell text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellScript {
    /// The text, with its way back to the file.
    pub text: Logical,
    /// The commands.
    pub list: List,
    /// Contents of heredocs, in order.
    pub heredocs: Vec<HeredocBody>,
    /// What could not be read.
    pub errors: Vec<ShellError>,
}

/// Parses a text.
pub fn parse(text: Logical) -> ShellScript {
    let mut parser = Parser::new(text.text());
    let list = parser.script();
    let Parser {
        heredocs,
        mut errors,
        ..
    } = parser;
    errors.sort_by_key(|error| error.range.start);
    ShellScript {
        text,
        list,
        heredocs,
        errors,
    }
}

impl ShellScript {
    /// The bytes of a range of the text.
    pub fn bytes(&self, range: &Span) -> &[u8] {
        self.text.text().get(range.clone()).unwrap_or_default()
    }

    /// The bytes of the Dockerfile that a range of the text was read from.
    pub fn source_range(&self, range: &Span) -> Range<usize> {
        self.text.source_range(range.clone())
    }
}

impl Tree {
    /// The shell text of an instruction (by its index), parsed: shell forms of RUN, CMD, ENTRYPOINT and HEALTHCHECK,
    /// scripts in heredocs, and `["sh", "-c", "…"]`. `None` where no shell reads anything, a script begins with
    /// `#!`, or the shell in force is not one this parser knows.
    pub fn shell_script(&self, instruction: usize) -> Option<ShellScript> {
        let node = self.nodes().get(instruction)?;
        let whole = |word: &Word| {
            let start = node
                .rest
                .end
                .checked_sub(word.value.len())
                .filter(|start| *start >= node.rest.start)?;
            Some(node.logical.slice(start..node.rest.end))
        };
        let text = match &self.instructions().get(instruction)?.body {
            Body::Run(run) => match &run.script {
                Some(script) if script.is_heredoc && script.text.text().starts_with(b"#!") => {
                    return None;
                }
                Some(script) => Some(script.text.clone()),
                None => return inline(&run.command.words).map(parse),
            },
            Body::Cmd(CommandLine { words, shell })
            | Body::Entrypoint(CommandLine { words, shell }) => {
                if !shell {
                    return inline(words).map(parse);
                }
                words.first().and_then(whole)
            }
            Body::Healthcheck(Healthcheck {
                test: HealthcheckTest::Shell(word),
                ..
            }) => whole(word),
            Body::Healthcheck(Healthcheck {
                test: HealthcheckTest::Exec(words),
                ..
            }) => return inline(words).map(parse),
            _ => None,
        };
        let known = self.shell_before(instruction).is_none_or(is_posix);
        text.filter(|_| known).map(parse)
    }
}

/// Whether a SHELL is one whose texts are parsed here.
pub fn is_posix(shell: &[Word]) -> bool {
    let Some(program) = shell.first() else {
        return false;
    };
    let name = program
        .value
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    matches!(
        name,
        b"sh" | b"bash" | b"dash" | b"ash" | b"ksh" | b"mksh" | b"zsh" | b"busybox"
    )
}

/// `["sh", "-c", "text"]`: the text, where it is written without escapes with its place.
fn inline(words: &[Word]) -> Option<Logical> {
    let [program, options @ .., script] = words else {
        return None;
    };
    let takes_text = options.iter().any(|word| {
        word.value.starts_with(b"-") && !word.value.starts_with(b"--") && word.value.contains(&b'c')
    });
    if !is_posix(std::slice::from_ref(program))
        || !takes_text
        || !options
            .iter()
            .all(|word| word.value.starts_with(b"-") || word.value == b"pipefail")
    {
        return None;
    }
    let mut text = Logical::default();
    if script.range.len() == script.value.len() + 2 {
        text.push(&script.value, script.range.start + 1);
    } else {
        // Escapes shift the bytes: every byte then points at the start of the string.
        for byte in &script.value {
            text.push(&[*byte], script.range.start);
        }
    }
    Some(text)
}
