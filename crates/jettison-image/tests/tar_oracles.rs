//! What other tar programs write is read here as they read it, and what is
//! written here is read by them as it was meant.

#![expect(
    clippy::print_stdout,
    reason = "a comparison that is left out is said aloud"
)]

use std::fmt::Write as _;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jettison_image::compression::EncoderOptions;
use jettison_image::layer::{LayerReader, LayerWriter};
use jettison_image::tar::Reader;
use jettison_image::{
    Compression, Digest, Entry, EntryKind, ImagePath, Limits, Metadata, Timestamp,
};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles");

/// Programs that read archives in a common form.
struct Oracles {
    directory: tempfile::TempDir,
    go: Option<PathBuf>,
    python: bool,
}

impl Oracles {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let binary = directory.path().join("list");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&binary)
            .arg(format!("{HERE}/list.go"))
            .env("GO111MODULE", "off")
            .status();
        let go = matches!(built, Ok(status) if status.success()).then_some(binary);
        let python = runs("python3");
        if go.is_none() {
            println!("skipped: comparison with Go's archive/tar (no go)");
        }
        if !python {
            println!("skipped: comparison with Python's tarfile (no python3)");
        }
        Self {
            directory,
            go,
            python,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn go(&self, archive: &Path) -> Option<Vec<String>> {
        let file = std::fs::File::open(archive).expect("archive");
        Some(lines(
            Command::new(self.go.as_ref()?).stdin(Stdio::from(file)),
        ))
    }

    fn python(&self, archive: &Path) -> Option<Vec<String>> {
        let script = format!("{HERE}/list.py");
        self.python
            .then(|| lines(Command::new("python3").arg(script).arg(archive)))
    }
}

fn runs(program: &str) -> bool {
    let status = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The lines a command prints, names normalised as ours are.
fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().expect("oracle starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("oracles print ASCII");
    text.lines().map(normalised).collect()
}

fn normalised(line: &str) -> String {
    let mut fields: Vec<String> = line.split('|').map(str::to_owned).collect();
    let normal = |text: &str| {
        let raw = hex::decode(text).expect("hexadecimal");
        hex::encode(ImagePath::new(raw).expect("path").as_bytes())
    };
    fields[1] = normal(&fields[1]);
    if fields[0] == "h" {
        fields[2] = normal(&fields[2]);
    }
    fields.join("|")
}

/// Our reading of an archive in the oracles' form.
fn ours(archive: &Path) -> Vec<String> {
    let file = std::fs::File::open(archive).expect("archive");
    let mut reader = Reader::new(BufReader::new(file), &Limits::default());
    let mut lines = Vec::new();
    while let Some(mut entry) = reader.next_entry().expect("readable") {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        lines.push(line(entry.entry(), &content));
    }
    lines
}

fn line(entry: &Entry, content: &[u8]) -> String {
    let Metadata {
        mode,
        uid,
        gid,
        mtime,
        uname,
        gname,
        xattrs,
        ..
    } = &entry.metadata;
    let (mut kind, mut link, mut device, mut sum) = ("f", String::new(), (0, 0), String::new());
    match &entry.kind {
        EntryKind::File { size_bytes } => {
            assert_eq!(*size_bytes, content.len() as u64);
            sum = Digest::of(content).hex();
        }
        EntryKind::HardLink { target } => (kind, link) = ("h", hex::encode(target.as_bytes())),
        EntryKind::Symlink { target } => (kind, link) = ("l", hex::encode(target)),
        EntryKind::Directory => kind = "d",
        EntryKind::CharDevice { major, minor } => (kind, device) = ("c", (*major, *minor)),
        EntryKind::BlockDevice { major, minor } => (kind, device) = ("b", (*major, *minor)),
        EntryKind::Fifo => kind = "p",
    }
    let mut attributes = String::new();
    for (name, value) in xattrs {
        let comma = if attributes.is_empty() { "" } else { "," };
        write!(
            attributes,
            "{comma}{}={}",
            hex::encode(name),
            hex::encode(value)
        )
        .expect("string");
    }
    format!(
        "{kind}|{}|{link}|{mode:o}|{uid}|{gid}|{}.{:09}|{}|{},{}|{sum}|{attributes}|{}|{}",
        hex::encode(entry.path.as_bytes()),
        mtime.seconds,
        mtime.nanoseconds,
        content.len(),
        device.0,
        device.1,
        hex::encode(uname),
        hex::encode(gname),
    )
}

fn compare(what: &Path, left: &[String], right: &[String]) {
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left, right, "{}", what.display());
    }
    assert_eq!(left.len(), right.len(), "{}", what.display());
}

