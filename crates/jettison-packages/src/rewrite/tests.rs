//! The law that holds for every rewritten tree, on databases written here, and
//! dpkg and Python as judges of what is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::PackageLimits;
use crate::installed::tests::Memory;
use crate::installed::{known, scan};

/// What is left of a tree when these paths are chosen, and what was changed.
#[track_caller]
fn slim(original: &Memory, chosen: &[&str]) -> (Memory, Rewritten) {
    let limits = PackageLimits::default();
    let mut original = original.clone();
    let files: Vec<ImagePath> = original.files.keys().cloned().collect();
    for path in &files {
        let mut directory = path.parent();
        while let Some(at) = directory.filter(|at| !original.links.contains_key(at)) {
            directory = at.parent();
            original.directories.insert(at);
        }
    }
    let before = scan(&original, &limits);
    let mut kept: BTreeSet<ImagePath> = chosen.iter().map(|path| known(path)).collect();
    for path in &kept {
        assert!(original.files.contains_key(path), "{}", path.display());
    }
    let needed = records(&original, &before, &|path| kept.contains(path));
    for record in needed {
        assert!(original.files.contains_key(&record.path), "{record:?}");
        kept.insert(record.path);
    }
    let again = records(&original, &before, &|path| kept.contains(path));
    assert!(
        again.iter().all(|record| kept.contains(&record.path)),
        "more records the second time"
    );
    for path in kept.clone() {
        let mut directory = path.parent();
        while let Some(at) = directory {
            directory = at.parent();
            kept.insert(at);
        }
    }
    let done = rewrite(&original, &before, &|path| kept.contains(path));

    let mut small = Memory {
        links: original.links.clone(),
        ..Memory::default()
    };
    for path in &kept {
        if let Some(content) = original.files.get(path) {
            small.files.insert(path.clone(), content.clone());
        } else {
            small.directories.insert(path.clone());
        }
    }
    for change in &done.files {
        assert!(kept.contains(&change.path), "{change:?}");
        match &change.content {
            Some(content) => small.files.insert(change.path.clone(), content.clone()),
            None => small.files.remove(&change.path),
        };
    }

    let after = scan(&small, &limits);
    let label = |package: &Package| package.purl();
    for path in small.files.keys() {
        let owner = |installed: &Installed| Some(label(installed.owner(path)?.0));
        assert_eq!(owner(&after), owner(&before), "{}", path.display());
    }
    for package in after
        .packages
        .iter()
        .filter(|package| package.within.is_none())
    {
        let own = |path: &&ImagePath| !dpkg::is_of_interest(path.as_bytes());
        assert!(
            package.kind == PackageKind::Rpm || after.files(package).any(|path| own(&path)),
            "{} is listed without a file",
            label(package)
        );
    }
    let second = rewrite(&small, &after, &|path| {
        small.files.contains_key(path) || small.directories.contains(path)
    });
    assert_eq!(second.files, [], "not everything was cut the first time");
    (small, done)
}

#[track_caller]
fn text(memory: &Memory, path: &str) -> String {
    let content = memory.files.get(&known(path));
    String::from_utf8(content.cloned().unwrap_or_default()).unwrap()
}

