//! The base from real packages of the machine's mirror, held against the
//! figures of the distroless project, and from packages made here.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::*;
use crate::archive::Reader;
use crate::release::Keyring;
use crate::testing::{Curl, mirror, now};
use crate::{Lock, LockedBase, PackageLimits};

/// A composed base with what it was composed from.
struct Real {
    fetch: Curl,
    archives: crate::apt::Archives,
    locked: LockedBase,
}

impl Real {
    fn reader<'a>(&'a self, keyring: &'a Keyring) -> Reader<'a> {
        Reader {
            archives: &self.archives,
            keyring,
            now: now(),
            fetch: &self.fetch,
            limits: PackageLimits::default(),
        }
    }

    fn compose(&self, selection: &Selection) -> Result<Base, Error> {
        let keyring = Keyring::debian().unwrap();
        let reader = self.reader(&keyring);
        let time = Timestamp::from_seconds(1_700_000_000);
        compose(
            selection,
            Some(&self.locked),
            time,
            &reader.limits,
            |package| reader.open(package),
        )
    }
}

fn real(suite: &'static str) -> Option<&'static Real> {
    static BOOKWORM: OnceLock<Option<Real>> = OnceLock::new();
    static TRIXIE: OnceLock<Option<Real>> = OnceLock::new();
    let cell = if suite == "bookworm" {
        &BOOKWORM
    } else {
        &TRIXIE
    };
    let init = || {
        let archives = mirror(suite)?;
        let fetch = Curl::default();
        let keyring = Keyring::debian().unwrap();
        let everything = Selection::everything();
        let resolved = Reader {
            archives: &archives,
            keyring: &keyring,
            now: now(),
            fetch: &fetch,
            limits: PackageLimits::default(),
        }
        .resolve(
            &everything.packages(),
            &everything.optional_packages(),
            "amd64",
        )
        .unwrap();
        eprintln!("{suite}: {:?}", resolved.notes);
        Some(Real {
            fetch,
            archives,
            locked: resolved.base,
        })
    };
    cell.get_or_init(init).as_ref()
}

fn content<'a>(base: &'a Base, path: &str) -> &'a str {
    let found = base
        .files
        .iter()
        .find(|file| file.entry.path.as_bytes() == path.as_bytes());
    std::str::from_utf8(&found.unwrap_or_else(|| panic!("no {path}")).content).unwrap()
}

/// The packages' own files, unpacked by an independent reader's rules: names
/// of all zones that a program could ask for.
fn zone_names(real: &Real) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for package in &real.locked.packages {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.deb");
        let keyring = Keyring::debian().unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(
            &mut real.reader(&keyring).open(package).unwrap(),
            &mut bytes,
        )
        .unwrap();
        std::fs::write(&file, bytes).unwrap();
        let output = std::process::Command::new("dpkg-deb")
            .arg("-c")
            .arg(&file)
            .output()
            .unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let path = line.split(" ./").nth(1).unwrap_or_default();
            let path = path
                .split(" -> ")
                .next()
                .unwrap()
                .split(" link to ")
                .next()
                .unwrap();
            if let Some(zone) = path.strip_prefix("usr/share/zoneinfo/")
                && !zone.ends_with('/')
                && !zone.is_empty()
                && !zone.starts_with("right/")
                && !zone.starts_with("posix/")
            {
                names.insert(zone.to_owned());
            }
        }
    }
    names
}

/// (suite, bytes of distroless' static: research of August 2026)
const DISTROLESS: [(&str, u64); 2] = [("bookworm", 2_089_168), ("trixie", 2_347_627)];