/// Every archive is also copied raw and must stay what it was.
fn check_archive(oracles: &Oracles, archive: &Path, python_too: bool) {
    let ours = ours(archive);
    assert!(!ours.is_empty(), "{}", archive.display());
    if let Some(go) = oracles.go(archive) {
        compare(archive, &ours, &go);
    }
    if python_too && let Some(python) = oracles.python(archive) {
        compare(archive, &ours, &python);
    }
    let file = std::fs::File::open(archive).expect("archive");
    let mut layer = LayerReader::new(BufReader::new(file), &Limits::default());
    let mut copy =
        LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).expect("writer");
    while let Some(mut entry) = layer.next_entry().expect("readable") {
        copy.append_raw(entry.as_tar()).expect("copy");
    }
    let copied = oracles.path().join("copy.tar");
    std::fs::write(&copied, copy.finish().expect("finish").1).expect("write");
    compare(archive, &ours, &self::ours(&copied));
    if let Some(go) = oracles.go(&copied) {
        compare(archive, &ours, &go);
    }
}

#[test]
fn archives_of_gnu_tar() {
    if !runs("tar") {
        println!("skipped: comparison with GNU tar (no tar)");
        return;
    }
    let oracles = Oracles::new();
    let tree = oracles.path().join("tree");
    std::fs::create_dir(&tree).expect("directory");
    let script = r#"
        set -e
        mkdir -p d/e
        printf content >d/file; chmod 4755 d/file; ln d/file hard; ln -s d/file soft
        ln -s "$(printf '../x%.0s' $(seq 60))" far
        mkfifo pipe
        printf long >"$(printf 'n%.0s' $(seq 200))"
        mkdir -p "$(printf 'deep-directory/%.0s' $(seq 15))"
        printf p >"$(printf 'deep-directory/%.0s' $(seq 15))file"
        printf u >'grüße'; printf r >"$(printf 'raw-\377\376')"
        truncate -s 3M holes
        for at in 0 100 200 300 400 500; do
            printf data | dd of=holes bs=4096 seek=$at conv=notrunc status=none
        done
        truncate -s 1M empty-hole
        touch -d '1969-12-31 23:59:50.25 UTC' old; touch -d '2024-01-02 03:04:05.123456789 UTC' new
        [ "$(id -u)" != 0 ] || { mknod null c 1 3; mknod disk b 8 300; printf o >owned; chown 3000000:4000000 owned; }
    "#;
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(&tree)
        .status();
    assert!(made.expect("sh").success());
    let forms: &[(&str, &[&str])] = &[
        ("v7", &["--format=v7"]),
        ("oldgnu", &["--format=oldgnu"]),
        ("gnu", &["--format=gnu"]),
        ("gnu-sparse", &["--format=gnu", "--sparse"]),
        ("ustar", &["--format=ustar"]),
        ("posix", &["--format=posix"]),
        (
            "posix-0.0",
            &["--format=posix", "--sparse", "--sparse-version=0.0"],
        ),
        (
            "posix-0.1",
            &["--format=posix", "--sparse", "--sparse-version=0.1"],
        ),
        (
            "posix-1.0",
            &["--format=posix", "--sparse", "--sparse-version=1.0"],
        ),
        ("posix-xattrs", &["--format=posix", "--xattrs"]),
    ];
    for (name, arguments) in forms {
        let archive = oracles.path().join(format!("{name}.tar"));
        // What a format cannot say is left out, with a warning and status 2.
        let mut tar = Command::new("tar");
        tar.args(*arguments)
            .arg("-cf")
            .arg(&archive)
            .args(["--sort=name", "."]);
        tar.current_dir(&tree)
            .stderr(Stdio::null())
            .status()
            .expect("tar");
        check_archive(&oracles, &archive, true);
    }
}

#[test]
fn archives_of_go_and_python() {
    let oracles = Oracles::new();
    let directory = oracles.path().join("archives");
    std::fs::create_dir(&directory).expect("directory");
    if let Some(go) = &oracles.go {
        assert!(
            Command::new(go)
                .arg("write")
                .arg(&directory)
                .status()
                .expect("go")
                .success()
        );
    }
    if oracles.python {
        let script = format!("{HERE}/list.py");
        let status = Command::new("python3")
            .arg(script)
            .arg("write")
            .arg(&directory)
            .status();
        assert!(status.expect("python").success());
    }
    for archive in std::fs::read_dir(&directory).expect("directory") {
        check_archive(&oracles, &archive.expect("entry").path(), true);
    }
}

#[test]
fn what_is_written_here() {
    let oracles = Oracles::new();
    let archive = oracles.path().join("ours.tar");
    let mut expected = Vec::new();
    let mut writer =
        LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).expect("writer");
    for (entry, content) in samples() {
        writer
            .append(&entry, &mut content.as_slice())
            .expect("append");
        expected.push(line(&entry, &content));
    }
    std::fs::write(&archive, writer.finish().expect("finish").1).expect("write");
    compare(&archive, &ours(&archive), &expected);
    if let Some(go) = oracles.go(&archive) {
        compare(&archive, &go, &expected);
    }
    if let Some(python) = oracles.python(&archive) {
        compare(&archive, &python, &expected);
    }
    gnu_tar_lists_our_names(&archive);
}

