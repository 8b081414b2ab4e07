//! Where a cache may be mounted without anybody noticing: no instruction of
//! the stages that would have its files reads them in another way, writes
//! there, or takes the directory away, which a mount does not allow.

use jettison_dockerfile::Tree;
use jettison_dockerfile::graph::{Base, Graph};
use jettison_dockerfile::instruction::{Body, CopyFiles, Run};

use super::script::{Command, Script};
use super::tools::{Directory, Tool};

/// Programs that remove, move or re-own what they are told.
const MOVERS: [&[u8]; 8] = [
    b"rm", b"rmdir", b"mv", b"find", b"unlink", b"chown", b"chmod", b"chgrp",
];
/// Programs that read what they are told, and all below it.
const READERS: [&[u8]; 9] = [
    b"cp", b"tar", b"rsync", b"du", b"ls", b"zip", b"cpio", b"ln", b"install",
];

/// Whether a directory of a tool may be a mount in a stage and those that
/// stand on it.
pub(super) fn allows(
    tree: &Tree,
    graph: &Graph,
    stage: usize,
    tool: &Tool,
    directory: &Directory,
    path: &str,
    working_dir: &str,
) -> bool {
    let family = family(graph, stage);
    if directory.is_needed && family.contains(&graph.target) {
        return false;
    }
    let all = tree.stages().all();
    let bodies = |index: usize| {
        let instructions = all[index].instructions(tree.instructions()).iter();
        instructions.map(|one| &one.body)
    };
    let is_around = |body: &Body| match body {
        Body::Workdir(to) => overlap(&written(&to.value), path),
        _ => false,
    };
    let mut own = family.iter().flat_map(|index| bodies(*index));
    // What one RUN leaves in it another one would miss where the first comes
    // from the cache of steps, or find in another revision.
    let mut runs = family.iter().flat_map(|index| bodies(*index));
    let uses = |body: &Body| matches!(body, Body::Run(run) if may_run(run, tool));
    if directory.is_needed && runs.by_ref().filter(|body| uses(body)).count() > 1 {
        return false;
    }
    let place = Place {
        path,
        is_around: overlap(working_dir, path) || own.any(is_around),
    };
    all.iter().all(|other| {
        let is_own = family.contains(&other.index);
        bodies(other.index).all(|body| match body {
            Body::Copy(files) | Body::Add(files) => {
                let is_read = files
                    .from
                    .as_ref()
                    .is_some_and(|from| names_one_of(tree, &from.value, &family));
                !(is_read && reads(files, path) || is_own && writes(files, path))
            }
            Body::Run(run) => {
                !mounts_one_of(tree, run, &family)
                    && (!is_own || permits(run, tool, directory, &place))
            }
            // What a trigger will do shows in another build.
            Body::Onbuild(_) => !is_own,
            // Another user has no mounts, and would miss what is in them.
            Body::User(word) => !is_own || is_root(&word.value),
            _ => true,
        })
    })
}

/// Where a cache lies.
struct Place<'a> {
    path: &'a str,
    /// A command may stand in it, or in a directory above it.
    is_around: bool,
}

/// True when one of two absolute paths lies in the other, or they are one.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let parts = |path: &str| {
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    parts(a).iter().zip(&parts(b)).all(|(a, b)| a == b)
}

/// A stage and all that stand on it.
fn family(graph: &Graph, stage: usize) -> Vec<usize> {
    let mut family = vec![stage];
    for other in &graph.all {
        if matches!(other.base, Base::Stage(below) if family.contains(&below)) {
            family.push(other.index);
        }
    }
    family
}

fn names_one_of(tree: &Tree, name: &[u8], family: &[usize]) -> bool {
    if name.contains(&b'$') {
        return true;
    }
    let found = tree.stages().by_name_or_number(name);
    found.is_some_and(|found| family.contains(&found.index))
}

/// Whether a mount of a RUN shows one of these stages.
fn mounts_one_of(tree: &Tree, run: &Run, family: &[usize]) -> bool {
    run.mounts.iter().any(|mount| {
        let fields = mount.value.split(|byte| matches!(byte, b',' | b'"'));
        let mut from = fields.filter_map(|field| field.strip_prefix(b"from="));
        from.any(|name| names_one_of(tree, name, family))
    })
}

/// The beginning of a word that is written out, up to its last slash when
/// something follows that is not.
fn written(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    match text.find(['*', '?', '[', '$', '\\', '{']) {
        None => text.into_owned(),
        Some(at) => text[..at]
            .rsplit_once('/')
            .map_or_else(String::new, |(before, _)| before.to_owned()),
    }
}