#[test]
fn dpkg_keeps_what_is_left_byte_for_byte() {
    let stanza = |name: &str, rest: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n{rest}Version: 1\nOdd-Field:  kept \n\n"
        )
    };
    let status = [
        stanza("app", "Conffiles:\n /etc/app.conf 0123\n"),
        stanza("gone", ""),
        "Package: old\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
            .to_owned(),
        stanza("meta", ""),
        stanza("lib", ""),
    ];
    let all = status.concat();
    let sum = "d41d8cd98f00b204e9800998ecf8427e";
    let sums = format!("{sum}  usr/bin/app\n{sum}  usr/share/man/man1/app.1.gz\n{sum}  bin/tool\n");
    let mut memory = Memory::new(&[
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ("var/lib/dpkg/status", &all),
        ("var/lib/dpkg/status-old", &all),
        ("var/lib/dpkg/available", &all),
        ("var/lib/dpkg/arch", "amd64\n"),
        ("var/lib/dpkg/info/format", "1\n"),
        (
            "var/lib/dpkg/info/app.list",
            "/.\n/bin\n/bin/tool\n/bin/shell\n/etc\n/etc/app.conf\n/lib\n/lib/odd\n/usr\n/usr/bin\n/usr/bin/app\n\
             /usr/share\n/usr/share/doc\n/usr/share/doc/app\n/usr/share/doc/app/copyright\n\
             /usr/share/man\n/usr/share/man/man1\n/usr/share/man/man1/app.1.gz\n/var/gone\n",
        ),
        ("var/lib/dpkg/info/app.md5sums", &sums),
        ("var/lib/dpkg/info/app.postinst", "#!/bin/sh\n"),
        (
            "var/lib/dpkg/info/gone.list",
            "/.\n/usr/bin/gone\n/usr/share/doc/gone/copyright\n",
        ),
        ("var/lib/dpkg/info/meta.list", "/.\n/usr/share/doc/meta\n"),
        (
            "var/lib/dpkg/info/lib.list",
            "/.\n/lib\n/lib/lib.so\n/usr/share/doc/lib\n",
        ),
        (
            "var/lib/dpkg/diversions",
            "/bin/shell\n/bin/shell.real\nother\n/x\n/y\nother\n",
        ),
        (
            "var/lib/dpkg/statoverride",
            "root mail 2755 /bin/tool\nroot mail 2755 /usr/bin/gone\n",
        ),
        ("usr/bin/tool", ""),
        ("usr/bin/shell.real", ""),
        ("usr/bin/app", ""),
        ("usr/bin/gone", ""),
        ("usr/lib/lib.so", ""),
        ("lib", ""),
        ("etc/app.conf", ""),
        ("usr/share/doc/app/copyright", "MIT"),
        ("usr/share/doc/gone/copyright", "MIT"),
        ("usr/share/doc/lib", ""),
        ("usr/share/man/man1/app.1.gz", ""),
    ]);
    for (link, target) in [
        ("bin", "usr/bin"),
        ("lib", "usr/lib"),
        ("usr/share/doc/lib", "usr/share/doc/app"),
    ] {
        memory.links.insert(known(link), known(target));
    }
    let chosen = [
        "lib",
        "usr/bin/tool",
        "usr/bin/shell.real",
        "usr/lib/lib.so",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/available",
        "var/lib/dpkg/info/app.postinst",
        "var/lib/dpkg/info/gone.list",
    ];
    let (small, done) = slim(&memory, &chosen);
    let left = format!("{}{}", status[0], status[4]);
    assert_eq!(text(&small, "var/lib/dpkg/status"), left);
    assert_eq!(text(&small, "var/lib/dpkg/available"), left);
    assert_eq!(
        text(&small, "var/lib/dpkg/info/app.list"),
        "/.\n/bin\n/bin/tool\n/bin/shell\n/etc\n/usr\n/usr/bin\n/usr/share\n/usr/share/doc\n\
         /usr/share/doc/app\n/usr/share/doc/app/copyright\n"
    );
    assert_eq!(
        text(&small, "var/lib/dpkg/info/app.md5sums"),
        format!("{sum}  bin/tool\n")
    );
    assert_eq!(
        text(&small, "var/lib/dpkg/diversions"),
        "/bin/shell\n/bin/shell.real\nother\n"
    );
    assert_eq!(
        text(&small, "var/lib/dpkg/statoverride"),
        "root mail 2755 /bin/tool\n"
    );
    for gone in [
        "status-old",
        "info/app.postinst",
        "info/gone.list",
        "info/meta.list",
    ] {
        assert!(
            !small
                .files
                .contains_key(&known(&format!("var/lib/dpkg/{gone}"))),
            "{gone}"
        );
    }
    for stays in ["arch", "info/format"] {
        assert!(
            small
                .files
                .contains_key(&known(&format!("var/lib/dpkg/{stays}"))),
            "{stays}"
        );
    }
    let status = done
        .files
        .iter()
        .find(|change| change.path == known("var/lib/dpkg/status"));
    assert_eq!(status.unwrap().change, "2 of 5 packages left");

    // The licence is there by its link too.
    let (small, _) = slim(&memory, &["usr/lib/lib.so"]);
    assert!(
        small
            .files
            .contains_key(&known("usr/share/doc/app/copyright"))
    );
    // Nothing of any package: no record is needed.
    let (small, _) = slim(&memory, &[]);
    let left: Vec<String> = small
        .files
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(left, ["/etc/os-release"]);
}

