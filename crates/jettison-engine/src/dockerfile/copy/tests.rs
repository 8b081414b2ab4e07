//! Dockerfiles of COPY and ADD beside the layers that BuildKit 0.26 made of
//! them (`cases/`). Where `JETTISON_BUILDCTL` names a buildctl with its
//! address, BuildKit is asked again and must still say what the cases say;
//! with `JETTISON_ACCEPT` as well, what it says is written down. Random copies
//! are compared then too (`JETTISON_SEED`, `JETTISON_COUNT`).

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jettison_dockerfile::expand::{Lex, NoVariables};
use jettison_dockerfile::instruction::{Body, CopyFiles};
use jettison_image::compression::EncoderOptions;
use jettison_image::layer::LayerReader;
use jettison_image::tar::SeekSource;
use jettison_image::{
    Budget, Compression, ContentHash, Entry, EntryKind, Error, ImagePath, LayerIndexBuilder,
    LayerWriter, Limits, Metadata, Node, Timestamp, Tree,
};

use super::{CopyRequest, select};
use crate::dockerfile::FileSystem;
use crate::dockerfile::context::Context;

/// Times from here on are shown as `now`.
const NOW: i64 = 1_750_000_000;

/// A stage whose layers are in memory.
struct Stage {
    name: Vec<u8>,
    working_dir: Vec<u8>,
    layers: Vec<Vec<u8>>,
    tree: Tree,
}

impl Stage {
    fn new(name: &[u8], layers: Vec<Vec<u8>>) -> Self {
        let limits = Limits::default();
        let budget = Arc::new(Budget::new(&limits));
        let index = |layer: &Vec<u8>| {
            let mut index = LayerIndexBuilder::new(budget.clone());
            let mut reader = LayerReader::new(source(layer), &limits);
            while let Some(mut entry) = reader.next_entry().expect("an entry") {
                let hash = entry.sha256().expect("a hash");
                let hash = hash.map(|hash| ContentHash::Sha256(*hash.as_bytes()));
                index
                    .push(entry.entry(), entry.ordinal(), hash)
                    .expect("pushed");
            }
            Arc::new(index.finish())
        };
        let tree = Tree::merge(layers.iter().map(index).collect(), &limits).expect("a tree");
        Self {
            name: name.to_vec(),
            working_dir: b"/".to_vec(),
            layers,
            tree,
        }
    }
}

impl Stage {
    fn add(&mut self, layer: Vec<u8>) {
        self.layers.push(layer);
        let with = Self::new(&self.name, std::mem::take(&mut self.layers));
        self.layers = with.layers;
        self.tree = with.tree;
    }
}

/// WORKDIR of a directory that is not there, in the root.
fn made_directory(path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut layer =
        LayerWriter::new(&mut bytes, &EncoderOptions::new(Compression::None)).expect("a layer");
    let directory = Entry {
        path: ImagePath::new(path).expect("a path"),
        kind: EntryKind::Directory,
        metadata: Metadata {
            mode: 0o755,
            mtime: Timestamp::from_seconds(NOW),
            ..Metadata::default()
        },
    };
    layer.append_empty(&directory).expect("a layer");
    layer.finish().expect("a layer");
    bytes
}

impl FileSystem for Stage {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn open(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        let origin = file.content_origin().expect("a file has an entry");
        let mut reader = LayerReader::new(
            source(&self.layers[origin.layer as usize]),
            &Limits::default(),
        );
        while let Some(mut entry) = reader.next_entry()? {
            if entry.ordinal() == origin.entry {
                let mut content = Vec::new();
                entry
                    .read_to_end(&mut content)
                    .map_err(|error| Error::read("test", error))?;
                return Ok(Box::new(Cursor::new(content)));
            }
        }
        unreachable!("the entry is there");
    }
}

fn source(layer: &[u8]) -> SeekSource<Cursor<&[u8]>> {
    SeekSource::new(Cursor::new(layer)).expect("memory can be read")
}