fn reads(files: &CopyFiles, path: &str) -> bool {
    let mut sources = files.sources.iter();
    sources.any(|source| overlap(&written(&source.value), path))
}

/// Whether a copy goes into the directory itself. What comes there otherwise is
/// seen when it is there.
fn writes(files: &CopyFiles, path: &str) -> bool {
    let to = written(&files.destination.value);
    let depth = |path: &str| path.split('/').filter(|part| !part.is_empty()).count();
    overlap(&to, path) && depth(&to) >= depth(path)
}

fn is_root(user: &[u8]) -> bool {
    let name = user.split(|byte| *byte == b':').next();
    matches!(name, Some(b"root" | b"0"))
}

/// What a RUN runs, and the text that says so.
fn script_of(run: &Run) -> (Option<Script>, Vec<u8>) {
    let words = run.command.words.iter().map(|word| word.value.clone());
    let words: Vec<Vec<u8>> = words.collect();
    match &run.script {
        Some(script) => {
            let text = script.text.text();
            (Script::of_text(text), text.to_vec())
        }
        None => (Script::of_arguments(&words), words.join(&b' ')),
    }
}

/// Whether a RUN runs a tool, as far as it can be told.
fn may_run(run: &Run, tool: &Tool) -> bool {
    let (script, text) = script_of(run);
    let named = |text: &[u8]| {
        let mut words = text.split(|byte| !byte.is_ascii_alphanumeric());
        words.any(|word| tool.programs.iter().any(|known| known.as_bytes() == word))
    };
    match script {
        Some(script) => script.commands.iter().any(|one| one.is_of(tool)) || named(&text),
        None => true,
    }
}

fn permits(run: &Run, tool: &Tool, directory: &Directory, place: &Place<'_>) -> bool {
    let (script, text) = script_of(run);
    // What cannot be read may do anything.
    let Some(script) = script else { return false };
    let sets = |name: &str| script.assigned.iter().any(|set| set == name.as_bytes());
    let is_vetoed = sets("HOME") || tool.veto_variables.iter().any(|name| sets(name));
    let mut commands = script.commands.iter();
    !is_vetoed && !mentions(&text, directory, place) && commands.all(|one| leaves(one, tool, place))
}

/// Whether a text names the directory, or the variables that say where it is.
fn mentions(text: &[u8], directory: &Directory, place: &Place<'_>) -> bool {
    let text = String::from_utf8_lossy(text);
    let names = directory.places.iter().map(|(name, _)| *name);
    let mut names = names.filter(|name| *name != "HOME");
    let parts: Vec<&str> = place.path.split('/').collect();
    let end = match &parts[..] {
        [.., above, last] => format!("{above}/{last}"),
        _ => place.path.to_owned(),
    };
    let mut hidden = parts.iter().filter(|part| part.starts_with('.'));
    names.any(|name| text.contains(name))
        || hidden.any(|part| text.contains(part))
        || text.contains(&end)
}

fn leaves(command: &Command, tool: &Tool, place: &Place<'_>) -> bool {
    let name = &command.name[..];
    let words = &command.words;
    let path = place.path;
    if command.is_of(tool) {
        let vetoes = |word: &Vec<u8>| {
            let mut vetoes = tool.vetoes.iter().map(|veto| veto.as_bytes());
            let option = word.split(|byte| *byte == b'=').next().unwrap_or_default();
            vetoes.any(|veto| word == veto || option == veto)
        };
        return !words.iter().flatten().any(vetoes);
    }
    let (moves, reads) = (MOVERS.contains(&name), READERS.contains(&name));
    words.iter().all(|word| match word {
        // What it says is only known to the shell.
        None => !moves,
        Some(word) if word.starts_with(b"-") => true,
        // To go to the root is not to read it.
        Some(word) if word == b"/" && name == b"cd" => true,
        Some(word) if word.starts_with(b"/") => !overlap(&written(word), path),
        Some(_) if !moves && !reads => true,
        // Where it is cannot be told: names that are on the way are enough.
        Some(word) => {
            let text = String::from_utf8_lossy(word);
            let is_all = |part: &str| matches!(part, "." | ".." | "*" | ".*");
            let is_on_the_way =
                |part: &str| !part.is_empty() && path.split('/').any(|known| known == part);
            let is_near = text.split('/').any(is_on_the_way)
                || place.is_around && text.split('/').any(is_all);
            !(text.starts_with('~') || is_near)
        }
    })
}
