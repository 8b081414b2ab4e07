//! Images that are made to hurt: whatever they hold, the program ends in time
//! and within its memory, with an answer or with an error that names the
//! entry, and nothing of them reaches the terminal as it is.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use jettison_image::testing::{Expected, TarBlock, tar_corpus};
use jettison_image::{Digest, Sha256Writer};
use serde_json::json;

use crate::support::{Jettison, TestImage};

const ESC: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\u{9b}";

/// Runs the corpus in one of the forms of [`TestImage::write`].
fn corpus(form: usize) {
    let jettison = Jettison::new();
    for case in tar_corpus() {
        let image = TestImage::new().layer(case.bytes);
        let place = &image.write(jettison.home())[form];
        let ran = jettison.run(["inspect", place]);
        match case.expected {
            Expected::Error(text) => {
                let error = ran.refused();
                assert!(error.contains(text), "{}: {error}", case.name);
            }
            // A tree may refuse what is a good archive, but then by name.
            Expected::Fine(_) if ran.code == Some(0) => {}
            Expected::Fine(_) => {
                let error = ran.refused();
                assert!(error.contains('/'), "{}: {error}", case.name);
            }
        }
        fs::remove_dir_all(jettison.home().join("layout")).unwrap();
    }
}

#[test]
fn layers_that_lie_in_a_docker_archive() {
    corpus(0);
}

#[test]
fn layers_that_lie_in_an_oci_archive() {
    corpus(1);
}

#[test]
fn layers_that_lie_in_a_layout() {
    corpus(2);
}

