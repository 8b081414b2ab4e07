//! Real and tampered Release files. gpg makes keys and signatures, gpgv is
//! the judge that both must agree with where it has an opinion.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// 2026-11-01; every generated key and signature is made around it.
pub(crate) const NOW: i64 = 1_793_491_200;

const TEXT: &str = "Origin: Debian\nSuite: oldstable\nCodename: bookworm\n\
    Date: Sat, 31 Oct 2026 10:00:00 UTC\nValid-Until: Sat, 07 Nov 2026 10:00:00 UTC\n\
    Acquire-By-Hash: yes\nSHA256:\n \
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages.xz\n";

pub(crate) struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    /// None, said aloud, where there is no gpg.
    pub(crate) fn new() -> Option<Self> {
        if Command::new("gpg")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            eprintln!("skipped: gpg is not installed");
            return None;
        }
        Some(Self {
            home: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs gpg at a time, `days` after NOW.
    fn run(&self, days: i64, args: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args([
                "--batch",
                "--yes",
                "--quiet",
                "--passphrase",
                "",
                "--faked-system-time",
            ])
            .arg(format!("{}!", NOW + days * 86_400))
            .args(["--pinentry-mode", "loopback"])
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// A key with a signing subkey, made 100 days before NOW.
    pub(crate) fn key(&self, name: &str, expire: &str) {
        let uid = format!("{name} <{name}@example.org>");
        self.run(
            -100,
            &["--quick-gen-key", &uid, "ed25519", "sign,cert", expire],
        );
    }

    fn add_signing_subkey(&self, name: &str) {
        let listing = self.run(-99, &["--with-colons", "--list-keys", name]);
        let listing = String::from_utf8(listing).unwrap();
        let print = listing
            .lines()
            .find_map(|line| line.strip_prefix("fpr:::::::::"))
            .unwrap();
        self.run(
            -99,
            &[
                "--quick-add-key",
                print.trim_end_matches(':'),
                "ed25519",
                "sign",
                "0",
            ],
        );
    }

    pub(crate) fn keyring(&self, name: &str) -> Keyring {
        let bytes = self.run(0, &["--export", name]);
        std::fs::write(self.path("ring.gpg"), &bytes).unwrap();
        Keyring::parse(&bytes).unwrap()
    }

    pub(crate) fn clearsign(&self, users: &[&str], text: &str) -> Vec<u8> {
        let file = self.path("text");
        std::fs::write(&file, text).unwrap();
        let mut args = vec!["--clearsign", "-o", "-", "--digest-algo", "SHA512"];
        users.iter().for_each(|user| args.extend(["-u", user]));
        args.push(file.to_str().unwrap());
        self.run(0, &args)
    }

    pub(crate) fn detached(&self, text: &str) -> Vec<u8> {
        let file = self.path("text");
        std::fs::write(&file, text).unwrap();
        self.run(
            0,
            &[
                "--detach-sign",
                "--armor",
                "-o",
                "-",
                file.to_str().unwrap(),
            ],
        )
    }

    /// What gpgv says at NOW of the last exported keyring.
    fn gpgv(&self, file: &[u8]) -> bool {
        let path = self.path("judged");
        std::fs::write(&path, file).unwrap();
        gpgv(&self.path("ring.gpg"), &path)
    }
}

fn gpgv(keyring: &Path, file: &Path) -> bool {
    Command::new("gpgv")
        .arg("--keyring")
        .arg(keyring)
        .arg(file)
        .output()
        .unwrap()
        .status
        .success()
}

fn expected<'a>(keyring: &'a Keyring, suite: &'a str) -> Expected<'a> {
    Expected {
        suite,
        now: NOW,
        keyring,
    }
}

fn release(file: &[u8], keyring: &Keyring) -> Result<Release, VerifyError> {
    Release::from_inrelease(file, &expected(keyring, "bookworm"))
}

#[test]
fn a_good_release_and_what_it_vouches_for() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.key("archive", "1000d");
    let keyring = gpg.keyring("archive");
    let file = gpg.clearsign(&["archive"], TEXT);
    assert!(gpg.gpgv(&file));
    let got = release(&file, &keyring).unwrap();
    let index = got.index("main", "amd64").unwrap();
    assert_eq!(index.path, "main/binary-amd64/Packages.xz");
    assert!(
        index
            .by_hash
            .unwrap()
            .starts_with("main/binary-amd64/by-hash/SHA256/e3b0c4")
    );
    assert_eq!(got.index("main", "arm64"), None);

    // The same through a subkey, through CRLF, and armoured keys.
    gpg.add_signing_subkey("archive");
    let keyring = gpg.keyring("archive");
    let file = gpg.clearsign(&["archive"], TEXT);
    assert!(gpg.gpgv(&file));
    release(&file, &keyring).unwrap();
    let crlf = String::from_utf8(file.clone())
        .unwrap()
        .replace('\n', "\r\n");
    release(crlf.as_bytes(), &keyring).unwrap();
    let armoured = gpg.run(0, &["--armor", "--export", "archive"]);
    let twice = [armoured.clone(), armoured].concat();
    assert_eq!(Keyring::parse(&twice).unwrap().keys().len(), 2);
    release(&file, &Keyring::parse(&twice).unwrap()).unwrap();
}

#[test]
fn a_detached_signature() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.key("archive", "0");
    let keyring = gpg.keyring("archive");
    let text = gpg.path("text");
    std::fs::write(&text, TEXT).unwrap();
    let text = text.to_str().unwrap();
    let armoured = gpg.run(0, &["--detach-sign", "--armor", "-o", "-", text]);
    let binary = gpg.run(0, &["--detach-sign", "-o", "-", text]);
    let expected = expected(&keyring, "oldstable");
    for signature in [&armoured, &binary] {
        Release::from_detached(TEXT.as_bytes(), signature, &expected).unwrap();
        let changed = format!("{TEXT} \n");
        assert!(matches!(
            Release::from_detached(changed.as_bytes(), signature, &expected),
            Err(VerifyError::BadSignature { .. })
        ));
    }
    for at in (0..binary.len()).step_by(3) {
        let mut broken = binary.clone();
        broken[at] ^= 0x10;
        // Flipping a bit of the unhashed part may leave it good; nothing may panic.
        let _ = Release::from_detached(TEXT.as_bytes(), &broken, &expected);
        assert!(Release::from_detached(TEXT.as_bytes(), &binary[..at], &expected).is_err());
    }
}

