//! `$(…)`: the few commands whose output can be told.

use jettison_dockerfile::shell::{CommandKind, List, ShellWord};

use super::words::{Surroundings, directory};
use crate::scripts::reader::{Text, UNKNOWN};
use crate::scripts::wrappers::base;

/// The values of a substitution.
pub(super) fn values(around: &Surroundings, list: &List) -> Vec<Text> {
    known(around, list).unwrap_or_else(|| vec![vec![UNKNOWN]])
}

fn known(around: &Surroundings, list: &List) -> Option<Vec<Text>> {
    // `cd X && pwd`: the directory that is gone to.
    let mut gone: Option<Vec<Text>> = None;
    for command in list.items.iter().flat_map(|item| item.pipelines()) {
        let [command] = command.commands.as_slice() else {
            return None;
        };
        let CommandKind::Simple { words, .. } = &command.kind else {
            return None;
        };
        let (name, arguments) = words.split_first()?;
        let name = around.unit.script.literal(name)?;
        if name == b"cd" {
            gone = around.first(arguments);
            continue;
        }
        return match base(&name) {
            b"pwd" => gone.or_else(|| Some(vec![around.working_directory()])),
            b"dirname" => Some(
                around
                    .first(arguments)?
                    .iter()
                    .map(|path| parent(path))
                    .collect(),
            ),
            b"basename" => {
                let last = |path: &Text| base(path).to_vec();
                Some(around.first(arguments)?.iter().map(last).collect())
            }
            b"readlink" | b"realpath" | b"echo" | b"printf" | b"cygpath" => around.first(arguments),
            b"command" | b"which" | b"type" => {
                let names = around.first(arguments)?;
                let found = |name: &Text| {
                    let path = around.reader.world.command(name)?;
                    Some([b"/", path.as_bytes()].concat())
                };
                let found: Vec<Text> = names.iter().filter_map(found).collect();
                (!found.is_empty()).then_some(found)
            }
            _ => None,
        };
    }
    None
}

impl Surroundings<'_, '_, '_> {
    /// The values of the first argument that is no option.
    fn first(&self, arguments: &[ShellWord]) -> Option<Vec<Text>> {
        let is_option = |word: &&ShellWord| {
            let text = self.unit.script.bytes(&word.range);
            text.starts_with(b"-")
        };
        let mut words = arguments.iter().skip_while(is_option);
        let mut values = self.parts(&words.next()?.parts);
        // `printf '%s' "$x"`
        if values.first().is_some_and(|value| value.contains(&b'%'))
            && let Some(next) = words.next()
        {
            values = self.parts(&next.parts);
        }
        Some(values)
    }

    fn working_directory(&self) -> Text {
        let path = self.reader.world.working_directory;
        [b"/", path.as_bytes()].concat()
    }
}

/// dirname(1).
fn parent(path: &[u8]) -> Text {
    if path.contains(&b'/') {
        let cut = directory(path);
        return if cut.is_empty() { b"/".to_vec() } else { cut };
    }
    if path.contains(&UNKNOWN) {
        vec![UNKNOWN]
    } else {
        b".".to_vec()
    }
}
