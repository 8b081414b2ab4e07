//! From the words of a node to what they mean; the order of the checks is BuildKit's, so that the same error comes
//! first.

use super::flags::Flags;
use super::{
    Argument, Body, CommandLine, FromBase, Instruction, Kind, Onbuild, Pair, copy, healthcheck, run,
};
use crate::ParseErrorKind;
use crate::syntax::{Heredoc, Node, Word, go_quote};
use crate::text;

/// Reads a node. Heredocs are handed in, because those of a trigger belong to the ONBUILD around it.
pub(super) fn body(node: &Node, heredocs: &[Heredoc], kind: Kind) -> Result<Body, ParseErrorKind> {
    Ok(match kind {
        Kind::Add => Body::Add(copy::read(node, heredocs, true)?),
        Kind::Arg => Body::Arg(arguments(node)?),
        Kind::Cmd => {
            no_flags(node)?;
            Body::Cmd(command(node))
        }
        Kind::Copy => Body::Copy(copy::read(node, heredocs, false)?),
        Kind::Entrypoint => {
            no_flags(node)?;
            Body::Entrypoint(command(node))
        }
        Kind::Env => {
            no_flags(node)?;
            Body::Env(pairs(node, "ENV")?)
        }
        Kind::Expose => {
            let ports = at_least_one(node, "EXPOSE")?;
            no_flags(node)?;
            Body::Expose(ports)
        }
        Kind::From => Body::From(from(node)?),
        Kind::Healthcheck => Body::Healthcheck(healthcheck::read(node)?),
        Kind::Label => {
            no_flags(node)?;
            Body::Label(pairs(node, "LABEL")?)
        }
        Kind::Maintainer => Body::Maintainer(exactly_one(node, "MAINTAINER", true)?),
        Kind::Onbuild => Body::Onbuild(onbuild(node, heredocs)?),
        Kind::Run => Body::Run(run::read(node, heredocs)?),
        Kind::Shell => Body::Shell(shell(node)?),
        // BuildKit never looks at the flags of STOPSIGNAL and ARG.
        Kind::Stopsignal => Body::Stopsignal(exactly_one(node, "STOPSIGNAL", false)?),
        Kind::User => Body::User(exactly_one(node, "USER", true)?),
        Kind::Volume => Body::Volume(volumes(node)?),
        Kind::Workdir => Body::Workdir(exactly_one(node, "WORKDIR", true)?),
        Kind::Unknown => {
            return Err(ParseErrorKind::UnknownInstruction(text::lossy(
                &node.keyword.value,
            )));
        }
    })
}

/// The command of an instruction with an exec and a shell form.
pub(super) fn command(node: &Node) -> CommandLine {
    CommandLine {
        words: node.arguments.clone(),
        shell: !node.form.is_json(),
    }
}

fn no_flags(node: &Node) -> Result<(), ParseErrorKind> {
    Flags::read(node, &[]).map(|_| ())
}

fn at_least_one(node: &Node, name: &'static str) -> Result<Vec<Word>, ParseErrorKind> {
    if node.arguments.is_empty() {
        return Err(ParseErrorKind::AtLeastOneArgument(name));
    }
    Ok(node.arguments.clone())
}

fn exactly_one(
    node: &Node,
    name: &'static str,
    checks_flags: bool,
) -> Result<Word, ParseErrorKind> {
    let [word] = node.arguments.as_slice() else {
        return Err(ParseErrorKind::ExactlyOneArgument(name));
    };
    if checks_flags {
        no_flags(node)?;
    }
    Ok(word.clone())
}

fn pairs(node: &Node, name: &'static str) -> Result<Vec<Pair>, ParseErrorKind> {
    at_least_one(node, name)?;
    let mut out = Vec::new();
    for triple in node.arguments.chunks_exact(3) {
        if triple[0].value.is_empty() {
            return Err(ParseErrorKind::BlankName(name));
        }
        out.push(Pair {
            name: triple[0].clone(),
            value: triple[1].clone(),
            legacy: triple[2].value.is_empty(),
        });
    }
    Ok(out)
}