#[test]
fn distroless_records() {
    let sum = "d41d8cd98f00b204e9800998ecf8427e";
    let sums = format!("{sum}  usr/lib/a.so\n{sum}  usr/lib/b.so\n");
    let memory = Memory::new(&[
        ("usr/lib/os-release", "ID=debian\nVERSION_ID=13\n"),
        ("var/lib/dpkg/status.d/a", "Package: a\nVersion: 1\n"),
        ("var/lib/dpkg/status.d/a.md5sums", &sums),
        ("var/lib/dpkg/status.d/b", "Package: b\nVersion: 1\n"),
        (
            "var/lib/dpkg/status.d/b.md5sums",
            "d41d8cd98f00b204e9800998ecf8427e  usr/lib/c.so\n",
        ),
        ("usr/lib/a.so", ""),
        ("usr/lib/b.so", ""),
        ("usr/lib/c.so", ""),
    ]);
    let (small, done) = slim(
        &memory,
        &[
            "usr/lib/a.so",
            "var/lib/dpkg/status.d/b",
            "var/lib/dpkg/status.d/b.md5sums",
        ],
    );
    assert_eq!(
        text(&small, "var/lib/dpkg/status.d/a.md5sums"),
        format!("{sum}  usr/lib/a.so\n")
    );
    assert_eq!(
        text(&small, "var/lib/dpkg/status.d/a"),
        "Package: a\nVersion: 1\n"
    );
    assert_eq!(done.files.len(), 3, "{:?}", done.files);
}

#[test]
fn apk_keeps_directories_and_files_that_are_left() {
    let memory = Memory::new(&[
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.20\n"),
        ("etc/apk/world", "busybox\nmusl>1\ngone\n!x\n"),
        (
            "lib/apk/db/installed",
            "C:Q1a\nP:musl\nV:1\nA:x86_64\nF:lib\nM:0:0:755\nR:ld-musl.so\na:0:0:755\nZ:Q1x\nR:libc.so\n\
             Z:Q1y\nF:usr/share/musl\nR:x\nZ:Q1z\n\nP:gone\nV:1\nF:bin\nR:gone\nZ:Q1\n\nP:busybox\nV:2\n\
             F:bin\nR:sh\nF:var/spool\nM:0:0:1777\n",
        ),
        ("lib/ld-musl.so", ""),
        ("lib/libc.so", ""),
        ("usr/share/musl/x", ""),
        ("bin/gone", ""),
        ("bin/sh", ""),
        ("var/spool/keep", ""),
    ]);
    let (small, _) = slim(
        &memory,
        &["lib/libc.so", "bin/sh", "etc/apk/world", "var/spool/keep"],
    );
    assert_eq!(
        text(&small, "lib/apk/db/installed"),
        "C:Q1a\nP:musl\nV:1\nA:x86_64\nF:lib\nM:0:0:755\nR:libc.so\nZ:Q1y\n\nP:busybox\nV:2\nF:bin\n\
         R:sh\nF:var/spool\nM:0:0:1777\n"
    );
    assert_eq!(text(&small, "etc/apk/world"), "busybox\nmusl>1\n");
    let (small, _) = slim(&memory, &["bin/sh"]);
    assert!(text(&small, "lib/apk/db/installed").ends_with("R:sh\n"));
}