fn request(copy: &CopyFiles, stage: &Stage, is_add: bool) -> CopyRequest {
    let value = |word: &Option<jettison_dockerfile::Word>| word.as_ref().map(|w| w.value.clone());
    CopyRequest {
        sources: copy.sources.iter().map(|word| word.value.clone()).collect(),
        inline: copy
            .inline
            .iter()
            .map(|file| (file.name.clone(), file.content.clone()))
            .collect(),
        destination: copy.destination.value.clone(),
        working_dir: stage.working_dir.clone(),
        chown: value(&copy.chown),
        chmod: value(&copy.chmod),
        link: copy.link,
        parents: copy.parents,
        exclude: copy.exclude.iter().map(|word| word.value.clone()).collect(),
        unpack: copy.unpack.unwrap_or(is_add),
        time: Timestamp::from_seconds(NOW),
        ..CopyRequest::default()
    }
}

/// Executes a Dockerfile of COPY, ADD and WORKDIR from scratch; the layers of
/// its last stage, or the first error.
fn build(context: &Path, dockerfile: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let told = |error: &dyn std::error::Error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    let context =
        Context::open(context, None, None, &Limits::default()).map_err(|error| told(&error))?;
    let (file, errors) = jettison_dockerfile::parse(dockerfile);
    assert!(errors.is_empty(), "{errors:?}");
    let mut stages: Vec<Stage> = Vec::new();
    let lex = Lex::new(file.escape());
    for instruction in file.instructions() {
        let instruction = instruction.expanded(&lex, &NoVariables).expect("expanded");
        let (copy, is_add) = match &instruction.body {
            Body::From(from) => {
                let base = stages.iter().find(|stage| stage.name == from.base.value);
                let layers = base.map_or_else(Vec::new, |stage| stage.layers.clone());
                let name = from
                    .name
                    .as_ref()
                    .map_or(Vec::new(), |name| name.value.clone());
                stages.push(Stage::new(&name, layers));
                continue;
            }
            Body::Workdir(word) => {
                let stage = stages.last_mut().expect("a stage");
                stage.working_dir = word.value.clone();
                stage.add(made_directory(&word.value));
                continue;
            }
            Body::Copy(copy) => (copy, false),
            Body::Add(copy) => (copy, true),
            other => panic!("{other:?}"),
        };
        let stage = stages.last().expect("a stage");
        let request = request(copy, stage, is_add);
        let from = copy.from.as_ref().map(|from| {
            let named = stages.iter().find(|stage| stage.name == from.value);
            named.expect("a stage of this name") as &dyn FileSystem
        });
        let mut bytes = Vec::new();
        let mut layer =
            LayerWriter::new(&mut bytes, &EncoderOptions::new(Compression::None)).expect("a layer");
        select(&request, from.unwrap_or(&context))
            .and_then(|selection| {
                selection.plan(Some(stage))?.write(&mut layer)?;
                Ok(())
            })
            .map_err(|error| told(&error))?;
        layer.finish().expect("a layer");
        stages.last_mut().expect("a stage").add(bytes);
    }
    Ok(stages.pop().expect("a stage").layers)
}

fn rows(layer: &[u8]) -> Vec<String> {
    let mut rows = Vec::new();
    let mut reader = LayerReader::new(source(layer), &Limits::default());
    while let Some(mut entry) = reader.next_entry().expect("an entry") {
        let digest = entry.sha256().expect("a hash");
        let entry = entry.entry();
        let metadata = &entry.metadata;
        let kind = match &entry.kind {
            EntryKind::File { size_bytes } => {
                let digest = digest.expect("files have one").short();
                format!("file {size_bytes} {digest}")
            }
            EntryKind::HardLink { target } => format!("same as {}", target.display()),
            EntryKind::Symlink { target } => format!("-> {}", String::from_utf8_lossy(target)),
            EntryKind::Directory => "directory".into(),
            other => format!("{other:?}"),
        };
        let time = match metadata.mtime.seconds {
            NOW.. => "now".into(),
            seconds => format!("@{}", seconds - 1_000_000_000),
        };
        let xattrs: Vec<_> = metadata
            .xattrs
            .keys()
            .map(|name| format!(" {}", String::from_utf8_lossy(name)))
            .collect();
        rows.push(format!(
            "{} {:o} {}:{} {time} {kind}{}",
            entry.path.display(),
            metadata.mode,
            metadata.uid,
            metadata.gid,
            xattrs.concat()
        ));
    }
    rows
}

