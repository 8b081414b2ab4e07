//! Programs that a compiled program may run: command lines handed to `popen`
//! and `system`, names handed to `execvp` and its kind. All are guesses, and
//! say so: the text may be a message.
//!
//! A text with a blank counts when its first word is a program in `PATH` and
//! something in it is a shell's rather than a sentence's; a text that is a
//! name counts when it is no everyday word, except in a program of the
//! person's own. Texts of Go and Rust have no end in the data: what counts is
//! which lengths the code gives them.

use std::collections::BTreeSet;

use crate::edge::How;
use crate::facts::ProgramFacts;
use crate::guess::{command_line, is_command_line, is_name};
use crate::scripts::Reader;

/// Command lines guessed for one file.
const MOST: usize = 200;
/// Names in one file: where there are more, they are a list of words.
const MOST_NAMES: usize = 24;

/// Hand a text to the shell.
const SHELL: &[&str] = &[
    "popen",
    "system",
    "g_spawn_command_line_sync",
    "g_spawn_command_line_async",
];

/// Look a name up in `PATH`, or are handed what was.
const BY_NAME: &[&str] = &[
    "execvp",
    "execlp",
    "execvpe",
    "posix_spawnp",
    "g_spawn_async",
    "g_spawn_sync",
    "g_find_program_in_path",
    "uv_spawn",
    "pexecute",
    "apr_proc_create",
];

/// Are handed a path, which may have been put together from a name.
const BY_PATH: &[&str] = &[
    "execv",
    "execve",
    "execl",
    "execle",
    "posix_spawn",
    "fexecve",
];

/// Names of programs that are words of messages and of options.
const WORDS: &[&str] = &[
    "arch",
    "at",
    "base32",
    "base64",
    "bc",
    "bind",
    "builtin",
    "c",
    "cal",
    "catch",
    "clear",
    "comm",
    "command",
    "cut",
    "dc",
    "debug",
    "dir",
    "domainname",
    "echo",
    "ed",
    "env",
    "eval",
    "exec",
    "expand",
    "expr",
    "factor",
    "false",
    "fc",
    "file",
    "find",
    "fold",
    "free",
    "from",
    "groups",
    "hash",
    "head",
    "help",
    "host",
    "hostid",
    "hostname",
    "id",
    "info",
    "install",
    "join",
    "jobs",
    "kill",
    "last",
    "less",
    "link",
    "locale",
    "locate",
    "login",
    "look",
    "mail",
    "make",
    "man",
    "mesg",
    "message",
    "mode",
    "more",
    "mount",
    "name",
    "nice",
    "nl",
    "node",
    "od",
    "open",
    "paste",
    "patch",
    "ping",
    "pr",
    "print",
    "printf",
    "ps",
    "pwd",
    "read",
    "reboot",
    "rename",
    "reset",
    "route",
    "rev",
    "script",
    "select",
    "seq",
    "service",
    "set",
    "shuf",
    "shutdown",
    "size",
    "sleep",
    "sort",
    "split",
    "stat",
    "strings",
    "stty",
    "su",
    "sum",
    "sync",
    "tail",
    "test",
    "time",
    "timeout",
    "top",
    "touch",
    "tr",
    "true",
    "truncate",
    "tty",
    "type",
    "ul",
    "umount",
    "unexpand",
    "uniq",
    "unlink",
    "update",
    "uptime",
    "users",
    "users",
    "vi",
    "view",
    "w",
    "wait",
    "wall",
    "watch",
    "wc",
    "which",
    "who",
    "write",
    "yes",
    "link",
    "pager",
    "editor",
    "getent",
    "getconf",
    "column",
    "col",
    "colrm",
    "logger",
    "users",
    "state",
    "ab",
    "apt",
    "ld",
    "as",
    "ar",
    "nm",
    "ctags",
    "awk",
    "git",
    "perl",
    "python",
    "python3",
    "ruby",
];

pub(super) fn edges(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>) {
    if facts.is_go || facts.is_rust {
        return counted_names(reader, facts);
    }
    let is_systems = is_of_the_system(facts);
    let by_shell = facts.calls(SHELL);
    let by_name = facts.calls(BY_NAME);
    if !(by_shell || by_name || facts.calls(BY_PATH)) || is_interpreter(facts) {
        return;
    }
    let mut found = 0;
    let mut names = BTreeSet::new();
    for text in facts.c_texts() {
        if text.len() < 2 {
            continue;
        }
        let Ok(text) = std::str::from_utf8(text) else {
            continue;
        };
        if by_shell && found < MOST && is_command_line(text) {
            found += usize::from(command_line(reader, text));
        }
        if by_name && is_name(text) && !(is_systems && WORDS.contains(&text)) {
            let known = reader.world.command(text.as_bytes());
            names.extend(known.map(|path| (path, text)));
        }
    }
    if names.len() <= MOST_NAMES || !is_systems {
        for (path, name) in names {
            reader.add(path, How::Runs, format!("may run {name}"));
        }
    }
}

/// Adds the programs whose names a Go or Rust program holds, when it can run
/// any.
fn counted_names(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>) {
    let runs = match &facts.go_functions {
        Some(functions) => functions.has_package("os/exec") || functions.has("syscall.forkExec"),
        None => facts.elf.linkage.is_static() || facts.calls(BY_NAME) || facts.calls(BY_PATH),
    };
    if !runs {
        return;
    }
    let is_systems = is_of_the_system(facts);
    let mut names = BTreeSet::new();
    let mut add = |name: &[u8]| {
        if let Ok(text) = std::str::from_utf8(name)
            && is_name(text)
            && !(is_systems && WORDS.contains(&text))
            && let Some(path) = reader.world.command(name)
        {
            names.insert((path, text.to_owned()));
        }
    };
    match &facts.constants {
        Some(constants) => constants.iter().for_each(|text| add(text)),
        // Where lengths cannot be told, every program whose name stands anywhere.
        None => {
            for name in reader.world.commands() {
                if name.len() > 2 && facts.holds(&name) {
                    add(&name);
                }
            }
        }
    }
    for (path, name) in names {
        reader.add(path, How::Runs, format!("may run {name}"));
    }
}

/// True for programs of a distribution, which name more than they run.
fn is_of_the_system(facts: &ProgramFacts<'_>) -> bool {
    let mut names = facts.path.components();
    match (names.next(), names.next()) {
        (Some(b"usr"), Some(second)) => second != b"local",
        (Some(first), _) => matches!(first, b"bin" | b"sbin" | b"lib" | b"lib64"),
        (None, _) => false,
    }
}

/// The words of a shell or an interpreter are its own, and what it runs its
/// scripts say.
pub(super) fn is_interpreter(facts: &ProgramFacts<'_>) -> bool {
    const EXACT: &[&str] = &[
        "sh", "ash", "bash", "rbash", "dash", "ksh", "mksh", "zsh", "fish", "busybox", "toybox",
        "node", "gawk", "mawk", "awk", "nvim", "beam.smp", "java", "R",
    ];
    const BEGINNING: &[&str] = &[
        "perl",
        "libperl",
        "ruby",
        "libruby",
        "python",
        "libpython",
        "php",
        "libphp",
        "lua",
        "liblua",
        "tclsh",
        "libtcl",
        "guile",
        "libguile",
        "vim",
        "emacs",
        "libnode",
        "libjvm",
        "libR.so",
    ];
    let name = std::str::from_utf8(facts.name()).unwrap_or_default();
    EXACT.contains(&name) || BEGINNING.iter().any(|start| name.starts_with(start))
}
