//! A command line: the program by `PATH`, what wrappers run behind their own
//! words, texts handed to shells and interpreters, and the files it names.

use super::reader::{Reader, UNKNOWN};
use super::{interpreters, paths, pattern, shell, supervisors, wrappers};
use crate::{Edge, How, World};

/// Wrappers around wrappers.
const MOST_WRAPPERS: usize = 32;

/// What a command line leads to: ENTRYPOINT with CMD, HEALTHCHECK, `--cmd`, or
/// the arguments of a program that was seen to start.
pub fn edges(world: &World, argv: &[String]) -> Vec<Edge> {
    let mut reader = Reader::new(world);
    let argv: Vec<Vec<u8>> = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
    line(&mut reader, &argv);
    reader.into_edges()
}

/// What a text leads to that the image's shell reads, as in the shell form of
/// CMD and HEALTHCHECK; the shell itself is no part of it.
pub fn text_edges(world: &World, text: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::new(world);
    shell::text(&mut reader, text);
    reader.into_edges()
}

/// Reads a command line whose first word is a program of the tree, not a
/// shell's own.
pub(crate) fn line(reader: &mut Reader, argv: &[Vec<u8>]) {
    let mut rest = argv;
    for _ in 0..MOST_WRAPPERS {
        let Some((program, arguments)) = rest.split_first() else {
            return;
        };
        let Some(next) = one(reader, program, arguments, rest) else {
            return;
        };
        rest = next;
    }
}

/// Reads one program with its arguments; gives the command line that it runs.
fn one<'a>(
    reader: &mut Reader,
    program: &[u8],
    arguments: &'a [Vec<u8>],
    argv: &'a [Vec<u8>],
) -> Option<&'a [Vec<u8>]> {
    let found = reader.run(program);
    for argument in arguments {
        files(reader, argument);
    }
    let base = wrappers::base(program);
    let stem = wrappers::stem(base);
    if wrappers::is_shell(stem) {
        shell_line(reader, arguments);
        return None;
    }
    special(reader, base, arguments);
    supervisors::arguments(reader, stem, arguments);
    interpreters::arguments(reader, found.as_ref(), stem, arguments);
    if let Some(next) = wrappers::behind(base, argv) {
        return Some(next);
    }
    behind_script(reader, found.as_ref()?, arguments)
}

/// `-c TEXT`, or a script.
fn shell_line(reader: &mut Reader, arguments: &[Vec<u8>]) {
    let mut options = arguments.iter();
    let mut is_text = false;
    while let Some(word) = options.next() {
        match word.as_slice() {
            b"-o" | b"+o" | b"-O" | b"+O" | b"--rcfile" | b"--init-file" => {
                options.next();
            }
            option if option.starts_with(b"-") || option.starts_with(b"+") => {
                is_text |= !option.starts_with(b"--") && option.contains(&b'c');
                if option == b"--login" || option.starts_with(b"-l") || option.ends_with(b"l") {
                    login(reader);
                }
            }
            text if is_text => {
                reader.nested(|reader| shell::text(reader, text));
                // `sh -c '"$@"' name command …`
                if contains(text, b"$@") || contains(text, b"$0") || contains(text, b"$*") {
                    let rest: Vec<Vec<u8>> = options.cloned().collect();
                    let skip = usize::from(!contains(text, b"$0"));
                    let rest = &rest[skip.min(rest.len())..];
                    reader.nested(|reader| line(reader, rest));
                }
                return;
            }
            script => {
                reader.nested(|reader| shell::script(reader, script));
                let rest: Vec<Vec<u8>> = options.cloned().collect();
                reader.nested(|reader| line(reader, &rest));
                return;
            }
        }
    }
}

/// What a login shell reads first.
fn login(reader: &mut Reader) {
    for path in ["/etc/profile", "/etc/profile.d", "/etc/bash.bashrc"] {
        if let Some(found) = reader.existing(path.as_bytes()) {
            let how = if path.ends_with(".d") {
                How::Family
            } else {
                How::Names
            };
            reader.add(found, how, "is read by a login shell");
        }
    }
}