fn show(layers: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for layer in layers {
        text.push_str("layer\n");
        for row in rows(layer) {
            text.push_str(&format!("  {row}\n"));
        }
    }
    text
}

/// What BuildKit makes of it: its layers, or its error.
fn buildkit(buildctl: &str, context: &Path, dockerfile: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let scratch = tempfile::tempdir().expect("a directory");
    let beside = scratch.path().join("dockerfile");
    fs::create_dir(&beside).expect("a directory");
    fs::write(beside.join("Dockerfile"), dockerfile).expect("a file");
    let out = scratch.path().join("out");
    // Of a context that it knows BuildKit takes only what has another size or
    // time, and directories get new times: it must know none.
    let mut words = buildctl.split(' ');
    let pruned = Command::new(words.next().expect("a program"))
        .args(words)
        .args(["prune", "--all"])
        .output();
    assert!(pruned.expect("buildctl runs").status.success());
    let mut words = buildctl.split(' ');
    let output = Command::new(words.next().expect("a program"))
        .args(words)
        .args(["build", "--progress=plain", "--no-cache"])
        .args(["--frontend", "dockerfile.v0"])
        .arg("--local")
        .arg(format!("context={}", context.display()))
        .arg("--local")
        .arg(format!("dockerfile={}", beside.display()))
        .arg("--output")
        .arg(format!(
            "type=oci,tar=false,compression=uncompressed,dest={}",
            out.display()
        ))
        .output()
        .expect("buildctl runs");
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().rev().find(|line| line.contains("error: "));
        return Err(line.unwrap_or(&text).to_owned());
    }
    let read = |digest: &str| {
        let name = digest.trim_start_matches("sha256:");
        fs::read(out.join("blobs/sha256").join(name)).expect("a blob")
    };
    let json = |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).expect("JSON") };
    let index = json(&fs::read(out.join("index.json")).expect("an index"));
    let mut manifest = index["manifests"][0].clone();
    loop {
        let document = json(&read(manifest["digest"].as_str().expect("a digest")));
        match document["layers"].as_array() {
            Some(layers) => {
                let digests = layers.iter().map(|layer| layer["digest"].as_str());
                return Ok(digests.map(|digest| read(digest.expect("one"))).collect());
            }
            None => manifest = document["manifests"][0].clone(),
        }
    }
}

/// A context as a script of the shell makes it. Every file has a time of its
/// own, for BuildKit takes files of one size and time for the same.
fn context(script: &str) -> Option<tempfile::TempDir> {
    let directory = tempfile::tempdir().expect("a directory");
    let script = format!("umask 022; set -e; {script}");
    let done = Command::new("sh")
        .args(["-c", &script])
        .current_dir(directory.path())
        .status();
    if !done.expect("a shell").success() {
        return None;
    }
    age(directory.path(), &mut 1_000_000_000);
    Some(directory)
}

fn age(directory: &Path, time: &mut i64) {
    let mut names: Vec<PathBuf> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    for path in names {
        if path.is_dir() && !path.is_symlink() {
            age(&path, time);
        }
        *time += 1;
        let stamp = rustix::fs::Timespec {
            tv_sec: *time,
            tv_nsec: 500_000_000,
        };
        let stamps = rustix::fs::Timestamps {
            last_access: stamp,
            last_modification: stamp,
        };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(rustix::fs::CWD, &path, &stamps, flags).expect("a time");
    }
}

