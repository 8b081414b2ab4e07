//! What a real interpreter has loaded must be within the reach of what is read off the sources.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jettison_closure::scripts::{any, command};
use jettison_closure::{Edge, How, Memo, World};
use jettison_image::{
    Budget, Entry, EntryKind, Error, FileContents, ImagePath, LayerIndexBuilder, Limits, Metadata,
    Node, Tree,
};

/// Modules of the standard library that import much, late and by name.
const MODULES: &[&str] = &[
    "asyncio",
    "ctypes.util",
    "email.mime.multipart",
    "http.server",
    "logging.config",
    "multiprocessing.pool",
    "sqlite3",
    "xml.dom.minidom",
    "zoneinfo",
];

/// A directory of this machine as an image.
struct Machine;

impl FileContents for Machine {
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error> {
        let path = PathBuf::from(format!("{}", file.path().display()));
        let mut data = std::fs::read(path).unwrap_or_default();
        data.truncate(most as usize);
        Ok(Cow::Owned(data))
    }
}

fn walk(directory: &Path, entries: &mut Vec<Entry>) {
    let Ok(children) = std::fs::read_dir(directory) else {
        return;
    };
    let mut children: Vec<PathBuf> = children.flatten().map(|child| child.path()).collect();
    children.sort();
    for path in children {
        if matches!(
            path.file_name().and_then(|name| name.to_str()),
            Some("__pycache__" | "test" | "tests")
        ) {
            continue;
        }
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let kind = if metadata.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            EntryKind::Symlink {
                target: target.to_str().unwrap().into(),
            }
        } else if metadata.is_dir() {
            EntryKind::Directory
        } else {
            EntryKind::File {
                size_bytes: metadata.len(),
            }
        };
        let is_directory = metadata.is_dir();
        entries.push(entry(&path, kind));
        if is_directory {
            walk(&path, entries);
        }
    }
}

fn entry(path: &Path, kind: EntryKind) -> Entry {
    Entry {
        path: ImagePath::new(path.to_str().unwrap()).unwrap(),
        kind,
        metadata: Metadata {
            mode: 0o755,
            ..Metadata::default()
        },
    }
}

fn tree(entries: &[Entry]) -> Tree {
    let limits = Limits::default();
    let mut builder = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
    for (ordinal, entry) in entries.iter().enumerate() {
        builder.push(entry, ordinal as u32, None).unwrap();
    }
    Tree::merge(vec![Arc::new(builder.finish())], &limits).unwrap()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    String::from_utf8(text).ok()
}

fn python(code: &str) -> Option<String> {
    output("python3", &["-I", "-c", code])
}

#[test]
fn what_is_imported_is_within_reach() {
    let Some(facts) = python(
        "import sys, os; print(os.path.realpath(sys.executable)); print(sys.prefix); print(os.path.dirname(os.__file__))",
    ) else {
        println!("skipped: no python3 here");
        return;
    };
    let facts: Vec<PathBuf> = facts.lines().map(PathBuf::from).collect();
    let mut entries = vec![entry(&facts[0], EntryKind::File { size_bytes: 1 })];
    walk(&facts[2], &mut entries);
    let tree = tree(&entries);
    let world = World {
        tree: &tree,
        contents: &Machine,
        environment: &BTreeMap::new(),
        working_directory: &ImagePath::root(),
        memo: &Memo::default(),
    };
    let program = facts[0].to_str().unwrap();
    let mut missing = BTreeSet::new();
    let mut count = 0;
    let mut known: BTreeMap<ImagePath, Vec<Edge>> = BTreeMap::new();
    for module in MODULES {
        let code = format!("import {module}");
        let Some(imported) = python(&format!(
            "{code}\nimport sys\nfor m in list(sys.modules.values()):\n  if getattr(m, '__file__', None): print(m.__file__)"
        )) else {
            println!("skipped: no {module} in this python3");
            continue;
        };
        let library = facts[2].to_str().unwrap();
        let files = imported
            .lines()
            .filter(|file| file.starts_with(library) && !file.contains("site-packages"));
        let files: BTreeSet<ImagePath> = files.map(|file| ImagePath::new(file).unwrap()).collect();
        let argv = [program, "-c", &code].map(str::to_owned);
        let reached = reach(&world, command::edges(&world, &argv), &files, &mut known);
        count += files.len();
        missing.extend(
            files
                .difference(&reached)
                .map(|file| format!("{module}: {}", file.display())),
        );
    }
    println!("{count} files, imported by {} programs", MODULES.len());
    assert!(missing.is_empty(), "{missing:#?}");
}

/// npm is the largest program that comes with every Node.
#[test]
fn what_is_required_is_within_reach() {
    let print = "console.log(Object.keys(require.cache).join('\\n'))";
    let found = ["/usr/lib/node_modules/npm", "/usr/local/lib/node_modules/npm", "/usr/share/nodejs/npm"]
        .into_iter()
        .map(|directory| (directory, format!("require('{directory}/lib/npm.js'); require('{directory}/lib/cli/entry.js'); require('{directory}/lib/commands/install.js')")))
        .find_map(|(directory, code)| Some((directory, output("node", &["-e", &format!("{code}; {print}")])?, code)));
    let Some((directory, required, code)) = found else {
        println!("skipped: no node with npm here");
        return;
    };
    let mut entries = vec![entry(
        Path::new("/usr/bin/node"),
        EntryKind::File { size_bytes: 1 },
    )];
    walk(Path::new(directory), &mut entries);
    let tree = tree(&entries);
    let world = World {
        tree: &tree,
        contents: &Machine,
        environment: &BTreeMap::new(),
        working_directory: &ImagePath::root(),
        memo: &Memo::default(),
    };
    let files: BTreeSet<ImagePath> = required
        .lines()
        .filter(|file| file.starts_with(directory))
        .map(|file| ImagePath::new(file).unwrap())
        .collect();
    let argv = ["node", "-e", &code].map(str::to_owned);
    let reached = reach(
        &world,
        command::edges(&world, &argv),
        &files,
        &mut BTreeMap::new(),
    );
    println!("{} files, required by npm", files.len());
    let missing: Vec<&ImagePath> = files.difference(&reached).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Which of the files are led to, from the edges given and from each other; families with all that is in them.
fn reach(
    world: &World,
    edges: Vec<Edge>,
    files: &BTreeSet<ImagePath>,
    known: &mut BTreeMap<ImagePath, Vec<Edge>>,
) -> BTreeSet<ImagePath> {
    let mut reached = BTreeSet::new();
    let mut open = edges;
    while let Some(edge) = open.pop() {
        let led_to: Vec<ImagePath> = match edge.how {
            How::Family => files
                .iter()
                .filter(|file| file.starts_with(&edge.to))
                .cloned()
                .collect(),
            _ => files.get(&edge.to).cloned().into_iter().collect(),
        };
        for path in led_to {
            if !reached.insert(path.clone()) || path.as_bytes().ends_with(b".so") {
                continue;
            }
            let node = world.tree.get(path.as_bytes()).unwrap();
            let edges = known.entry(path).or_insert_with(|| {
                let data = world.contents.read(node, u64::MAX).unwrap();
                any::edges(world, node, &data)
            });
            open.extend(edges.iter().cloned());
        }
    }
    reached
}