#[test]
fn smaller_than_distroless_with_nothing_lost() {
    for (suite, distroless) in DISTROLESS {
        let Some(real) = real(suite) else { continue };
        let base = real.compose(&Selection::everything()).unwrap();
        eprintln!(
            "{suite}: {} bytes, {:?}\n{:#?}",
            base.size_bytes(),
            base.sizes(),
            base.dropped
        );
        assert!(
            base.size_bytes() < distroless * 6 / 10,
            "{}",
            base.size_bytes()
        );

        // Every certificate, every zone by every name, users, services, types.
        let bundle = content(&base, "etc/ssl/certs/ca-certificates.crt");
        let parsed = parse_bundle(bundle.as_bytes(), "bundle").unwrap();
        assert!(parsed.count() > 120 && parsed.as_pem().len() == bundle.len());
        let have: BTreeSet<String> = base
            .files
            .iter()
            .filter(|file| !matches!(file.entry.kind, EntryKind::Directory))
            .filter_map(|file| {
                let path = String::from_utf8(file.entry.path.as_bytes().to_vec()).unwrap();
                path.strip_prefix("usr/share/zoneinfo/").map(str::to_owned)
            })
            .collect();
        if std::process::Command::new("dpkg-deb")
            .arg("--version")
            .output()
            .is_ok()
        {
            let names = zone_names(real);
            assert_eq!(
                names.difference(&have).collect::<Vec<_>>(),
                Vec::<&String>::new()
            );
            assert!(names.len() > 400);
        }
        assert!(content(&base, "etc/services").contains("https"));
        assert!(content(&base, "etc/protocols").contains("TCP"));
        assert!(content(&base, "etc/mime.types").contains("application/json"));
        assert!(content(&base, "usr/lib/os-release").contains("ID=debian"));
        assert!(content(&base, "etc/passwd").contains("nonroot:x:65532:65532"));
        assert!(content(&base, "var/lib/dpkg/status.d/tzdata").contains("Package: tzdata\n"));
        // Every copyright file, and every licence that one refers to.
        for package in [
            "base-files",
            "ca-certificates",
            "media-types",
            "netbase",
            "tzdata",
        ] {
            content(&base, &format!("usr/share/doc/{package}/copyright"));
        }
        content(&base, "usr/share/common-licenses/GPL-2");
    }
}