/// The lines that only one of two texts has, layer by layer.
fn difference(expected: &str, ours: &str) -> String {
    let layers = |text: &str| -> Vec<Vec<String>> {
        let layers = text.split("layer\n").skip(1);
        layers
            .map(|layer| layer.lines().map(str::to_owned).collect())
            .collect()
    };
    let (expected, ours) = (layers(expected), layers(ours));
    let mut out = String::new();
    let none = Vec::new();
    for number in 0..expected.len().max(ours.len()) {
        let theirs = expected.get(number).unwrap_or(&none);
        let ours = ours.get(number).unwrap_or(&none);
        if theirs != ours {
            out.push_str(&format!("layer {number}\n"));
            for line in theirs.iter().filter(|line| !ours.contains(line)) {
                out.push_str(&format!("-{line}\n"));
            }
            for line in ours.iter().filter(|line| !theirs.contains(line)) {
                out.push_str(&format!("+{line}\n"));
            }
        }
    }
    out
}

struct Case {
    path: PathBuf,
    script: String,
    dockerfile: String,
    expected: String,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dockerfile/copy/cases");
    let mut cases: Vec<Case> = fs::read_dir(directory)
        .expect("the cases")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a case");
            let mut parts = text.splitn(3, "----\n").map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            Case {
                script: part(),
                dockerfile: part(),
                expected: part(),
                path,
            }
        })
        .collect();
    cases.sort_by(|one, other| one.path.cmp(&other.path));
    cases
}