#[test]
fn tampered_files_are_refused() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.key("archive", "0");
    gpg.key("mallory", "0");
    let keyring = gpg.keyring("archive");
    let good = String::from_utf8(gpg.clearsign(&["archive"], TEXT)).unwrap();
    let refused = |file: &str| release(file.as_bytes(), &keyring).unwrap_err();

    assert!(matches!(
        refused(&good.replace("main/", "evil/")),
        VerifyError::BadSignature { .. }
    ));
    assert!(!gpg.gpgv(good.replace("main/", "evil/").as_bytes()));
    assert!(matches!(refused(TEXT), VerifyError::NotClearSigned(_)));
    assert!(matches!(
        refused(&format!("{TEXT}{good}")),
        VerifyError::NotClearSigned(_)
    ));
    assert!(matches!(
        refused(&format!("{good}{TEXT}")),
        VerifyError::NotClearSigned(_)
    ));
    assert!(matches!(
        refused(&format!("{good}{good}")),
        VerifyError::NotClearSigned(_)
    ));
    let headers = good.replace("Hash: SHA512\n", "Hash: SHA512\nCodename: bookworm\n");
    assert!(matches!(refused(&headers), VerifyError::NotClearSigned(_)));

    let stranger = gpg.clearsign(&["mallory"], TEXT);
    assert!(!gpg.gpgv(&stranger));
    assert!(matches!(
        release(&stranger, &keyring),
        Err(VerifyError::NoKnownKey { .. })
    ));
    // A stranger's signature beside a good one does no harm.
    release(&gpg.clearsign(&["mallory", "archive"], TEXT), &keyring).unwrap();
    // A bad one of a known key does, also beside a good one.
    let both = gpg.keyring("example.org");
    let other = String::from_utf8(gpg.clearsign(&["mallory"], "other\n")).unwrap();
    let foreign_block = &other[other.find("-----BEGIN PGP SIGNATURE").unwrap()..];
    let text_part = &good[..good.find("-----BEGIN PGP SIGNATURE").unwrap()];
    assert!(matches!(
        release(format!("{text_part}{foreign_block}").as_bytes(), &both),
        Err(VerifyError::BadSignature { .. })
    ));
    // Cutting anywhere gives an error, never a panic.
    for at in (0..good.trim_end().len()).step_by(7) {
        assert!(release(&good.as_bytes()[..at], &keyring).is_err());
    }
}