#[test]
fn languages() {
    let lock = "{\n  \"name\": \"app\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"node_modules/b\": {\n      \
        \"version\": \"1\"\n    },\n    \"node_modules/a\": {\n      \"version\": \"2\"\n    }\n  }\n}\n";
    let memory = Memory::new(&[
        (
            "v/site-packages/foo-1.dist-info/METADATA",
            "Name: foo\nVersion: 1\n",
        ),
        (
            "v/site-packages/foo-1.dist-info/RECORD",
            "foo/a.py,sha256=x,1\r\n\"foo/b,c.py\",sha256=y,2\r\n../bin/foo,,\r\nfoo-1.dist-info/METADATA,,\r\n\
             foo-1.dist-info/licenses/LICENSE,,\r\nfoo-1.dist-info/RECORD,,\r\nfoo/__pycache__/a.cpython-311.pyc,,\r\n",
        ),
        ("v/site-packages/foo-1.dist-info/licenses/LICENSE", "MIT"),
        ("v/site-packages/foo/a.py", ""),
        ("v/site-packages/foo/b,c.py", ""),
        ("v/bin/foo", ""),
        (
            "v/site-packages/gone-1.dist-info/METADATA",
            "Name: gone\nVersion: 1\n",
        ),
        ("v/site-packages/gone-1.dist-info/RECORD", "gone.py,,\n"),
        ("v/site-packages/gone.py", ""),
        (
            "v/site-packages/old.egg-info/PKG-INFO",
            "Name: old\nVersion: 1\n",
        ),
        (
            "v/site-packages/old.egg-info/installed-files.txt",
            "../old.py\n../other.py\nPKG-INFO\n",
        ),
        ("v/site-packages/old.py", ""),
        ("v/site-packages/other.py", ""),
        ("app/node_modules/.package-lock.json", lock),
        (
            "app/node_modules/a/package.json",
            "{\"name\":\"a\",\"version\":\"2\"}",
        ),
        ("app/node_modules/a/LICENSE.md", "MIT"),
        ("app/node_modules/a/index.js", ""),
        (
            "app/node_modules/b/package.json",
            "{\"name\":\"b\",\"version\":\"1\"}",
        ),
        ("app/node_modules/b/index.js", ""),
        ("g/specifications/rack-2.0.gemspec", ""),
        ("g/gems/rack-2.0/lib/rack.rb", ""),
        ("g/gems/rack-2.0/MIT-LICENSE", ""),
        ("g/specifications/rake-2.0.gemspec", ""),
        ("g/gems/rake-2.0/lib/rake.rb", ""),
    ]);
    let (small, _) = slim(
        &memory,
        &[
            "v/site-packages/foo/a.py",
            "v/site-packages/old.py",
            "app/node_modules/a/index.js",
            "app/node_modules/.package-lock.json",
            "g/gems/rack-2.0/lib/rack.rb",
        ],
    );
    assert_eq!(
        text(&small, "v/site-packages/foo-1.dist-info/RECORD"),
        "foo/a.py,sha256=x,1\r\nfoo-1.dist-info/METADATA,,\r\nfoo-1.dist-info/licenses/LICENSE,,\r\n\
         foo-1.dist-info/RECORD,,\r\n"
    );
    assert_eq!(
        text(&small, "v/site-packages/old.egg-info/installed-files.txt"),
        "../old.py\nPKG-INFO\n"
    );
    let expected = lock.replace(
        "    \"node_modules/b\": {\n      \"version\": \"1\"\n    },\n",
        "",
    );
    assert_eq!(
        text(&small, "app/node_modules/.package-lock.json"),
        expected
    );
    let left: Vec<String> = small
        .files
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    for (path, stays) in [
        ("/v/site-packages/foo-1.dist-info/licenses/LICENSE", true),
        ("/v/site-packages/gone-1.dist-info/METADATA", false),
        ("/app/node_modules/a/package.json", true),
        ("/app/node_modules/a/LICENSE.md", true),
        ("/app/node_modules/b/package.json", false),
        ("/g/specifications/rack-2.0.gemspec", true),
        ("/g/gems/rack-2.0/MIT-LICENSE", true),
        ("/g/specifications/rake-2.0.gemspec", false),
    ] {
        assert_eq!(left.iter().any(|known| known == path), stays, "{path}");
    }
}

#[test]
fn a_list_that_a_system_package_ships_has_its_new_sum() {
    let memory = Memory::new(&[
        (
            "var/lib/dpkg/status",
            "Package: sdk\nStatus: i ok installed\nVersion: 1\n",
        ),
        (
            "var/lib/dpkg/info/sdk.list",
            "/opt/sdk/a.py\n/opt/sdk/b.py\n/opt/sdk/x.dist-info/METADATA\n/opt/sdk/x.dist-info/RECORD\n",
        ),
        (
            "var/lib/dpkg/info/sdk.md5sums",
            "00000000000000000000000000000000  opt/sdk/b.py\n\
             00000000000000000000000000000000  opt/sdk/x.dist-info/RECORD\n",
        ),
        ("opt/sdk/a.py", ""),
        ("opt/sdk/b.py", ""),
        ("opt/sdk/x.dist-info/METADATA", "Name: x\nVersion: 1\n"),
        ("opt/sdk/x.dist-info/RECORD", "a.py,,\nb.py,,\n"),
    ]);
    let (small, _) = slim(&memory, &["opt/sdk/a.py", "opt/sdk/x.dist-info/RECORD"]);
    assert_eq!(text(&small, "opt/sdk/x.dist-info/RECORD"), "a.py,,\n");
    // `printf 'a.py,,\n' | md5sum`
    assert_eq!(
        text(&small, "var/lib/dpkg/info/sdk.md5sums"),
        "e1be0b10d2d2446986026d4e042e842f  opt/sdk/x.dist-info/RECORD\n"
    );
}