#[test]
fn layers_are_those_of_buildkit() {
    let buildctl = std::env::var("JETTISON_BUILDCTL").ok();
    let accept = std::env::var_os("JETTISON_ACCEPT").is_some();
    if buildctl.is_none() {
        eprintln!("skipped: asking BuildKit again, for JETTISON_BUILDCTL is not set");
    }
    let mut wrong = String::new();
    for case in cases() {
        let name = case.path.file_stem().expect("a name").to_string_lossy();
        // Devices and capabilities need root, some archives a packer.
        let Some(context) = context(&case.script) else {
            eprintln!("skipped: {name}, for its context cannot be made here");
            continue;
        };
        let mut expected = case.expected.clone();
        if let Some(buildctl) = &buildctl {
            let theirs = buildkit(buildctl, context.path(), case.dockerfile.as_bytes());
            let theirs = match theirs {
                Ok(layers) => show(&layers),
                Err(error) => format!("error\n# {error}\n"),
            };
            if accept {
                let text = format!("{}----\n{}----\n{theirs}", case.script, case.dockerfile);
                fs::write(&case.path, text).expect("the case is written");
                expected = theirs;
            } else if theirs != expected && !theirs.starts_with("error") {
                wrong.push_str(&format!("== {name}: BuildKit now says\n{theirs}"));
            }
        }
        let ours = build(context.path(), case.dockerfile.as_bytes());
        match ours {
            Err(_) if expected.starts_with("error") => {}
            Err(error) => wrong.push_str(&format!("== {name}\n{error}\nexpected\n{expected}")),
            Ok(layers) if show(&layers) == expected => {}
            Ok(layers) => {
                let ours = show(&layers);
                wrong.push_str(&format!("== {name}\n{}", difference(&expected, &ours)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[usize::try_from(self.below(words.len() as u64)).expect("a place")]
    }

    fn path(&mut self) -> String {
        let names = ["a", "b", "c", "d"];
        let mut path = self.of(&names).to_owned();
        for _ in 0..self.below(3) {
            path = format!("{path}/{}", self.of(&names));
        }
        path
    }

    /// A script that makes a tree, in which the parts that do not fit fail.
    fn tree(&mut self, top: &str) -> String {
        let mut script = format!("mkdir -p {top}; ");
        for number in 0..4 + self.below(8) {
            let (path, other) = (self.path(), self.path());
            script.push_str(&match self.below(8) {
                0..3 => format!("mkdir -p $(dirname {top}/{path}) && echo {number} > {top}/{path}"),
                3 | 4 => format!("mkdir -p {top}/{path} && chmod 7{number}1 {top}/{path}"),
                5 => format!("mkdir -p $(dirname {top}/{path}) && ln -s /{other} {top}/{path}"),
                6 => {
                    let up = self.of(&["", "../", "../../../"]);
                    format!("mkdir -p $(dirname {top}/{path}) && ln -s {up}{other} {top}/{path}")
                }
                _ => format!("ln {top}/{other} {top}/{path}"),
            });
            script.push_str(" 2>/dev/null || true; ");
        }
        script
    }

    fn instruction(&mut self) -> String {
        let mut words = vec!["COPY".to_owned()];
        for (rarely, flag) in [
            (5, "--from=base"),
            (6, "--chown=3:4"),
            (6, "--chmod=751"),
            (9, "--chmod=u+s,go=r"),
            (6, "--link"),
            (5, "--parents"),
            (6, "--exclude=a"),
            (6, "--exclude=**/b"),
            (9, "--exclude=!a/b"),
        ] {
            if self.below(rarely) == 0
                && !(flag.starts_with("--chmod")
                    && words.iter().any(|word| word.starts_with("--chmod")))
            {
                words.push(flag.to_owned());
            }
        }
        for _ in 0..1 + self.below(2) {
            let path = self.path();
            words.push(match self.below(7) {
                0 => format!("src/./{path}"),
                1 => format!("src/{}", path.replace('a', "*")),
                2 => format!("src/{}/", path.replace('b', "?")),
                3 => "src".to_owned(),
                _ => format!("src/{path}"),
            });
        }
        let slash = self.of(&["", "/", "/", "/."]);
        words.push(format!("/{}{slash}", self.path()));
        words.join(" ")
    }
}

#[test]
fn random_copies_are_those_of_buildkit() {
    let Ok(buildctl) = std::env::var("JETTISON_BUILDCTL") else {
        eprintln!("skipped: random copies, for JETTISON_BUILDCTL is not set");
        return;
    };
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let (first, count) = (
        number("JETTISON_SEED").unwrap_or(1),
        number("JETTISON_COUNT").unwrap_or(20),
    );
    let (mut wrong, mut refused) = (String::new(), 0);
    for seed in first..first + count {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let script = random.tree("base") + &random.tree("base/src") + &random.tree("src");
        let mut dockerfile = "FROM scratch AS base\nCOPY base /\nFROM base\n".to_owned();
        for _ in 0..1 + random.below(3) {
            dockerfile.push_str(&random.instruction());
            dockerfile.push('\n');
        }
        let context = context(&script).expect("a context");
        let ours = build(context.path(), dockerfile.as_bytes());
        let theirs = buildkit(&buildctl, context.path(), dockerfile.as_bytes());
        match (&ours, &theirs) {
            (Err(_), Err(_)) => refused += 1,
            (Ok(ours), Ok(theirs)) if show(ours) == show(theirs) => {}
            (Ok(ours), Ok(theirs)) => {
                let change = difference(&show(theirs), &show(ours));
                wrong.push_str(&format!("== {seed}\n{script}\n{dockerfile}{change}"));
            }
            (ours, theirs) => {
                let (ours, theirs) = (ours.as_ref().err(), theirs.as_ref().err());
                wrong.push_str(&format!(
                    "== {seed}\n{script}\n{dockerfile}ours {ours:?}\ntheirs {theirs:?}\n"
                ));
            }
        }
    }
    eprintln!("{refused} of {count} were refused by both");
    assert!(wrong.is_empty(), "{wrong}");
}
