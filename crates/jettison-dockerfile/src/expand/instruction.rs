//! Which words of which instruction are expanded: the table of the reference manual, as BuildKit carries it out.

use super::{ExpandError, Lex, Variables};
use crate::instruction::{Body, CopyFiles, Instruction, Pair};
use crate::syntax::Word;

impl Instruction {
    /// Resolves the variables in the words that may hold some. FROM takes the global arguments here, every other
    /// instruction its stage's. Names of ARG, `--from`, `--exclude`, commands and heredocs of RUN stay as they are;
    /// mounts are resolved by [`crate::instruction::Mount::read`], which also keeps RUN cheap.
    pub fn expanded(
        &self,
        lex: &Lex,
        variables: &dyn Variables,
    ) -> Result<Instruction, ExpandError> {
        let mut out = self.clone();
        let one = |word: &mut Word| -> Result<(), ExpandError> {
            word.value = lex.word(&word.value, variables)?;
            Ok(())
        };
        match &mut out.body {
            Body::Add(copy) | Body::Copy(copy) => files(copy, lex, variables)?,
            Body::Arg(arguments) => {
                for argument in arguments {
                    argument.value.as_mut().map_or(Ok(()), one)?;
                }
            }
            Body::Env(pairs) | Body::Label(pairs) => {
                for Pair { name, value, .. } in pairs {
                    one(name)?;
                    one(value)?;
                }
            }
            Body::Expose(ports) => {
                let mut expanded = Vec::new();
                for port in ports.iter() {
                    let words = lex.words(&port.value, variables)?;
                    expanded.extend(words.into_iter().map(|value| Word {
                        value,
                        range: port.range.clone(),
                    }));
                }
                *ports = expanded;
            }
            Body::From(from) => {
                one(&mut from.base)?;
                from.platform.as_mut().map_or(Ok(()), one)?;
            }
            Body::Stopsignal(word) | Body::User(word) | Body::Workdir(word) => one(word)?,
            Body::Volume(words) => words.iter_mut().try_for_each(one)?,
            Body::Cmd(_)
            | Body::Entrypoint(_)
            | Body::Healthcheck(_)
            | Body::Maintainer(_)
            | Body::Onbuild(_)
            | Body::Run(_)
            | Body::Shell(_)
            | Body::Invalid => {}
        }
        Ok(out)
    }
}

fn files(copy: &mut CopyFiles, lex: &Lex, variables: &dyn Variables) -> Result<(), ExpandError> {
    let words = [&mut copy.chown, &mut copy.chmod, &mut copy.checksum];
    for word in words
        .into_iter()
        .flatten()
        .chain(&mut copy.sources)
        .chain([&mut copy.destination])
    {
        word.value = lex.word(&word.value, variables)?;
    }
    // Contents keep their quotes, and the escape character in them is the backslash whatever the directive says.
    let contents = Lex {
        skip_quotes: true,
        limit_bytes: lex.limit_bytes,
        ..Lex::new(b'\\')
    };
    for file in copy.inline.iter_mut().filter(|file| file.expand) {
        file.content = contents.word(&file.content, variables)?;
    }
    Ok(())
}
