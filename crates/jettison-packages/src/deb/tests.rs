//! Packages made by dpkg-deb in every packing, and broken ones.

use std::io;
use std::process::Command;

use super::*;

/// A package with one file, packed as dpkg-deb's `-Z` says.
fn deb(packing: &str) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    std::fs::create_dir_all(root.join("DEBIAN")).unwrap();
    std::fs::create_dir_all(root.join("usr/share/doc/x")).unwrap();
    std::fs::write(root.join("usr/share/doc/x/copyright"), "free\n").unwrap();
    std::fs::write(root.join("usr/share/big"), vec![7; 300_000]).unwrap();
    std::fs::write(
        root.join("DEBIAN/control"),
        "Package: x\nVersion: 1:2\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: x\n",
    )
    .unwrap();
    std::fs::write(
        root.join("DEBIAN/md5sums"),
        "aa24de8c3c9cd50d9d0b1a9a7f5e9d34  usr/share/doc/x/copyright\n",
    )
    .unwrap();
    let file = directory.path().join("x.deb");
    let made = Command::new("dpkg-deb")
        .args(["--root-owner-group", &format!("-Z{packing}"), "--build"])
        .args([&root, &file])
        .output();
    match made {
        Ok(output) if output.status.success() => Some(std::fs::read(file).unwrap()),
        _ => {
            eprintln!("skipped: dpkg-deb does not pack with {packing}");
            None
        }
    }
}

fn list(bytes: &[u8], limits: &PackageLimits) -> Result<Vec<(String, u64)>, Error> {
    let mut found = Vec::new();
    let control = read(bytes, "x.deb", limits, |control, entry, content| {
        assert_eq!(control.name(), "x");
        let count = io::copy(content, &mut io::sink()).map_err(Error::read("x.deb"))?;
        if matches!(entry.kind, EntryKind::File { .. }) {
            found.push((entry.path.display().to_string(), count));
        }
        Ok(())
    })?;
    assert_eq!(control.version(), "1:2");
    Ok(found)
}

#[test]
fn every_packing() {
    for packing in ["none", "gzip", "xz", "zstd"] {
        let Some(bytes) = deb(packing) else { continue };
        let mut got = list(&bytes, &PackageLimits::default()).unwrap();
        got.sort();
        assert_eq!(
            got,
            [
                ("/usr/share/big".to_owned(), 300_000),
                ("/usr/share/doc/x/copyright".to_owned(), 5)
            ]
        );
    }
}

#[test]
fn broken_packages_give_errors() {
    let limits = PackageLimits::default();
    let Some(bytes) = deb("gzip") else { return };
    for at in (0..bytes.len()).step_by(bytes.len() / 150 + 1) {
        assert!(list(&bytes[..at], &limits).is_err(), "cut at {at}");
        let mut broken = bytes.clone();
        broken[at] ^= 0x55;
        // Some bytes (times of ar, gzip's) say nothing; none may panic.
        let _ = list(&broken, &limits);
    }
    assert!(list(b"!<arch>\n", &limits).is_err());
    let small = PackageLimits {
        deb_unpacked_bytes: 100_000,
        ..limits.clone()
    };
    assert!(
        list(&bytes, &small).is_err(),
        "more than its bound unpacked"
    );
    let few = PackageLimits {
        deb_entries: 2,
        ..limits
    };
    assert!(list(&bytes, &few).is_err(), "more entries than its bound");
}