fn arguments(node: &Node) -> Result<Vec<Argument>, ParseErrorKind> {
    let mut out = Vec::new();
    for word in at_least_one(node, "ARG")? {
        let Some(equals) = word.value.iter().position(|byte| *byte == b'=') else {
            let comment = comment(node, &word.value);
            out.push(Argument {
                name: word,
                value: None,
                comment,
            });
            continue;
        };
        if equals == 0 {
            return Err(ParseErrorKind::BlankName("ARG"));
        }
        // Where the word is not written as it reads, the whole of it stands for both halves.
        let exact = word.range.len() == word.value.len();
        let cut = if exact {
            word.range.start + equals
        } else {
            word.range.end
        };
        let value_start = if exact { cut + 1 } else { word.range.start };
        let name = Word {
            value: word.value[..equals].to_vec(),
            range: word.range.start..cut,
        };
        let value = Word {
            value: word.value[equals + 1..].to_vec(),
            range: value_start..word.range.end,
        };
        let comment = comment(node, &name.value);
        out.push(Argument {
            name,
            value: Some(value),
            comment,
        });
    }
    Ok(out)
}

fn from(node: &Node) -> Result<FromBase, ParseErrorKind> {
    let (base, name) = match node.arguments.as_slice() {
        [base] => (base, None),
        [base, keyword, name] if is_as(&keyword.value) => {
            let lower = text::lower(&name.value);
            let starts = lower.first().is_some_and(u8::is_ascii_lowercase);
            let allowed =
                |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            if !starts || !lower.iter().all(allowed) {
                return Err(ParseErrorKind::InvalidStageName(go_quote(&name.value)));
            }
            (
                base,
                Some(Word {
                    value: lower,
                    range: name.range.clone(),
                }),
            )
        }
        _ => return Err(ParseErrorKind::FromArguments),
    };
    let flags = Flags::read(node, &[("platform", super::flags::Takes::Value)])?;
    let comment = name.as_ref().and_then(|name| comment(node, &name.value));
    Ok(FromBase {
        base: base.clone(),
        name,
        platform: flags
            .value("platform")
            .filter(|word| !word.value.is_empty()),
        comment,
    })
}

/// `as` in any case; the long s folds to s.
fn is_as(word: &[u8]) -> bool {
    matches!(word, [b'a' | b'A', b's' | b'S'] | [b'a' | b'A', 0xC5, 0xBF])
}

fn shell(node: &Node) -> Result<Vec<Word>, ParseErrorKind> {
    no_flags(node)?;
    let words = at_least_one(node, "SHELL")?;
    if node.form.is_json() {
        Ok(words)
    } else {
        Err(ParseErrorKind::NotJson("SHELL"))
    }
}

fn volumes(node: &Node) -> Result<Vec<Word>, ParseErrorKind> {
    let mut words = at_least_one(node, "VOLUME")?;
    no_flags(node)?;
    for word in &mut words {
        word.value = text::trim(&word.value).1.to_vec();
        if word.value.is_empty() {
            return Err(ParseErrorKind::EmptyVolume);
        }
    }
    Ok(words)
}

fn onbuild(node: &Node, heredocs: &[Heredoc]) -> Result<Onbuild, ParseErrorKind> {
    let Some(trigger) = node.trigger.as_deref() else {
        return Err(ParseErrorKind::AtLeastOneArgument("ONBUILD"));
    };
    no_flags(node)?;
    let keyword = text::upper(text::trim(&trigger.keyword.value).1);
    match keyword.as_slice() {
        b"ONBUILD" => return Err(ParseErrorKind::ChainedOnbuild),
        b"MAINTAINER" | b"FROM" => return Err(ParseErrorKind::NotATrigger(text::lossy(&keyword))),
        _ => {}
    }
    let mut expression = without_keyword(node.logical.text()).to_vec();
    for heredoc in heredocs {
        expression.push(b'\n');
        expression.extend_from_slice(&heredoc.content);
        expression.extend_from_slice(&heredoc.word.name);
    }
    let mut trigger = trigger.clone();
    trigger.logical = node.logical.clone();
    Ok(Onbuild {
        expression,
        trigger: Box::new(Instruction::trigger(&trigger, heredocs, node.lines)),
    })
}

fn without_keyword(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ');
    let skip = |line: &[u8]| line.iter().take_while(|byte| is_blank(byte)).count();
    let start = skip(line);
    let end = start + "ONBUILD".len();
    if !line
        .get(start..end)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"ONBUILD"))
    {
        return line;
    }
    &line[end + skip(&line[end..])..]
}

/// The comment above that begins with the name and a blank.
fn comment(node: &Node, name: &[u8]) -> Option<Vec<u8>> {
    if name.is_empty() {
        return None;
    }
    node.comments.iter().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(b" ")
            .map(<[u8]>::to_vec)
    })
}