/// Programs that take a command in a way of their own.
fn special(reader: &mut Reader, base: &[u8], arguments: &[Vec<u8>]) {
    let after = |options: &[&str]| {
        let is_one = |word: &Vec<u8>| options.iter().any(|option| option.as_bytes() == word);
        arguments
            .iter()
            .position(is_one)
            .map(|at| &arguments[at + 1..])
    };
    match base {
        b"env" => {
            if let Some(text) = after(&["-S", "--split-string"]).and_then(<[_]>::first) {
                reader.nested(|reader| shell::text(reader, text));
            }
        }
        b"su" | b"runuser" | b"flock" | b"script" => {
            if let Some(text) = after(&["-c", "--command"]).and_then(<[_]>::first) {
                reader.nested(|reader| shell::text(reader, text));
            }
            if base == b"su" {
                reader.run(b"sh");
            }
        }
        b"watch" | b"entr" | b"concurrently" | b"nodemon" => {
            for text in arguments.iter().filter(|word| word.contains(&b' ')) {
                reader.nested(|reader| shell::text(reader, text));
            }
        }
        b"find" | b"gfind" => {
            for path in arguments.iter().take_while(|word| !word.starts_with(b"-")) {
                directory(reader, path);
            }
            let starts = |word: &[u8]| matches!(word, b"-exec" | b"-execdir" | b"-ok" | b"-okdir");
            for (at, _) in arguments
                .iter()
                .enumerate()
                .filter(|(_, word)| starts(word))
                .take(16)
            {
                let rest = &arguments[at + 1..];
                let end = rest
                    .iter()
                    .position(|word| matches!(&word[..], b";" | b"+"));
                let rest = &rest[..end.unwrap_or(rest.len())];
                reader.nested(|reader| line(reader, rest));
            }
        }
        b"start-stop-daemon" => {
            for options in [&["-x", "--exec"], &["-a", "--startas"]] {
                if let Some(program) = after(options).and_then(<[_]>::first) {
                    reader.run(program);
                }
            }
            if let Some(rest) = after(&["--"])
                && let Some(program) = after(&["-x", "--exec"]).or(after(&["-a", "--startas"]))
            {
                let mut argv = vec![program[0].clone()];
                argv.extend_from_slice(rest);
                reader.nested(|reader| line(reader, &argv));
            }
        }
        b"run-parts" => {
            for directory in arguments {
                directory_of_programs(reader, directory);
            }
        }
        b"cp" | b"rsync" | b"tar" | b"mv" | b"ls" | b"install" | b"scp" | b"zip" | b"cpio" => {
            for path in arguments {
                directory(reader, path);
            }
        }
        b"tic" | b"update-ca-certificates" => {
            for path in ["/usr/share/ca-certificates", "/etc/ca-certificates"] {
                directory(reader, path.as_bytes());
            }
        }
        _ => {}
    }
}

/// A directory whose contents a program takes all together.
fn directory(reader: &mut Reader, path: &[u8]) {
    let path = path.strip_suffix(b"/.").unwrap_or(path);
    if path.is_empty() || pattern::is_pattern(path) {
        return;
    }
    if let Some(found) = reader.existing(path)
        && reader
            .world
            .tree
            .resolve(&found, jettison_image::Follow::All)
            .is_ok_and(|node| node.is_directory())
    {
        reader.family(&found, "takes the whole directory");
    }
}

/// A directory all of whose files are run.
pub(crate) fn directory_of_programs(reader: &mut Reader, path: &[u8]) {
    let Some(found) = reader.existing(path) else {
        return;
    };
    let Ok(node) = reader
        .world
        .tree
        .resolve(&found, jettison_image::Follow::All)
    else {
        return;
    };
    if !node.is_directory() {
        return;
    }
    reader.add(found.clone(), How::Family, "runs what is in the directory");
    for child in node.children().take(256) {
        if let Ok(path) = found.join(child.name()) {
            reader.add(path, How::Runs, "runs what is in the directory");
        }
    }
}

/// The paths in one argument.
pub(crate) fn files(reader: &mut Reader, argument: &[u8]) {
    if argument.contains(&b'/') {
        paths::names(reader, argument);
    }
    // `--config=conf/app.ini`
    let value = match argument.iter().position(|&byte| byte == b'=') {
        Some(at) if argument.starts_with(b"-") => &argument[at + 1..],
        _ => argument,
    };
    if value.starts_with(b"/") || value.starts_with(b"-") {
        return;
    }
    if pattern::is_pattern(value) {
        if value.contains(&b'/') && value[0] != UNKNOWN {
            reader.matching(value);
        }
        return;
    }
    let Some(path) = reader.existing(value) else {
        return;
    };
    let is_file = reader.world.file(&path).is_some();
    // A bare word that happens to be a directory's name says nothing.
    if is_file || value.contains(&b'/') {
        reader.add(path, How::Names, "names the path");
    }
}

/// Entry point scripts end in `exec "$@"`; so do the small programs that are
/// written to be put in front of others.
fn behind_script<'a>(
    reader: &mut Reader,
    found: &jettison_image::ImagePath,
    arguments: &'a [Vec<u8>],
) -> Option<&'a [Vec<u8>]> {
    if let Some(at) = arguments.iter().position(|word| word == b"--") {
        let rest = &arguments[at + 1..];
        if rest
            .first()
            .is_some_and(|word| reader.program(word).is_some())
        {
            return Some(rest);
        }
    }
    let first = arguments.iter().position(|word| !word.starts_with(b"-"))?;
    let node = reader.world.file(found)?;
    let head = reader.world.contents.read(node, 4).ok()?;
    let is_script = head.starts_with(b"#!");
    let word = &arguments[first];
    if is_script || (word.starts_with(b"/") && reader.program(word).is_some()) {
        return Some(&arguments[first..]);
    }
    None
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests;