fn gnu_tar_lists_our_names(archive: &Path) {
    if !runs("tar") {
        println!("skipped: comparison with GNU tar (no tar)");
        return;
    }
    let mut tar = Command::new("tar");
    let output = tar
        .args([
            "--quoting-style=literal",
            "--warning=no-unknown-keyword",
            "-tf",
        ])
        .arg(archive)
        .output()
        .expect("tar");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let names: Vec<Vec<u8>> = samples()
        .iter()
        .map(|(entry, _)| match entry.kind {
            EntryKind::Directory if entry.path.is_root() => b"./".to_vec(),
            EntryKind::Directory => [entry.path.as_bytes(), b"/"].concat(),
            _ => entry.path.as_bytes().to_vec(),
        })
        .collect();
    let listed: Vec<&[u8]> = output
        .stdout
        .trim_ascii_end()
        .split(|&b| b == b'\n')
        .collect();
    assert!(listed == names, "GNU tar lists other names");
}

/// One of everything, at the edges of what the header's fields hold.
fn samples() -> Vec<(Entry, Vec<u8>)> {
    let mut samples = Vec::new();
    let mut add = |path: &[u8], kind: EntryKind, content: &[u8], change: &dyn Fn(&mut Metadata)| {
        let mut metadata = Metadata {
            mode: 0o644,
            ..Metadata::default()
        };
        metadata.mtime = Timestamp::from_seconds(1_700_000_000);
        change(&mut metadata);
        let path = ImagePath::new(path).expect("test path");
        samples.push((
            Entry {
                path,
                kind,
                metadata,
            },
            content.to_vec(),
        ));
    };
    let same = |_: &mut Metadata| {};
    let file = |content: &[u8]| EntryKind::File {
        size_bytes: content.len() as u64,
    };
    add(b"", EntryKind::Directory, b"", &|m| m.mode = 0o1777);
    add(b"etc", EntryKind::Directory, b"", &same);
    for length in [1, 99, 100, 101, 155, 156, 200, 255, 256, 257, 300] {
        add(&vec![b'n'; length], file(b"name"), b"name", &same);
        let slashes: Vec<u8> = (0..length).map(|at| b"dddddd/"[at % 7]).collect();
        add(
            &[&slashes[..], b"x"].concat(),
            file(b"slashes"),
            b"slashes",
            &same,
        );
        add(
            &[&slashes[..], b"y"].concat(),
            EntryKind::Directory,
            b"",
            &same,
        );
        let target = EntryKind::Symlink {
            target: vec![b't'; length],
        };
        add(format!("l{length}").as_bytes(), target, b"", &same);
        let target = ImagePath::new(vec![b'n'; length]).expect("test path");
        add(
            format!("h{length}").as_bytes(),
            EntryKind::HardLink { target },
            b"",
            &same,
        );
    }
    add("grüße/☃".as_bytes(), file(b"u"), b"u", &same);
    add(b"raw/\xff\xfe", file(b"r"), b"r", &same);
    add(
        b"dev/null",
        EntryKind::CharDevice { major: 1, minor: 3 },
        b"",
        &same,
    );
    add(
        b"dev/big",
        EntryKind::BlockDevice {
            major: 4095,
            minor: 1_048_575,
        },
        b"",
        &same,
    );
    add(b"pipe", EntryKind::Fifo, b"", &same);
    for (at, id) in [0, 65_532, 0o7_777_777, 0o10_000_000, 4_294_967_294]
        .into_iter()
        .enumerate()
    {
        add(format!("id{at}").as_bytes(), file(b""), b"", &|m| {
            (m.uid, m.gid) = (id, id)
        });
    }
    for (at, seconds) in [0, -1, -5_000_000_000, 0o77_777_777_777, 0o100_000_000_000]
        .iter()
        .enumerate()
    {
        for nanoseconds in [0, 1, 250_000_000, 999_999_999] {
            let time = Timestamp {
                seconds: *seconds,
                nanoseconds,
            };
            add(
                format!("t{at}-{nanoseconds}").as_bytes(),
                file(b""),
                b"",
                &|m| m.mtime = time,
            );
        }
    }
    add(b"names", file(b""), b"", &|m| {
        m.uname = "jürgen".as_bytes().into();
        m.gname = vec![b'g'; 40].into();
    });
    add(b"attributes", file(b"elf"), b"elf", &|m| {
        m.mode = 0o6755;
        let value: &[u8] = b"\x01\0\0\x02\0 \0\0\0\0\0\0\xff\0\0\0\0\0\0\n=";
        m.xattrs
            .insert(b"security.capability".as_slice().into(), value.into());
        m.xattrs
            .insert(b"user.a".as_slice().into(), b"b".as_slice().into());
        m.pax
            .insert(b"VENDOR.key".as_slice().into(), b"value".as_slice().into());
    });
    samples
}