#[test]
fn suites_and_times() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.key("archive", "0");
    let keyring = gpg.keyring("archive");
    let check = |text: &str, suite: &str, now: i64| {
        let file = gpg.clearsign(&["archive"], text);
        Release::from_inrelease(
            &file,
            &Expected {
                suite,
                now,
                keyring: &keyring,
            },
        )
        .map(|_| ())
    };
    let day = 86_400;
    assert_eq!(check(TEXT, "bookworm", NOW), Ok(()));
    assert_eq!(check(TEXT, "oldstable", NOW), Ok(()));
    assert!(matches!(
        check(TEXT, "trixie", NOW),
        Err(VerifyError::WrongSuite { .. })
    ));
    assert!(matches!(
        check(TEXT, "", NOW),
        Err(VerifyError::WrongSuite { .. })
    ));
    assert!(matches!(
        check(TEXT, "bookworm", NOW + 7 * day),
        Err(VerifyError::Expired { .. })
    ));
    assert!(matches!(
        check(TEXT, "bookworm", NOW - 2 * day),
        Err(VerifyError::UnusableKey { .. })
    ));
    let ahead = TEXT.replace("Sat, 31 Oct", "Mon, 02 Nov");
    assert!(matches!(
        check(&ahead, "bookworm", NOW),
        Err(VerifyError::Future { .. })
    ));
    let forever = TEXT.replace("Valid-Until", "X-Valid-Until");
    assert_eq!(check(&forever, "bookworm", NOW + 300 * day), Ok(()));
    for (field, twice) in [
        (
            "Codename: bookworm\n",
            "Codename: trixie\nCodename: bookworm\n",
        ),
        ("Date: Sat, 31 Oct 2026 10:00:00 UTC", "Date: yesterday"),
        ("e3b0c4", "zzzzzz"),
        (" 0 main", " -1 main"),
        ("Origin: Debian\n", "Origin: Debian\nodd\n"),
    ] {
        let text = TEXT.replace(field, twice);
        assert!(
            matches!(
                check(&text, "bookworm", NOW),
                Err(VerifyError::Malformed(_))
            ),
            "{twice}"
        );
    }
}

#[test]
fn keys_that_must_not_be_believed() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.key("short", "101d");
    let file = gpg.clearsign(&["short"], &TEXT.replace("Valid-Until", "X-Valid-Until"));
    let keyring = gpg.keyring("short");
    release(&file, &keyring).unwrap();
    // Two days later the key is dead, whatever it signed before.
    let later = Expected {
        suite: "bookworm",
        now: NOW + 2 * 86_400,
        keyring: &keyring,
    };
    assert!(matches!(
        Release::from_inrelease(&file, &later),
        Err(VerifyError::UnusableKey { why, .. }) if why.contains("expired")
    ));

    // The same key again, made to live longer, beside its old copy.
    let old = gpg.run(0, &["--export", "short"]);
    let listing = gpg.run(0, &["--with-colons", "--list-keys", "short"]);
    let listing = String::from_utf8(listing).unwrap();
    let print = listing
        .lines()
        .find_map(|line| line.strip_prefix("fpr:::::::::"))
        .unwrap();
    gpg.run(
        0,
        &["--quick-set-expire", print.trim_end_matches(':'), "1000d"],
    );
    let mut both = Keyring::parse(&old).unwrap();
    both.add(&gpg.run(0, &["--export", "short"])).unwrap();
    Release::from_inrelease(
        &file,
        &Expected {
            keyring: &both,
            ..later
        },
    )
    .unwrap();

    gpg.key("lost", "0");
    let file = gpg.clearsign(&["lost"], TEXT);
    release(&file, &gpg.keyring("lost")).unwrap();
    let revocations = std::fs::read_dir(gpg.path("openpgp-revocs.d")).unwrap();
    for entry in revocations {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let ready = gpg.path("revocation");
        std::fs::write(&ready, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
        gpg.run(0, &["--import", ready.to_str().unwrap()]);
    }
    assert!(matches!(
        release(&file, &gpg.keyring("lost")),
        Err(VerifyError::UnusableKey { why, .. }) if why.contains("revoked")
    ));
}