#[test]
fn metadata_within_a_package_of_the_system_stays_with_it() {
    let memory = Memory::new(&[
        (
            "var/lib/dpkg/status",
            "Package: python3-foo\nStatus: i ok installed\nVersion: 1\n",
        ),
        (
            "var/lib/dpkg/info/python3-foo.list",
            "/usr/lib/python3/dist-packages/foo.py\n/usr/lib/python3/dist-packages/foo.egg-info\n",
        ),
        ("usr/lib/python3/dist-packages/foo.py", ""),
        (
            "usr/lib/python3/dist-packages/foo.egg-info",
            "Name: foo\nVersion: 1\n",
        ),
    ]);
    let (small, _) = slim(&memory, &["usr/lib/python3/dist-packages/foo.py"]);
    assert_eq!(small.files.len(), 4);
}

#[test]
fn hostile_databases_are_cut_to_something() {
    let long = format!("Package: a\n{}", " x\n".repeat(600_000));
    let deep = format!("{{\"packages\":{}", "[".repeat(100_000));
    for (path, content) in [
        ("var/lib/dpkg/status", "Status: i ok installed"),
        ("var/lib/dpkg/status", &long),
        ("var/lib/dpkg/status", "\n\n\u{0}\n\n:\n"),
        ("var/lib/dpkg/diversions", "a\n../../b\n"),
        ("var/lib/dpkg/statoverride", "a b c ../../../etc\na\n   \n"),
        ("var/lib/dpkg/info/a.list", "../..\n"),
        (
            "lib/apk/db/installed",
            "R:x\nF:../..\nR:../../etc/passwd\n\n\n\nP:\n\n",
        ),
        ("etc/apk/world", "\n\n = <"),
        ("x.dist-info/RECORD", "\"\"\"\n../../../..,\n\"a"),
        ("node_modules/.package-lock.json", &deep),
        (
            "node_modules/.package-lock.json",
            "{\"packages\":{\"../../x\":1,\"\\u0000\":2}}",
        ),
        ("node_modules/.package-lock.json", "{\"packages\":[]}"),
    ] {
        slim(&Memory::new(&[(path, content), ("x", "")]), &[path, "x"]);
    }
}

/// Files of this machine's packages in a directory, with the databases as they
/// are rewritten, and what dpkg says about it.
#[test]
fn as_dpkg_sees_it() {
    let Some(mut memory) = host(&["bash", "coreutils", "dpkg", "tar", "libc6", "base-files"])
    else {
        eprintln!("skipped: this machine has no dpkg with these packages");
        return;
    };
    memory
        .links
        .retain(|link, _| link.components().count() == 1);
    let wanted = [
        "usr/bin/tar",
        "usr/bin/ls",
        "usr/bin/cat",
        "bin/tar",
        "bin/ls",
        "bin/cat",
    ];
    let chosen: Vec<&str> = wanted
        .into_iter()
        .filter(|path| memory.files.contains_key(&known(path)))
        .collect();
    assert!(chosen.len() > 1, "{chosen:?}");
    let (small, _) = slim(&memory, &chosen);
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in &small.files {
        let at = directory.path().join(&path.display().to_string()[1..]);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }
    for (link, target) in &memory.links {
        let target = target.display().to_string();
        let at = directory.path().join(&link.display().to_string()[1..]);
        std::os::unix::fs::symlink(&target[1..], at).unwrap();
    }
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program)
            .arg(format!(
                "--admindir={}",
                directory.path().join("var/lib/dpkg").display()
            ))
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let (listed, problems) = run(
        "dpkg-query",
        &["-W", "-f", "${Package} ${db:Status-Status}\n"],
    );
    assert_eq!(problems, "");
    // The distribution's name and the licence texts are of base-files.
    assert_eq!(
        listed,
        "base-files installed\ncoreutils installed\ntar installed\n"
    );
    let (table, problems) = run("dpkg", &["-l"]);
    assert!(
        problems.is_empty() && table.contains("coreutils"),
        "{table}{problems}"
    );
    let (paths, _) = run("dpkg-query", &["-L", "coreutils"]);
    assert!(
        paths.lines().any(|path| path.ends_with("/bin/ls")) && !paths.contains("/dd"),
        "{paths}"
    );
    let (owner, _) = run("dpkg-query", &["-S", "*bin/tar"]);
    assert!(owner.starts_with("tar: "), "{owner}");
    let output = Command::new("dpkg")
        .arg(format!("--root={}", directory.path().display()))
        .arg("--verify")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "", "{}", String::from_utf8_lossy(&output.stderr));
}

