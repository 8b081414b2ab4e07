//! ELF facts of the machine's own files, held against `readelf`, and mutated
//! until nothing of them is honest any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jettison_closure::{ElfFacts, Linkage};

/// A few real files of every kind the machine has.
fn samples() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for directory in [
        "/bin",
        "/usr/bin",
        "/sbin",
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
    ] {
        let Ok(entries) = fs::read_dir(directory) else {
            continue;
        };
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        found.sort();
        let found = found
            .into_iter()
            .filter(|path| fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() < 3 << 20));
        paths.extend(found.step_by(7).take(60));
    }
    paths.retain(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    paths
}

fn readelf(arguments: &[&str], path: &Path) -> Option<String> {
    let output = Command::new("readelf")
        .args(arguments)
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What stands in `[…]` on the lines that hold `tag`.
fn bracketed(text: &str, tag: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.contains(tag))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
        .collect()
}

#[test]
fn facts_agree_with_readelf() {
    if readelf(&["--version"], Path::new("")).is_none() {
        println!("skipped: readelf is not installed");
        return;
    }
    let samples = samples();
    for path in &samples {
        let facts = ElfFacts::read(&fs::read(path).expect("a file")).expect("an ELF file");
        let dynamic = readelf(&["-dW"], path).expect("readelf");
        assert_eq!(facts.needed, bracketed(&dynamic, "(NEEDED)"), "{path:?}");
        assert_eq!(
            facts.soname.iter().cloned().collect::<Vec<_>>(),
            bracketed(&dynamic, "(SONAME)"),
            "{path:?}"
        );
        assert_eq!(
            facts.runpath.iter().cloned().collect::<Vec<_>>(),
            bracketed(&dynamic, "(RUNPATH)"),
            "{path:?}"
        );

        let segments = readelf(&["-lW"], path).expect("readelf");
        let interpreter = segments.lines().find_map(|line| {
            line.split_once("program interpreter: ")
                .map(|(_, rest)| rest.trim_end_matches(']'))
        });
        assert_eq!(facts.interpreter.as_deref(), interpreter, "{path:?}");

        let versions = readelf(&["-VW"], path).expect("readelf");
        let needs = versions
            .split("Version needs section")
            .nth(1)
            .unwrap_or_default();
        let mut expected: Vec<&str> = needs
            .split_whitespace()
            .filter(|word| word.starts_with("GLIBC_"))
            .collect();
        expected.sort_unstable();
        expected.dedup();
        let mut found: Vec<&str> = facts.glibc_versions.iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{path:?}");

        let sections = readelf(&["-SW"], path).expect("readelf");
        assert_eq!(facts.stripped, !sections.contains(".symtab"), "{path:?}");
        assert_eq!(
            facts.debug_bytes > 0,
            sections.contains(" .debug_"),
            "{path:?}"
        );
    }
    println!("{} files agree", samples.len());
    assert!(samples.len() > 5);
}

#[test]
fn every_kind_of_linking_is_told_apart() {
    let compile = |arguments: &[&str]| {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(
            directory.path().join("a.c"),
            "int main(void) { return 0; }\n",
        )
        .expect("a source");
        let output = Command::new("cc")
            .args(["-o", "a"])
            .args(arguments)
            .arg("a.c")
            .current_dir(directory.path())
            .output()
            .ok()?;
        let bytes = fs::read(directory.path().join("a")).ok()?;
        output
            .status
            .success()
            .then(|| ElfFacts::read(&bytes).expect("an ELF file"))
    };
    for (arguments, expected) in [
        (&["-static"][..], Linkage::Static),
        (&["-static-pie"], Linkage::StaticPie),
        (&["-pie", "-fPIE"], Linkage::Dynamic),
        (&["-no-pie"], Linkage::Dynamic),
        (&["-shared", "-fPIC"], Linkage::Library),
        (
            &["-shared", "-fPIC", "-Wl,-soname,libx.so.1"],
            Linkage::Library,
        ),
        (&["-c"], Linkage::Other),
    ] {
        match compile(arguments) {
            Some(facts) => assert_eq!(facts.linkage, expected, "{arguments:?} {facts:?}"),
            None => println!("skipped: cc {arguments:?} does not work here"),
        }
    }
}

/// A small generator, so that a failure can be repeated (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).expect("less than a usize")
    }
}

#[test]
fn mutated_files_never_panic() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for path in samples().into_iter().take(25) {
        let original = fs::read(&path).expect("a file");
        let mut bytes = original.clone();
        for round in 0..200 {
            // Headers are where the numbers are; every fourth hit goes anywhere.
            let bound = if round % 4 == 0 {
                bytes.len()
            } else {
                bytes.len().min(4096)
            };
            for _ in 0..=random.below(8) {
                let at = random.below(bound);
                bytes[at] = [0, 0xff, 0x80, 0x7f, 1][random.below(5)];
            }
            let cut = if round % 10 == 9 {
                random.below(bytes.len())
            } else {
                bytes.len()
            };
            let _ = ElfFacts::read(&bytes[..cut]);
            if round % 20 == 19 {
                bytes.copy_from_slice(&original);
            }
        }
    }
    for bytes in [&b""[..], b"\x7fELF", b"\x7fELF\x02\x01\x01", b"#!/bin/sh\n"] {
        assert!(ElfFacts::read(bytes).is_err());
    }
}