#[test]
fn archives_that_lie() {
    let jettison = Jettison::new();
    let path = jettison.home().join("archive.tar");
    for case in tar_corpus() {
        fs::write(&path, case.bytes).unwrap();
        for form in ["docker-archive", "oci-archive"] {
            let error = jettison
                .run(["inspect", &format!("{form}:{}", path.display())])
                .refused();
            if let Expected::Error(text) = case.expected {
                // A hole in an archive is not read, so that its length is none of ours.
                assert!(
                    error.contains(text) || error.contains("missing"),
                    "{}: {error}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn what_is_no_file_is_not_opened() {
    let jettison = Jettison::new();
    let image = TestImage::new().files(&[("a", b"1")]);
    let refused = |place: &str| jettison.run(["inspect", place]).refused();
    let fifo = jettison.home().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let device = jettison.home().join("device");
    symlink("/dev/zero", &device).unwrap();
    for path in [&fifo, &device, &jettison.home().to_owned()] {
        for form in ["docker-archive", "oci-archive"] {
            refused(&format!("{form}:{}", path.display()));
        }
        if path.is_dir() {
            continue;
        }
        refused(&format!("oci:{}", path.display()));
        // In the place of each file of a layout.
        let layout = image.write_layout(jettison.home());
        let read = |path: &std::path::PathBuf| !path.ends_with("oci-layout");
        for file in files(&layout).into_iter().filter(read) {
            let kept = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            fs::rename(path, &file).unwrap();
            refused(&format!("oci:{}", layout.display()));
            fs::rename(&file, path).unwrap();
            // A link to the right content is a link all the same.
            let aside = jettison.home().join("aside");
            fs::write(&aside, &kept).unwrap();
            symlink(&aside, &file).unwrap();
            refused(&format!("oci:{}", layout.display()));
            fs::remove_file(&file).unwrap();
            fs::write(&file, kept).unwrap();
        }
        jettison
            .run(["inspect", &format!("oci:{}", layout.display())])
            .fine();
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn thousands_of_layers() {
    let jettison = Jettison::new();
    let mut image = TestImage::new();
    for _ in 0..4000 {
        image = image.files(&[("a", b"1")]);
    }
    for place in image.write(jettison.home()) {
        let error = jettison.run(["inspect", &place]).refused();
        assert!(error.contains("more than 512 layers"), "{error}");
    }
}

/// A gzip layer of so many small files, made as it is packed.
fn many(count: u32, entry: impl Fn(u32) -> Vec<u8>) -> TestImage {
    let packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut tar = Sha256Writer::new(packed);
    for at in 0..count {
        tar.write_all(&entry(at)).unwrap();
    }
    tar.write_all(&[0; 1024]).unwrap();
    let (packed, diff_id, _) = tar.finish();
    TestImage::new().gzip_layer(packed.finish().unwrap(), diff_id)
}

fn many_entries(count: u32) -> TestImage {
    many(count, |at| {
        let name = format!("d{}/a-name-of-usual-length-{at}.py", at % 1000);
        TarBlock::new(b'0', name, 0).bytes()
    })
}

#[test]
fn a_million_entries() {
    let jettison = Jettison::new();
    let million = many_entries(1_000_000).write_layout(jettison.home());
    let place = format!("oci:{}", million.display());
    let error = jettison.run(["inspect", &place]).refused();
    assert!(
        error.contains("/d0/a-name") && error.contains("600000 entries"),
        "{error}"
    );
    let most = many_entries(60_000).write_layout(jettison.home());
    jettison
        .run([
            "inspect",
            &format!("oci:{}", most.display()),
            "--format",
            "json",
        ])
        .fine();
}

/// Whatever it is that entries have many of, the bound on memory holds.
#[test]
fn much_beside_the_entries() {
    let jettison = Jettison::new();
    let owners = |at: u32| {
        let block = TarBlock::new(b'0', format!("d{}/{at}", at % 1000), 0);
        block.field(108, 8, format!("{at:07o}\0")).bytes()
    };
    let attributes = |at: u32| {
        let value = at.to_string();
        let mut bytes = TarBlock::pax(&[("SCHILY.xattr.user.a", value.as_bytes())]);
        bytes.extend(TarBlock::new(b'0', value, 0).bytes());
        bytes
    };
    let deep = |at: u32| {
        let path = format!("{at}{}", "/a-directory-name".repeat(240));
        let mut bytes = TarBlock::pax(&[("path", path.as_bytes())]);
        bytes.extend(TarBlock::new(b'0', "x", 0).bytes());
        bytes
    };
    let long = |at: u32| {
        let path = format!("{at}{}", format!("/{}", "n".repeat(200)).repeat(15));
        let mut bytes = TarBlock::pax(&[("path", path.as_bytes())]);
        bytes.extend(TarBlock::new(b'0', "x", 0).bytes());
        bytes
    };
    for (what, image) in [
        ("owners", many(590_000, owners)),
        ("attributes", many(300_000, attributes)),
        ("depth", many(2_400, deep)),
        ("length", many(40_000, long)),
    ] {
        let folder = jettison.home().join(what);
        fs::create_dir(&folder).unwrap();
        let place = format!("oci:{}", image.write_layout(&folder).display());
        let ran = jettison.run(["inspect", &place]);
        if ran.code != Some(0) {
            assert!(ran.refused().contains("--limit name-bytes=N"), "{what}");
        }
    }
}

#[test]
fn documents_that_nest() {
    let jettison = Jettison::new();
    for text in ["[", "{\"a\":", "{\"config\":{\"Labels\":"] {
        let mut image = TestImage::new().files(&[("a", b"1")]);
        image.config_bytes = Some(text.repeat(1 << 17).into_bytes());
        for place in image.write(jettison.home()) {
            jettison.run(["inspect", &place]).refused();
        }
        fs::write(
            jettison.home().join("layout/index.json"),
            text.repeat(1 << 17),
        )
        .unwrap();
        let place = format!("oci:{}", jettison.home().join("layout").display());
        let error = jettison.run(["inspect", &place]).refused();
        assert!(error.contains("is not JSON"), "{error}");
    }
}

#[test]
fn a_history_that_does_not_fit() {
    let jettison = Jettison::new();
    let mut image = TestImage::new().files(&[("a", b"1")]);
    image.config["history"] = json!([{"created_by": "one"}, {"created_by": "two"}]);
    for place in image.write(jettison.home()) {
        let text = jettison.run(["inspect", &place]).fine();
        assert!(text.contains("note: ") && !text.contains("two"), "{text}");
    }
}

#[test]
fn nothing_reaches_the_terminal_as_it_is() {
    let jettison = Jettison::new();
    let status = format!(
        "Package: a{ESC}b\nStatus: install ok installed\nVersion: 1{ESC}\n\nPackage: c\nStatus: install ok installed\n"
    );
    let name = format!("n{ESC}");
    let os = format!("ID=x{ESC}\nPRETTY_NAME=\"{ESC}\"\n");
    let mut image = TestImage::new()
        .files(&[
            (name.as_str(), b"1"),
            ("etc/os-release", os.as_bytes()),
            ("var/lib/dpkg/status", status.as_bytes()),
            (
                "app/node_modules/x/package.json",
                br#"{"name":"\u001b[2J\u202e","version":"\u009b"}"#,
            ),
            (
                &format!("p/{ESC}.dist-info/METADATA"),
                format!("Name: {ESC}\nVersion: {ESC}\n").as_bytes(),
            ),
        ])
        .files(&[(&format!(".wh.{name}"), b"")]);
    image.config = json!({"architecture": format!("amd64{ESC}"), "os": "linux", "created": ESC,
        "history": [{"created_by": format!("RUN {ESC}")}, {"created_by": ESC}],
        "config": {"User": ESC, "Entrypoint": [ESC], "Cmd": [ESC], "Env": [format!("{ESC}={ESC}")],
            "ExposedPorts": {ESC: {}}, "Volumes": {ESC: {}}, "WorkingDir": ESC, "Labels": {ESC: ESC},
            "StopSignal": ESC, "Healthcheck": {"Test": ["CMD", ESC]}}});
    for place in image.write(jettison.home()) {
        // What is checked is checked of every run.
        jettison.run(["inspect", &place]).fine();
        jettison.run(["inspect", &place, "--format", "json"]).fine();
        jettison
            .run(["inspect", &format!("{place}:{ESC}")])
            .refused();
    }
}

#[test]
fn databases_that_ask_for_more_than_they_are() {
    let jettison = Jettison::new();
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n\n".repeat(20_000);
    let list = "/usr/share/a\n".repeat(300_000);
    let apk = format!(
        "P:a\nV:1\nF:{}\n{}",
        "d/".repeat(50_000),
        "R:a\n".repeat(500_000)
    );
    let image = TestImage::new().files(&[
        ("var/lib/dpkg/status", status.as_bytes()),
        ("var/lib/dpkg/info/a.list", list.as_bytes()),
        ("lib/apk/db/installed", apk.as_bytes()),
    ]);
    let layout = image.write_layout(jettison.home());
    let place = format!("oci:{}", layout.display());
    let text = jettison.run(["inspect", &place]).fine();
    assert!(text.contains("than are read"), "{text}");
}

#[test]
fn a_blob_that_is_not_what_its_name_says() {
    let jettison = Jettison::new();
    let image = TestImage::new().files(&[("a", b"1")]);
    let layout = image.write_layout(jettison.home());
    for file in files(&layout.join("blobs")) {
        let kept = fs::read(&file).unwrap();
        let mut changed = kept.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        let error = jettison
            .run(["inspect", &format!("oci:{}", layout.display())])
            .refused();
        assert!(error.contains(Digest::of(&kept).hex().as_str()), "{error}");
        fs::write(&file, kept).unwrap();
    }
}