/// Files of some packages of this machine and their records, links of
/// directories at the root included.
fn host(packages: &[&str]) -> Option<Memory> {
    let mut memory = Memory::default();
    let mut status = String::new();
    for package in packages {
        let query = Command::new("dpkg-query")
            .args(["-s", package])
            .output()
            .ok()?;
        status += std::str::from_utf8(&query.stdout)
            .ok()
            .filter(|_| query.status.success())?;
        status += "\n";
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        if let Ok(target) = std::fs::read_link(Path::new("/").join(name)) {
            let target = target.to_string_lossy().into_owned();
            memory.links.insert(known(name), known(&target));
        }
    }
    let info = Path::new("/var/lib/dpkg/info");
    for entry in std::fs::read_dir(info).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.split(['.', ':']).next()?;
        if packages.contains(&stem) || name == "format" {
            memory.files.insert(
                known(&format!("var/lib/dpkg/info/{name}")),
                std::fs::read(entry.path()).ok()?,
            );
        }
        if !packages.contains(&stem) || !name.ends_with(".list") {
            continue;
        }
        for line in std::fs::read_to_string(entry.path()).ok()?.lines() {
            let Some(real) = Path::new(line)
                .parent()
                .and_then(|parent| parent.canonicalize().ok())
            else {
                continue;
            };
            let path = real.join(Path::new(line).file_name().unwrap_or_default());
            let Ok(kind) = path.symlink_metadata().map(|metadata| metadata.file_type()) else {
                continue;
            };
            if kind.is_file() || kind.is_symlink() {
                let content = std::fs::read(&path).unwrap_or_default();
                memory.files.insert(known(&path.to_string_lossy()), content);
            }
        }
    }
    for (link, _) in memory.links.clone() {
        memory.files.insert(link, Vec::new());
    }
    memory
        .files
        .insert(known("var/lib/dpkg/status"), status.into_bytes());
    Some(memory)
}

#[test]
fn as_python_sees_it() {
    let site = tempfile::tempdir().unwrap();
    let memory = Memory::new(&[
        (
            "foo-1.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: foo\nVersion: 1\n",
        ),
        (
            "foo-1.dist-info/RECORD",
            "foo/a.py,,\n\"foo/b,c.py\",,\nfoo/d.py,,\nfoo-1.dist-info/METADATA,,\nfoo-1.dist-info/RECORD,,\n",
        ),
        ("foo/a.py", ""),
        ("foo/b,c.py", ""),
        ("foo/d.py", ""),
    ]);
    let (small, _) = slim(&memory, &["foo/a.py", "foo/b,c.py"]);
    for (path, content) in &small.files {
        let at = site.path().join(&path.display().to_string()[1..]);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }
    let program = "import importlib.metadata as m, sys\n\
        d = next(iter(m.distributions(path=[sys.argv[1]])))\n\
        print(d.metadata['Name'], sorted(str(f) for f in d.files), all(f.locate().exists() for f in d.files))";
    let Ok(output) = Command::new("python3")
        .arg("-c")
        .arg(program)
        .arg(site.path())
        .output()
    else {
        eprintln!("skipped: this machine has no python3");
        return;
    };
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "foo ['foo-1.dist-info/METADATA', 'foo-1.dist-info/RECORD', 'foo/a.py', 'foo/b,c.py'] True",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