#[test]
fn weak_hashes_are_refused() {
    let Some(gpg) = Gpg::new() else { return };
    gpg.run(
        -100,
        &[
            "--quick-gen-key",
            "weak <w@example.org>",
            "rsa2048",
            "sign,cert",
            "0",
        ],
    );
    let keyring = gpg.keyring("weak");
    let path = gpg.path("text");
    std::fs::write(&path, TEXT).unwrap();
    let args = [
        "--clearsign",
        "-o",
        "-",
        "--digest-algo",
        "SHA1",
        path.to_str().unwrap(),
    ];
    assert!(matches!(
        release(&gpg.run(0, &args), &keyring),
        Err(VerifyError::UnusableKey { why, .. }) if why.contains("weak")
    ));
}

#[test]
fn things_that_are_no_keyring() {
    for bytes in [
        &b""[..],
        b"text",
        b"\x99\x01",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n",
    ] {
        assert!(
            matches!(Keyring::parse(bytes), Err(VerifyError::Keyring(_))),
            "{bytes:?}"
        );
    }
}

/// data/README.md documents the shipped keys; this renders what it must say.
#[test]
fn the_shipped_keys() {
    let mut table = String::from("| fingerprint | key | expires |\n| --- | --- | --- |\n");
    for key in Keyring::debian().unwrap().keys() {
        let days = (key.expires.expect("Debian's keys expire") - 1_798_761_600) / 86_400;
        let year = 2027 + days.div_euclid(365);
        let name = key.name.split(" <").next().unwrap().to_owned();
        table.push_str(&format!("| `{}` | {name} | {year} |\n", key.fingerprint));
    }
    let documented = include_str!("../../data/README.md");
    assert!(
        documented.contains(&table),
        "data/README.md must contain\n{table}"
    );
}

/// The Release files that this machine's apt has fetched, with the shipped
/// keys, against gpgv with the distribution's keyring.
#[test]
fn release_files_of_this_machine() {
    let keyring = Keyring::debian().unwrap();
    let system = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
    let lists = std::fs::read_dir("/var/lib/apt/lists")
        .into_iter()
        .flatten()
        .flatten();
    let mut judged = 0;
    for path in lists.map(|entry| entry.path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix("_InRelease") else {
            continue;
        };
        let Some((_, suite)) = stem.rsplit_once("dists_") else {
            continue;
        };
        let file = std::fs::read(&path).unwrap();
        // Judged one hour after it was made: the machine's copy may be old.
        let date = String::from_utf8_lossy(&file)
            .lines()
            .find_map(|line| crate::time::parse_release_date(line.strip_prefix("Date: ")?));
        let expected = Expected {
            suite,
            now: date.unwrap() + 3600,
            keyring: &keyring,
        };
        let got = Release::from_inrelease(&file, &expected);
        if system.exists() {
            let debian = gpgv(system, &path);
            assert_eq!(got.is_ok(), debian, "{name}: {got:?}");
        }
        judged += usize::from(got.is_ok());
    }
    if judged == 0 {
        eprintln!("skipped: apt has fetched no Debian Release file on this machine");
    }
}
