//! An archive in memory, signed by gpg, and everything that can be wrong with
//! one between its signature and its packages.

use super::*;
use crate::apt::from_mirror;
use crate::release::VerifyError;
use crate::release::tests::{Gpg, NOW};
use crate::testing::{Memory, ROOT};

const SUITE: &str = "bookworm";

struct World {
    gpg: Gpg,
    keyring: Keyring,
    archives: Archives,
    memory: Memory,
}

fn paragraph(name: &str, version: &str, deb: &[u8]) -> String {
    let digest = jettison_image::Digest::of(deb).hex();
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}_{version}.deb\n\
         Size: {}\nSHA256: {digest}\n\n",
        deb.len()
    )
}

impl World {
    fn new() -> Option<Self> {
        let gpg = Gpg::new()?;
        gpg.key("archive", "0");
        let keyring = gpg.keyring("archive");
        let archives = from_mirror(ROOT, None, SUITE).unwrap();
        let mut world = Self {
            gpg,
            keyring,
            archives,
            memory: Memory::default(),
        };
        world.publish(SUITE, &paragraph("tzdata", "1", b"old"));
        world
            .memory
            .files
            .insert("pool/tzdata_1.deb".into(), b"old".to_vec());
        Some(world)
    }

    /// Signs and puts up a suite with one index.
    fn publish(&mut self, suite: &str, index: &str) {
        let digest = jettison_image::Digest::of(index.as_bytes()).hex();
        let text = format!(
            "Suite: {suite}\nCodename: {suite}\nDate: Sat, 31 Oct 2026 10:00:00 UTC\n\
             Acquire-By-Hash: yes\nSHA256:\n {digest} {} main/binary-amd64/Packages\n",
            index.len()
        );
        let file = self.gpg.clearsign(&["archive"], &text);
        self.put(suite, "InRelease", file);
        self.put(suite, "main/binary-amd64/Packages", index.into());
    }

    fn put(&mut self, suite: &str, path: &str, bytes: Vec<u8>) {
        self.memory
            .files
            .insert(format!("dists/{suite}/{path}"), bytes);
    }

    fn resolve(&self) -> Result<Resolved, Error> {
        self.reader()
            .resolve(&["tzdata"], &["tzdata-legacy"], "amd64")
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            archives: &self.archives,
            keyring: &self.keyring,
            now: NOW,
            fetch: &self.memory,
            limits: PackageLimits::default(),
        }
    }
}

#[test]
fn the_newest_version_of_all_archives() {
    let Some(mut world) = World::new() else {
        return;
    };
    let got = world.resolve().unwrap();
    assert_eq!(got.base.packages[0].version, "1");
    assert_eq!(got.base.absent, ["tzdata-legacy"]);
    assert!(got.base.lacks(&["tzdata", "tzdata-legacy"]).is_empty());
    assert_eq!(got.notes.len(), 2, "{:?}", got.notes);

    let updates = [
        paragraph("tzdata", "1+deb12u2", b"new"),
        paragraph("tzdata", "1~rc1", b"x"),
    ]
    .concat();
    world.publish("bookworm-updates", &updates);
    let got = world.resolve().unwrap();
    assert_eq!(got.base.packages[0].version, "1+deb12u2");
    assert_eq!(got.base.packages[0].archive, Role::Updates);

    // The pinned older one is still there, and moved to another archive.
    let mut pinned = got.base.packages[0].clone();
    pinned.path = "pool/tzdata_1.deb".into();
    pinned.digest = jettison_image::Digest::of(b"old");
    let mut bytes = Vec::new();
    world
        .reader()
        .open(&pinned)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, b"old");
    pinned.digest = jettison_image::Digest::of(b"new");
    assert!(
        world
            .reader()
            .open(&pinned)
            .unwrap()
            .read_to_end(&mut Vec::new())
            .is_err()
    );
    for path in ["pool/none.deb", "../etc/passwd", "/etc/passwd"] {
        assert!(
            world
                .reader()
                .open(&LockedPackage {
                    path: path.into(),
                    ..pinned.clone()
                })
                .is_err()
        );
    }
}

#[test]
fn what_does_not_verify_stops() {
    let Some(mut world) = World::new() else {
        return;
    };
    let index = paragraph("tzdata", "1", b"old");

    // The index was exchanged, also where it is found by its hash.
    world.put(
        SUITE,
        "main/binary-amd64/Packages",
        index.replace("pool/", "evil/").into(),
    );
    assert!(matches!(world.resolve(), Err(Error::Read { .. })));
    let by_hash = format!(
        "main/binary-amd64/by-hash/SHA256/{}",
        jettison_image::Digest::of(index.as_bytes()).hex()
    );
    world.put(SUITE, &by_hash, index.clone().into());
    world.resolve().unwrap();
    world.put(SUITE, &by_hash, b"short".to_vec());
    assert!(matches!(world.resolve(), Err(Error::Read { .. })));

    // Another suite's Release file in the place of this one's.
    world.publish("bullseye", &index);
    let foreign = world.memory.files["dists/bullseye/InRelease"].clone();
    world.put(SUITE, "InRelease", foreign);
    assert!(matches!(
        world.resolve(),
        Err(Error::Verify {
            source: VerifyError::WrongSuite { .. },
            ..
        })
    ));

    // Unsigned, and a stranger's signature: also for an optional archive.
    world.put(SUITE, &by_hash, index.clone().into());
    world.publish(SUITE, &index);
    world.resolve().unwrap();
    world.put(
        "bookworm-updates",
        "InRelease",
        b"Suite: bookworm-updates\n".to_vec(),
    );
    assert!(matches!(world.resolve(), Err(Error::Verify { .. })));
    world.gpg.key("mallory", "0");
    let file = world
        .gpg
        .clearsign(&["mallory"], "Suite: bookworm-updates\n");
    world.put("bookworm-updates", "InRelease", file);
    let error = world.resolve().unwrap_err();
    assert!(
        error.hint().is_some_and(|hint| hint.contains("--keyring")),
        "{error}"
    );
}

#[test]
fn a_detached_signature_and_nothing_at_all() {
    let Some(mut world) = World::new() else {
        return;
    };
    world
        .memory
        .files
        .remove(&format!("dists/{SUITE}/InRelease"));
    match world.resolve() {
        Err(Error::Fetch {
            location,
            source: FetchError::NotFound,
        }) => {
            assert!(location.to_string().ends_with("/Release"), "{location}");
        }
        other => panic!("{other:?}"),
    }
    let index = paragraph("tzdata", "1", b"old");
    let digest = jettison_image::Digest::of(index.as_bytes()).hex();
    let text = format!(
        "Codename: {SUITE}\nDate: Sat, 31 Oct 2026 10:00:00 UTC\nSHA256:\n {digest} {} \
         main/binary-amd64/Packages\n",
        index.len()
    );
    let signature = world.gpg.detached(&text);
    world.put(SUITE, "Release", text.into());
    world.put(SUITE, "Release.gpg", signature);
    world.resolve().unwrap();

    let error = world
        .reader()
        .resolve(&["tzdata"], &[], "riscv64")
        .unwrap_err();
    assert!(error.to_string().contains("riscv64"), "{error}");
    let error = world
        .reader()
        .resolve(&["nothing"], &[], "amd64")
        .unwrap_err();
    assert!(matches!(error, Error::NoPackage { .. }));
}
