//! What programs of this machine open while they run, watched by strace, is
//! within what is found without running them.

mod host;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::Host;
use jettison_closure::loader::Loader;
use jettison_closure::scripts::any;
use jettison_closure::{Edge, How, ProgramFacts, companions, compiled, config};
use jettison_image::{Follow, Node};

/// Everything that a program leads to, without what is in system directories
/// that are only named.
fn reach<'a>(host: &'a Host, loader: &Loader<'a>, program: &Path) -> HashSet<usize> {
    let tree = &host.tree;
    let mut reached = HashSet::new();
    let program = tree.resolve(program.as_os_str().as_encoded_bytes(), Follow::All);
    let mut open: Vec<Node<'a>> = vec![program.expect("in the tree")];
    while let Some(node) = open.pop() {
        if !reached.insert(node.first_link().id()) || !node.is_file() {
            continue;
        }
        for edge in edges(host, loader, node) {
            let Ok(to) = tree.resolve(edge.to.as_bytes(), Follow::All) else {
                continue;
            };
            if edge.how == How::Family {
                let below = to.subtree().filter_map(|node| {
                    tree.resolve([b"/", node.path().as_bytes()].concat(), Follow::All)
                        .ok()
                });
                open.extend(below);
            } else {
                open.push(to);
            }
        }
    }
    reached
}

fn edges<'a>(host: &'a Host, loader: &Loader<'a>, node: Node<'a>) -> Vec<Edge> {
    // Data leads nowhere; reading all of it takes its time.
    if node.path().as_bytes().starts_with(b"usr/share/") {
        return Vec::new();
    }
    let world = host.world();
    let data = world.contents.read(node, 1 << 30).expect("readable");
    if !data.starts_with(b"\x7fELF") {
        let mut edges = any::edges(&world, node, &data);
        edges.extend(config::edges(&world, node, &data));
        return edges;
    }
    let mut edges: Vec<Edge> = loader
        .closure(node)
        .edges
        .into_iter()
        .map(|(_, edge)| edge)
        .collect();
    if let Some(facts) = ProgramFacts::read(node, &data) {
        edges.extend(compiled::edges_of(loader, node, &facts));
        edges.extend(companions::of(&world, &facts));
    }
    edges
}

/// The files that a command opens or runs, links followed; none without strace.
fn opened(command: &[&str], environment: &[(&str, &str)]) -> Option<BTreeSet<PathBuf>> {
    let scratch = tempfile::tempdir().ok()?;
    let log = scratch.path().join("log");
    Command::new("strace")
        .args(["-f", "-e", "trace=open,openat,execve", "-o"])
        .arg(&log)
        .args(command)
        .current_dir(scratch.path())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(environment.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let mut files = BTreeSet::new();
    for line in fs::read_to_string(log).ok()?.lines() {
        let succeeded = line
            .rsplit_once(" = ")
            .is_some_and(|(_, value)| !value.starts_with('-'));
        let path = line.split('"').nth(1).unwrap_or_default();
        if succeeded && path.starts_with('/') {
            files.extend(fs::canonicalize(path));
        }
    }
    files.retain(|path| {
        path.is_file()
            && ![
                "/proc", "/sys", "/dev", "/tmp", "/run", "/var", "/root", "/home",
            ]
            .iter()
            .any(|outside| path.starts_with(outside))
    });
    Some(files)
}

/// A command and its environment.
type Watched = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

/// Each asks for something that no path in the program names.
const COMMANDS: &[Watched] = &[
    (
        &["/usr/bin/date"],
        &[("TZ", "Asia/Tokyo"), ("LANG", "C.UTF-8")],
    ),
    (
        &["/usr/bin/iconv", "-f", "EUC-JP", "-t", "UTF-8", "/dev/null"],
        &[],
    ),
    (&["/usr/bin/getent", "ahosts", "localhost"], &[]),
    (&["/usr/bin/infocmp", "xterm"], &[]),
    (&["/usr/bin/file", "/usr/bin/file"], &[]),
    (
        &[
            "/usr/bin/openssl",
            "list",
            "-providers",
            "-provider",
            "legacy",
        ],
        &[],
    ),
];

#[test]
fn what_programs_open_is_within_their_reach() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let mut host = Host::system();
    host.environment
        .insert("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let world = host.world();
    let loader = Loader::new(&world);
    let mut outside = Vec::new();
    let mut watched = 0;
    for (command, environment) in COMMANDS {
        let program = Path::new(command[0]);
        if !program.is_file() {
            println!("skipped: {} is not installed", program.display());
            continue;
        }
        let Some(opened) = opened(command, environment) else {
            continue;
        };
        if opened.is_empty() {
            println!("skipped: strace saw nothing of {}", program.display());
            continue;
        }
        let reached = reach(&host, &loader, program);
        watched += opened.len();
        for path in opened {
            let node = host
                .tree
                .resolve(path.as_os_str().as_encoded_bytes(), Follow::All);
            if node.is_ok_and(|node| !reached.contains(&node.first_link().id())) {
                outside.push(format!("{}: {}", program.display(), path.display()));
            }
        }
    }
    println!("{watched} files watched");
    assert!(outside.is_empty(), "{}", outside.join("\n"));
}
