//! `jettison inspect` on images whose bytes are known.

use serde_json::{Value, json};

use crate::support::{Jettison, TestImage, masked};

const STATUS: &str = "\
Package: libfoo
Status: install ok installed
Architecture: amd64
Version: 1.2-3

Package: empty
Status: install ok installed
Architecture: all
Version: 1
";

fn shop() -> TestImage {
    let mut image = TestImage::new()
        .files(&[
            ("etc/os-release", b"ID=debian\nPRETTY_NAME=\"Debian 12\"\n"),
            ("usr/lib/libfoo.so", &[7; 300_000]),
            ("usr/share/doc/libfoo/copyright", &[b'c'; 2000]),
            ("var/cache/index", &[b'i'; 50_000]),
            ("var/lib/dpkg/status", STATUS.as_bytes()),
            (
                "var/lib/dpkg/info/libfoo.list",
                b"/usr/lib/libfoo.so\n/usr/share/doc/libfoo/copyright\n",
            ),
        ])
        .files(&[
            ("var/cache/.wh.index", b""),
            ("app/shop", &[9; 120_000]),
            ("app/shop-copy", &[9; 120_000]),
        ]);
    image.config = json!({"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": {"User": "65532", "Entrypoint": ["/app/shop"], "Env": ["PATH=/bin", "SECRET=hunter2"],
            "ExposedPorts": {"8080/tcp": {}}, "Labels": {"org.opencontainers.image.version": "1.2"}},
        "history": [
            {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
            {"created_by": "ENTRYPOINT [\"/app/shop\"]", "empty_layer": true},
            {"created_by": "RUN /bin/sh -c rm -rf /var/cache   && make # buildkit"}]});
    image
}

#[test]
fn a_person_sees_where_every_byte_is() {
    let jettison = Jettison::new();
    let [docker, ..] = shop().write(jettison.home());
    let text = jettison.run(["inspect", &docker]).fine();
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    insta::assert_snapshot!(masked(&text, jettison.home()));
    let short = jettison.run(["inspect", &docker, "--top", "1"]).fine();
    for more in ["and 1 more layer", "and 1 more package", "more files with"] {
        assert!(short.contains(more), "{more}: {short}");
    }
}

#[test]
fn the_document_adds_up_in_every_form() {
    let jettison = Jettison::new();
    for place in shop().write(jettison.home()) {
        let text = jettison.run(["inspect", &place, "--format", "json"]).fine();
        assert!(!text.contains("hunter2"), "{text}");
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["schema"], "jettison.inspect/1");
        let totals = &found["totals"];
        let sum = |list: &str, field: &str| -> u64 {
            let rows = found[list].as_array().unwrap().iter();
            rows.map(|row| row[field].as_u64().unwrap()).sum()
        };
        for list in ["packages", "directories"] {
            for (part, whole) in [
                ("unpacked_bytes", "unpacked_bytes"),
                ("wire_bytes", "visible_wire_bytes"),
                ("files", "files"),
            ] {
                assert_eq!(
                    sum(list, part),
                    totals[whole].as_u64().unwrap(),
                    "{list} {part}"
                );
            }
        }
        assert_eq!(
            sum("layers", "wire_bytes"),
            totals["wire_bytes"].as_u64().unwrap()
        );
        assert_eq!(sum("layers", "wasted_bytes"), 50_000);
        assert_eq!(totals["wasted_bytes"], 50_000);
        assert_eq!(totals["duplicate_bytes"], 120_000);
        let parts = [
            "visible_wire_bytes",
            "wasted_wire_bytes",
            "overhead_wire_bytes",
        ];
        let parts: u64 = parts
            .iter()
            .map(|part| totals[part].as_u64().unwrap())
            .sum();
        assert_eq!(parts, totals["wire_bytes"].as_u64().unwrap());
        let foo = &found["packages"][0];
        // Its files and dpkg's own list of them.
        assert_eq!(
            (foo["name"].as_str(), foo["unpacked_bytes"].as_u64()),
            (Some("libfoo"), Some(302_051))
        );
        assert_eq!(found["wasted_files"][0]["path"], "/var/cache/index");
        assert_eq!(found["wasted_files"][0]["hidden_by"], 1);
    }
}

#[test]
fn what_is_not_there_is_said_with_a_hint() {
    let jettison = Jettison::new();
    let error = jettison.run(["inspect", "oci:nothing"]).refused();
    assert!(
        error.contains("oci:nothing") && error.contains("caused by: "),
        "{error}"
    );
    let error = jettison.run(["inspect", "dir:x"]).refused();
    assert!(error.contains("docker-archive:FILE"), "{error}");
    let [_, _, oci] = shop().write(jettison.home());
    let error = jettison
        .run(["inspect", &oci, "--platform", "linux/arm64"])
        .refused();
    assert!(error.contains("linux/arm64"), "{error}");
}

#[test]
fn every_field_is_documented() {
    fn names(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    // Labels are the image's own.
                    if name != "labels" {
                        names(value, found);
                    }
                    found.push(name.clone());
                }
            }
            Value::Array(rows) => rows.iter().for_each(|row| names(row, found)),
            _ => {}
        }
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let page = std::fs::read_to_string(page).unwrap();
    let jettison = Jettison::new();
    let [place, ..] = shop().write(jettison.home());
    let text = jettison.run(["inspect", &place, "--format", "json"]).fine();
    let mut found = Vec::new();
    names(&serde_json::from_str(&text).unwrap(), &mut found);
    for name in found {
        assert!(
            page.contains(&format!("`{name}")),
            "{name} is not in docs/json.md"
        );
    }
}