#[test]
fn parts_alone_are_small() {
    let Some(real) = real("bookworm") else { return };
    let with_ca = Selection {
        ca_certificates: true,
        accounts: true,
        ..Selection::default()
    };
    let ca = real.compose(&with_ca).unwrap().size_bytes();
    let alone = Selection {
        ca_certificates: true,
        ..Selection::default()
    };
    eprintln!(
        "CA bundle alone {}",
        real.compose(&alone).unwrap().size_bytes()
    );
    let with_zones = Selection {
        zones: Zones::All,
        ..with_ca
    };
    let zones = real.compose(&with_zones).unwrap().size_bytes();
    eprintln!("with CA bundle {ca}, with all zones too {zones}");
    assert!(ca < 300_000 && zones < 800_000, "{ca} {zones}");

    let only = |names: &[&str]| Selection {
        zones: Zones::Only(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Selection::default()
    };
    let base = real
        .compose(&only(&["Europe/Berlin", "US/Pacific", "UTC"]))
        .unwrap();
    let zones: Vec<String> = base
        .files
        .iter()
        .filter(|file| file.part == Part::TimeZones && file.entry.kind != EntryKind::Directory)
        .map(|file| file.entry.path.display().to_string())
        .collect();
    assert!(
        zones.contains(&"/usr/share/zoneinfo/America/Los_Angeles".to_owned()),
        "{zones:?}"
    );
    assert!(zones.len() <= 8, "{zones:?}");
    for bad in ["Europe/Atlantis", "../../../../etc/passwd", ""] {
        assert!(
            matches!(real.compose(&only(&[bad])), Err(Error::NoZone { .. })),
            "{bad}"
        );
    }
}

#[test]
fn the_same_lock_gives_the_same_base() {
    let Some(real) = real("bookworm") else { return };
    let everything = Selection::everything();
    let first = real.compose(&everything).unwrap();
    let mut lock = Lock::default();
    lock.set(real.locked.clone());
    let text = lock.to_text().unwrap();
    let locked = Lock::parse("x.lock", &text).unwrap().bases.remove(0);
    let keyring = Keyring::debian().unwrap();
    // A mirror without any index, and long after every date: files by their
    // recorded places alone.
    let reader = Reader {
        now: now() + (20 << 25),
        ..real.reader(&keyring)
    };
    let time = Timestamp::from_seconds(1_700_000_000);
    let again = compose(
        &everything,
        Some(&locked),
        time,
        &reader.limits,
        |package| reader.open(package),
    );
    assert!(again.unwrap() == first);

    // A package whose bytes are not the pinned ones stops it.
    let mut wrong = locked;
    wrong.packages[0].digest = jettison_image::Digest::of(b"other");
    let got = compose(&everything, Some(&wrong), time, &reader.limits, |package| {
        reader.open(package)
    });
    assert!(matches!(got, Err(Error::Read { .. })), "{got:?}");
}

/// What is recorded is what is there: checksums against md5sum, and the order
/// and the modes that a layer needs.
#[test]
fn records_and_order_are_true() {
    let Some(real) = real("bookworm") else { return };
    let base = real.compose(&Selection::everything()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::from([ImagePath::root()]);
    for file in &base.files {
        assert!(
            seen.contains(&file.entry.path.parent().unwrap()),
            "{:?}",
            file.entry.path
        );
        assert!(seen.insert(file.entry.path.clone()));
        assert_eq!(file.entry.metadata.mtime.seconds, 1_700_000_000);
        let host = directory
            .path()
            .join(std::str::from_utf8(file.entry.path.as_bytes()).unwrap());
        match &file.entry.kind {
            EntryKind::Directory => std::fs::create_dir(host).unwrap(),
            EntryKind::File { size_bytes } => {
                assert_eq!(*size_bytes, file.content.len() as u64);
                std::fs::write(host, &file.content).unwrap();
            }
            EntryKind::HardLink { target } => assert!(seen.contains(target)),
            _ => {}
        }
    }
    let mode = |path: &str| {
        let file = base
            .files
            .iter()
            .find(|file| file.entry.path == known(path))
            .unwrap();
        (file.entry.metadata.mode, file.entry.metadata.uid)
    };
    assert_eq!(mode("tmp"), (0o1777, 0));
    assert_eq!(mode("home/nonroot"), (0o700, 65532));
    assert_eq!(mode("root"), (0o700, 0));

    let status = directory.path().join("var/lib/dpkg/status.d");
    let mut checked = 0;
    for entry in std::fs::read_dir(status).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md5sums") {
            let ok = std::process::Command::new("md5sum")
                .args(["--check", "--strict", "--quiet"])
                .arg(&path)
                .current_dir(directory.path())
                .status()
                .unwrap();
            assert!(ok.success(), "{path:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, 5);
}

#[test]
fn a_base_without_packages_needs_no_network() {
    let selection = Selection {
        accounts: true,
        merged_usr: true,
        ..Selection::default()
    };
    assert_eq!(selection.packages(), Vec::<&str>::new());
    let open = |_: &crate::LockedPackage| -> Result<&[u8], Error> { panic!("nothing to open") };
    let base = compose(
        &selection,
        None,
        Timestamp::default(),
        &PackageLimits::default(),
        open,
    );
    let base = base.unwrap();
    assert!(base.size_bytes() < 1000);
    assert!(
        base.files
            .iter()
            .any(|file| file.entry.path == known("lib64"))
    );
    let everything = Selection::everything();
    let got = compose(
        &everything,
        None,
        Timestamp::default(),
        &PackageLimits::default(),
        open,
    );
    assert!(matches!(got, Err(Error::NoPackage { .. })));
}

#[test]
fn certificate_files() {
    let certificate = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=test", "-keyout", "-",
        ])
        .output();
    let Ok(output) = certificate else {
        eprintln!("skipped: openssl is not installed");
        return;
    };
    let both = String::from_utf8(output.stdout).unwrap();
    let pem = both[both.find(BEGIN).unwrap()..].to_owned();
    let good = parse_bundle(format!("# comment\n{pem}\r\n{pem}").as_bytes(), "ca.pem").unwrap();
    assert_eq!(good.count(), 2);
    assert_eq!(good.as_pem(), format!("{pem}{pem}"));
    let selection = Selection {
        extra_cas: vec![good],
        ..Selection::default()
    };
    let open = |_: &crate::LockedPackage| -> Result<&[u8], Error> { panic!() };
    let base = compose(
        &selection,
        None,
        Timestamp::default(),
        &PackageLimits::default(),
        open,
    );
    assert_eq!(
        content(&base.unwrap(), "etc/ssl/certs/ca-certificates.crt"),
        format!("{pem}{pem}")
    );

    let damaged = pem.replacen("MII", "MIJ", 1);
    let cut = &pem[..pem.len() - 30];
    for (file, part) in [
        (both.as_str(), "private key"),
        ("", "no `BEGIN"),
        (damaged.as_str(), "damaged"),
        (cut, "does not end"),
        ("-----BEGIN CERTIFICATE REQUEST-----\n", "something else"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "Base64",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "damaged",
        ),
        ("-----END CERTIFICATE-----\n", "without"),
    ] {
        match parse_bundle(file.as_bytes(), "ca.pem") {
            Err(Error::Certificate { problem, .. }) => assert!(problem.contains(part), "{problem}"),
            other => panic!("{part}: {other:?}"),
        }
    }
    assert!(parse_bundle(b"\x30\x82\xff", "ca.der").is_err());
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

#[test]
fn reasons_are_documented() {
    for drop in DROPS {
        assert!(drop.reason.len() > 20 && !drop.name.contains(' '));
    }
}
