//! Databases written here, broken ones, and the machine's own dpkg as a judge.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A tree in memory: files by path; `links` are links of directories.
#[derive(Default, Clone)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<ImagePath, Vec<u8>>,
    pub(crate) links: BTreeMap<ImagePath, ImagePath>,
    pub(crate) directories: BTreeSet<ImagePath>,
}

impl Memory {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let mut memory = Self::default();
        for (path, content) in files {
            memory
                .files
                .insert(known(path), content.as_bytes().to_vec());
        }
        memory
    }
}

impl Files for Memory {
    fn content(&self, path: &ImagePath) -> Option<Cow<'_, [u8]>> {
        assert!(is_database(path.as_bytes()), "{path:?} is no database");
        self.files
            .get(path)
            .map(|content| Cow::Borrowed(content.as_slice()))
    }

    fn for_each_path(&self, visit: &mut dyn FnMut(&ImagePath, bool)) {
        self.files.keys().for_each(|path| visit(path, false));
        self.directories.iter().for_each(|path| visit(path, true));
    }

    fn is_directory(&self, path: &ImagePath) -> bool {
        self.directories.contains(path)
    }

    fn real_directory(&self, directory: &ImagePath) -> Option<ImagePath> {
        for (link, target) in &self.links {
            if directory.starts_with(link) {
                return target
                    .join(&directory.as_bytes()[link.as_bytes().len()..])
                    .ok();
            }
        }
        Some(directory.clone())
    }
}

fn show(installed: &Installed) -> Vec<String> {
    let line = |package: &Package| {
        let files: Vec<_> = installed
            .files(package)
            .map(|path| path.display().to_string())
            .collect();
        let within = package
            .within
            .map(|at| format!(" in {}", installed.packages[at].name));
        format!(
            "{}{} [{}]",
            package.purl(),
            within.unwrap_or_default(),
            files.join(" ")
        )
    };
    installed.packages.iter().map(line).collect()
}

#[track_caller]
fn check(memory: &Memory, expected: &[&str], notes: usize) {
    let got = scan(memory, &PackageLimits::default());
    assert_eq!(show(&got), expected);
    assert_eq!(got.notes.len(), notes, "{:?}", got.notes);
}

const STATUS: &str = "Package: coreutils\nStatus: install ok installed\nArchitecture: amd64\n\
    Version: 9.1-1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
    Package: libc6\nStatus: hold ok installed\nArchitecture: amd64\nMulti-Arch: same\n\
    Source: glibc (2.36-9+deb12u1)\nVersion: 2.36-9+b1\n\nPackage: odd\nStatus: x ok installed\n";

#[test]
fn dpkg_with_merged_usr_and_diversions() {
    let mut memory = Memory::new(&[
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ("var/lib/dpkg/status", STATUS),
        (
            "var/lib/dpkg/info/coreutils.list",
            "/.\n/bin\n/bin/ls\n/usr/bin/env\n/gone\n",
        ),
        ("var/lib/dpkg/info/libc6:amd64.list", "/lib/libc.so.6\n"),
        (
            "var/lib/dpkg/diversions",
            "/usr/bin/env\n/usr/bin/env.real\nother\n",
        ),
        ("usr/bin/ls", ""),
        ("usr/bin/env", ""),
        ("usr/bin/env.real", ""),
        ("usr/lib/libc.so.6", ""),
    ]);
    memory.links.insert(known("bin"), known("usr/bin"));
    memory.links.insert(known("lib"), known("usr/lib"));
    check(
        &memory,
        &[
            "pkg:deb/debian/coreutils@9.1-1?arch=amd64&distro=debian-12 \
             [/usr/bin/env.real /usr/bin/ls /var/lib/dpkg/info/coreutils.list]",
            "pkg:deb/debian/libc6@2.36-9%2Bb1?arch=amd64&distro=debian-12\
             &upstream=glibc%402.36-9%2Bdeb12u1 \
             [/usr/lib/libc.so.6 /var/lib/dpkg/info/libc6:amd64.list]",
        ],
        1,
    );
    let got = scan(&memory, &PackageLimits::default());
    assert_eq!(got.owner(&known("usr/bin/ls")).unwrap().0.name, "coreutils");
    assert!(got.owner(&known("usr/bin/env")).is_none());
}

#[test]
fn distroless_records() {
    let sums = "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\nshort\n";
    check(
        &Memory::new(&[
            ("usr/lib/os-release", "ID=debian\nVERSION_ID=13\n"),
            (
                "var/lib/dpkg/status.d/tzdata",
                "Package: tzdata\nVersion: 1\nArchitecture: all\n",
            ),
            ("var/lib/dpkg/status.d/tzdata.md5sums", sums),
            ("var/lib/dpkg/status.d/broken", "nothing\n"),
            ("usr/share/zoneinfo/UTC", ""),
        ]),
        &["pkg:deb/debian/tzdata@1?arch=all&distro=debian-13 \
           [/usr/share/zoneinfo/UTC /var/lib/dpkg/status.d/tzdata]"],
        1,
    );
}

#[test]
fn alpine() {
    check(
        &Memory::new(&[
            ("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n"),
            (
                "lib/apk/db/installed",
                "C:Q1x\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl.so\n\
                 F:usr/bin\nR:ldd\nZ:Q1\n\nP:odd\n\nP:last\nV:1\nF:\nR:root-file",
            ),
            ("lib/ld-musl.so", ""),
            ("usr/bin/ldd", ""),
            ("root-file", ""),
        ]),
        &[
            "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1&upstream=musl \
             [/lib/ld-musl.so /usr/bin/ldd]",
            "pkg:apk/alpine/last@1?distro=alpine-3.20.1 [/root-file]",
        ],
        1,
    );
}

#[test]
fn languages() {
    let site = "usr/lib/python3/site-packages";
    let at = |name: &str| format!("{site}/{name}");
    let files = [
        (
            "usr/lib/python3/site-packages/Foo_Bar-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0\nLicense: MIT\n\nName: no\n",
        ),
        (
            "usr/lib/python3/site-packages/Foo_Bar-1.0.dist-info/RECORD",
            "foo/__init__.py,sha256=x,1\r\n\"foo/a,b.py\",,\r\n../../../bin/foo,,\r\n../../../../../x,,\n",
        ),
        ("usr/lib/python3/site-packages/foo/__init__.py", ""),
        (
            "usr/lib/python3/site-packages/foo/__pycache__/__init__.cpython-311.pyc",
            "",
        ),
        ("usr/lib/python3/site-packages/foo/a,b.py", ""),
        ("usr/bin/foo", ""),
        (
            "usr/lib/python3/site-packages/old.egg-info",
            "Name: old\nVersion: 2\n",
        ),
        (
            "usr/lib/python3/site-packages/bad.dist-info/METADATA",
            "Name: bad\n",
        ),
        (
            "app/node_modules/@s/a/package.json",
            "{\"name\":\"@s/a\",\"version\":\"1.2.3\",\"license\":{\"type\":\"ISC\"}}",
        ),
        ("app/node_modules/@s/a/index.js", ""),
        (
            "app/node_modules/@s/a/node_modules/b/package.json",
            "{\"name\":\"b\",\"version\":\"0.1.0+x\"}",
        ),
        ("app/node_modules/@s/a/node_modules/b/lib/b.js", ""),
        ("app/node_modules/c/package.json", "{\"type\":\"module\"}"),
        ("app/node_modules/d/package.json", "{"),
        ("var/lib/gems/specifications/rake-13.0.6.gemspec", "exit"),
        ("var/lib/gems/gems/rake-13.0.6/lib/rake.rb", ""),
        (
            "var/lib/dpkg/status",
            "Package: python3-old\nStatus: i ok installed\nVersion: 2-1\nArchitecture: all\n",
        ),
        (
            "var/lib/dpkg/info/python3-old.list",
            "/usr/lib/python3/site-packages/old.egg-info\n",
        ),
    ];
    let memory = Memory::new(&files);
    check(
        &memory,
        &[
            &format!(
                "pkg:deb/debian/python3-old@2-1?arch=all [/{} \
              /var/lib/dpkg/info/python3-old.list]",
                at("old.egg-info")
            ),
            &format!(
                "pkg:pypi/foo-bar@1.0 [/usr/bin/foo /{} /{} /{}]",
                at("Foo_Bar-1.0.dist-info/METADATA"),
                at("foo/__init__.py"),
                at("foo/a,b.py")
            ),
            "pkg:pypi/old@2 in python3-old []",
            "pkg:npm/b@0.1.0%2Bx [/app/node_modules/@s/a/node_modules/b/lib/b.js \
             /app/node_modules/@s/a/node_modules/b/package.json]",
            "pkg:npm/%40s/a@1.2.3 [/app/node_modules/@s/a/index.js /app/node_modules/@s/a/package.json]",
            "pkg:gem/rake@13.0.6 [/var/lib/gems/gems/rake-13.0.6/lib/rake.rb \
             /var/lib/gems/specifications/rake-13.0.6.gemspec]",
        ],
        2,
    );
    let got = scan(&memory, &PackageLimits::default());
    let cache = known(&at("foo/__pycache__/__init__.cpython-311.pyc"));
    let (package, how) = got.owner(&cache).unwrap();
    assert_eq!(
        (package.name.as_str(), how),
        ("Foo_Bar", Ownership::Compiled)
    );
    assert_eq!(
        got.packages
            .iter()
            .find(|p| p.name == "@s/a")
            .unwrap()
            .licence
            .as_deref(),
        Some("ISC")
    );
}

#[test]
fn hostile_databases_give_notes() {
    let deep = "[".repeat(100_000);
    let escapes = "Package: \u{1b}[2J\nStatus: a ok installed\nVersion: \u{202e}\n";
    let long = format!("Package: a\n{}\n", " x\n".repeat(600_000));
    let many = "Package: a\nVersion: 1\nStatus: a ok installed\n\n".repeat(2000);
    for (path, content) in [
        ("node_modules/a/package.json", deep.as_str()),
        ("var/lib/dpkg/status", &long),
        ("var/lib/dpkg/status", &many),
        ("var/lib/dpkg/status", escapes),
        ("var/lib/dpkg/status", "Package\u{0}: x"),
        (
            "lib/apk/db/installed",
            "P:\n\nR:x\nF:../..\nR:../../etc/passwd\n\n",
        ),
        ("x.dist-info/METADATA", ""),
    ] {
        let limits = PackageLimits {
            packages: 1000,
            ..PackageLimits::default()
        };
        let got = scan(&Memory::new(&[(path, content)]), &limits);
        assert!(got.packages.len() <= 1000);
        for note in &got.notes {
            assert!(!note.contains(char::is_control), "{note:?}");
        }
        for package in &got.packages {
            assert!(package.purl().is_ascii());
        }
    }
}

/// A database that rpm itself wrote, of packages that rpmbuild made.
#[test]
fn rpm_as_rpm_answers() {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path();
    let spec = "Name: thing\nVersion: 1.5\nRelease: 2\nEpoch: 3\nSummary: x\nLicense: MIT\nBuildArch: \
        noarch\n%description\nx\n%install\nmkdir -p %{buildroot}/usr/share/thing\nfor i in $(seq 1 500); do \
        touch %{buildroot}/usr/share/thing/a-rather-long-name-of-a-file-$i; done\n%files\n/usr/share/thing\n";
    std::fs::write(top.join("thing.spec"), spec).unwrap();
    let built = Command::new("rpmbuild")
        .arg("-bb")
        .arg("--define")
        .arg(format!("_topdir {}", top.display()))
        .arg(top.join("thing.spec"))
        .output();
    if !built.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: rpmbuild is not installed");
        return;
    }
    let rpm = top.join("RPMS/noarch/thing-1.5-2.noarch.rpm");
    let database = top.join("db");
    let run = |args: &[&str]| {
        let output = Command::new("rpm")
            .arg("--dbpath")
            .arg(&database)
            .args(["--define", "_db_backend sqlite"])
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["--initdb"]);
    run(&[
        "-i",
        "--justdb",
        "--nodeps",
        "--force-debian",
        rpm.to_str().unwrap(),
    ]);
    // Folds the write-ahead log into the file, as an image's build ends.
    let listed = run(&["-ql", "thing"]);
    let file = std::fs::read(database.join("rpmdb.sqlite")).unwrap();

    let mut memory = Memory::new(&[("etc/os-release", "ID=fedora\nVERSION_ID=40\n")]);
    let listed: Vec<&str> = listed
        .lines()
        .filter(|path| path.contains("/a-rather"))
        .collect();
    for path in &listed {
        memory.files.insert(known(path), Vec::new());
    }
    memory
        .files
        .insert(known("var/lib/rpm/rpmdb.sqlite"), file.clone());
    memory
        .files
        .insert(known("var/lib/rpm/Packages.db"), Vec::new());
    let got = scan(&memory, &PackageLimits::default());
    assert_eq!(got.notes.len(), 1, "{:?}", got.notes);
    assert_eq!(got.packages.len(), 1);
    assert_eq!(
        got.packages[0].purl(),
        "pkg:rpm/fedora/thing@1.5-2?arch=noarch&epoch=3&distro=fedora-40\
         &upstream=thing-1.5-2.src.rpm"
    );
    assert_eq!(got.files(&got.packages[0]).count(), listed.len());

    // Broken anywhere, it gives notes or packages, and always ends.
    for at in (0..file.len()).step_by(file.len() / 40) {
        let mut broken = file.clone();
        broken[at] ^= 0xff;
        memory
            .files
            .insert(known("var/lib/rpm/rpmdb.sqlite"), broken);
        scan(&memory, &PackageLimits::default());
        memory
            .files
            .insert(known("var/lib/rpm/rpmdb.sqlite"), file[..at].to_vec());
        scan(&memory, &PackageLimits::default());
    }
}

/// Some directories of this machine, with its dpkg database.
struct Host {
    paths: Vec<(ImagePath, bool)>,
}

const SAMPLED: [&str; 5] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib/python3",
    "/etc",
    "/var/lib/dpkg/info",
];

impl Host {
    fn new() -> Self {
        let mut paths = Vec::new();
        let mut left: Vec<PathBuf> = SAMPLED.iter().map(PathBuf::from).collect();
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory {
                    left.push(entry.path());
                }
                let bytes =
                    std::os::unix::ffi::OsStrExt::as_bytes(entry.path().as_os_str()).to_vec();
                paths.push((ImagePath::new(bytes).unwrap(), is_directory));
            }
        }
        Self { paths }
    }
}

fn host_path(path: &ImagePath) -> PathBuf {
    let text: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(path.as_bytes());
    Path::new("/").join(text)
}

impl Files for Host {
    fn content(&self, path: &ImagePath) -> Option<Cow<'_, [u8]>> {
        std::fs::read(host_path(path)).ok().map(Cow::Owned)
    }

    fn for_each_path(&self, visit: &mut dyn FnMut(&ImagePath, bool)) {
        self.paths
            .iter()
            .for_each(|(path, is_directory)| visit(path, *is_directory));
    }

    fn is_directory(&self, path: &ImagePath) -> bool {
        let found = std::fs::symlink_metadata(host_path(path));
        found.is_ok_and(|found| found.is_dir())
    }

    fn real_directory(&self, directory: &ImagePath) -> Option<ImagePath> {
        let real = std::fs::canonicalize(host_path(directory)).ok()?;
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(real.as_os_str()).to_vec();
        ImagePath::new(bytes).ok()
    }
}

#[test]
fn as_this_machines_dpkg_answers() {
    let Ok(query) = Command::new("dpkg-query")
        .args(["-W", "-f", "${binary:Package} ${Version} ${Status}\n"])
        .output()
    else {
        eprintln!("skipped: this machine has no dpkg");
        return;
    };
    let host = Host::new();
    let got = scan(&host, &PackageLimits::default());
    let expected = String::from_utf8(query.stdout).unwrap();
    let expected = expected
        .lines()
        .filter(|line| line.ends_with("ok installed"))
        .count();
    let debs = got
        .packages
        .iter()
        .filter(|package| package.kind == PackageKind::Deb)
        .count();
    assert_eq!(debs, expected, "{:?}", got.notes);

    // A sample of paths, judged by `dpkg -S`. It knows paths as they were
    // unpacked, so only what it finds is compared.
    let sample: Vec<&ImagePath> = host
        .paths
        .iter()
        .filter(|(path, is_directory)| !is_directory && path.display().to_string().is_ascii())
        .map(|(path, _)| path)
        .step_by(23)
        .take(400)
        .collect();
    let output = Command::new("dpkg")
        .arg("-S")
        .args(sample.iter().map(|path| host_path(path)))
        .output()
        .unwrap();
    let mut compared = 0;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((owners, path)) = line.split_once(": /") else {
            continue;
        };
        if line.starts_with("diversion ") {
            continue;
        }
        let (owner, _) = got
            .owner(&known(path))
            .unwrap_or_else(|| panic!("{path} has no owner"));
        let names: Vec<_> = owners
            .split(", ")
            .map(|name| name.split(':').next().unwrap())
            .collect();
        assert!(
            names.contains(&owner.name.as_str()),
            "{path}: {names:?} and {}",
            owner.name
        );
        compared += 1;
    }
    assert!(compared > 50, "{compared} paths compared");
}

#[track_caller]
fn check_units(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let got = scan(&Memory::new(files), &PackageLimits::default());
    for (path, expected) in expected {
        let unit = got.unit(&known(path)).map(|at| &got.units()[at]);
        let unit =
            unit.map(|unit| format!("{} {} {}", unit.kind.as_str(), unit.name, unit.version));
        assert_eq!(unit.unwrap_or_default().trim_end(), *expected, "{path}");
    }
    for at in 0..got.units().len() {
        let paths: Vec<_> = got.unit_paths(at).collect();
        assert!(
            paths.is_sorted() && !paths.is_empty(),
            "{:?}",
            got.units()[at]
        );
    }
}

#[test]
fn units_of_system_packages() {
    let status = "Package: libpython3.11-stdlib\nStatus: i ok installed\nVersion: 3.11\n\n\
        Package: git\nStatus: i ok installed\nVersion: 2\n";
    let files = [
        ("var/lib/dpkg/status", status),
        (
            "var/lib/dpkg/info/libpython3.11-stdlib.list",
            "/usr/lib/python3.11\n/usr/lib/python3.11/os.py\n/usr/lib/python3.11/lib-dynload/_ssl.so\n\
             /usr/share/doc/p/x.py\n",
        ),
        (
            "var/lib/dpkg/info/git.list",
            "/usr/bin/git\n/usr/share/perl5/Git.pm\n/usr/share/perl5/Git/LoadCPAN/Mail/Address.pm\n",
        ),
        ("usr/lib/python3.11/os.py", ""),
        ("usr/lib/python3.11/__pycache__/os.cpython-311.pyc", ""),
        ("usr/lib/python3.11/lib-dynload/_ssl.so", ""),
        ("usr/lib/python3.11/sitecustomize.py", ""),
        ("usr/share/doc/p/x.py", ""),
        ("usr/bin/git", ""),
        ("usr/share/perl5/Git.pm", ""),
        ("etc/passwd", ""),
    ];
    let python = "package libpython3.11-stdlib 3.11";
    check_units(
        &files,
        &[
            ("usr/lib/python3.11/os.py", python),
            ("usr/lib/python3.11/__pycache__/os.cpython-311.pyc", python),
            ("usr/lib/python3.11/lib-dynload/_ssl.so", python),
            (
                "usr/lib/python3.11/sitecustomize.py",
                "standard library python 3.11",
            ),
            ("usr/share/doc/p/x.py", ""),
            ("usr/bin/git", ""),
            ("usr/share/perl5/Git.pm", "package git 2"),
            ("etc/passwd", ""),
        ],
    );
    // The whole of it has the program as well.
    let got = scan(&Memory::new(&files), &PackageLimits::default());
    let unit = got.unit(&known("usr/share/perl5/Git.pm")).unwrap();
    assert!(
        got.unit_paths(unit)
            .any(|path| *path == known("usr/bin/git"))
    );
}

#[test]
fn units_of_languages() {
    let site = |name: &str| format!("opt/venv/lib/python3.11/site-packages/{name}");
    let paths = [
        "usr/local/lib/python3.11/os.py",
        "usr/local/lib/python3.11/json/__init__.py",
        "usr/local/lib/python3.11/__pycache__/os.cpython-311.pyc",
        "usr/local/lib/python3.11/site-packages/six.py",
        "usr/local/lib/python3.11/site-packages/__pycache__/six.cpython-311.pyc",
        "usr/local/lib/ruby/3.2.0/json.rb",
        "usr/local/lib/ruby/gems/3.2.0/specifications/default/json-2.6.gemspec",
        "usr/local/lib/ruby/gems/3.2.0/specifications/puma-6.0.gemspec",
        "usr/local/lib/ruby/gems/3.2.0/gems/puma-6.0/lib/puma.rb",
        "usr/local/lib/ruby/gems/3.2.0/extensions/x86_64-linux/3.2.0/puma-6.0/gem.build_complete",
        "usr/local/lib/ruby/gems/3.2.0/extensions/x86_64-linux/3.2.0/puma-6.0/puma_http11.so",
        "usr/local/lib/node_modules/npm/lib/npm.js",
        "usr/local/lib/perl5/5.36.0/strict.pm",
        "usr/local/lib/php/PEAR.php",
        "usr/local/lib/php/extensions/x/xdebug.so",
        "usr/local/lib/R/site-library/jsonlite/R/jsonlite.rdb",
        "app/composer.json",
        "app/public/index.php",
        "app/vendor/autoload.php",
        "app/vendor/composer/installed.json",
        "app/vendor/monolog/monolog/src/Logger.php",
        "app/vendor/monolog/monolog/README.md",
        "srv/lib/app.jar",
        "package.json",
        "index.js",
        "home/me/requirements.txt",
        "home/me/main.py",
    ];
    let (metadata, record) = (
        site("Foo-1.dist-info/METADATA"),
        site("Foo-1.dist-info/RECORD"),
    );
    let (module, cache) = (site("foo/a.py"), site("foo/__pycache__/a.cpython-311.pyc"));
    let (made, other) = (site("foo/made.json"), site("loose/x.py"));
    let npm = "usr/local/lib/node_modules/npm/node_modules/abbrev/package.json";
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
    files.extend([
        (metadata.as_str(), "Name: Foo\nVersion: 1\n"),
        (
            record.as_str(),
            "foo/a.py,,\n../../../bin/foo,,\nFoo-1.dist-info/RECORD,,\n",
        ),
        (module.as_str(), ""),
        (cache.as_str(), ""),
        (made.as_str(), ""),
        (other.as_str(), ""),
        ("opt/venv/bin/foo", ""),
        ("opt/venv/bin/python", ""),
        (npm, "{\"name\":\"abbrev\",\"version\":\"1\"}"),
        (
            "app/node_modules/a/package.json",
            "{\"name\":\"a\",\"version\":\"2\"}",
        ),
        ("app/node_modules/a/lib/a.js", ""),
        ("app/node_modules/.bin/a", ""),
    ]);
    let foo = "Python distribution Foo 1";
    let library = "standard library python 3.11";
    check_units(
        &files,
        &[
            (paths[0], library),
            (paths[1], library),
            (paths[2], library),
            (paths[3], "modules six.py"),
            (paths[4], "modules six.py"),
            (paths[5], "standard library ruby 3.2.0"),
            (paths[6], "standard library ruby 3.2.0"),
            (paths[7], "gem puma 6.0"),
            (paths[8], "gem puma 6.0"),
            (paths[9], "gem puma 6.0"),
            (paths[10], "gem puma 6.0"),
            (paths[11], "standard library npm"),
            (npm, "standard library npm"),
            (paths[12], "standard library perl5"),
            (paths[13], "standard library php"),
            (paths[14], ""),
            (paths[15], "modules jsonlite"),
            (paths[17], "project app"),
            (paths[18], "modules composer"),
            (paths[20], "modules monolog/monolog"),
            (paths[21], "modules monolog/monolog"),
            (paths[22], "jar app"),
            ("index.js", ""),
            ("home/me/main.py", "project me"),
            (&metadata, foo),
            (&record, foo),
            (&module, foo),
            (&cache, foo),
            (&made, foo),
            (&other, "modules loose"),
            ("opt/venv/bin/foo", foo),
            ("opt/venv/bin/python", ""),
            ("app/node_modules/a/lib/a.js", "npm package a 2"),
            ("app/node_modules/.bin/a", ""),
        ],
    );
}

#[track_caller]
fn check_needs(memory: &Memory, expected: &[&str]) {
    let got = scan(memory, &PackageLimits::default());
    let names = |indexes: &[usize]| {
        let label = |at: &usize| {
            let package = &got.packages[*at];
            match &package.architecture {
                Some(architecture) if package.kind == PackageKind::Deb => {
                    format!("{}:{architecture}", package.name)
                }
                _ => package.name.clone(),
            }
        };
        indexes.iter().map(label).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = (0..got.packages.len())
        .map(|at| (at, names(got.dependencies(at)), names(got.recommended(at))))
        .filter(|(_, needs, recommended)| !needs.is_empty() || !recommended.is_empty())
        .map(|(at, needs, recommended)| {
            format!("{}: {needs} | {recommended}", got.packages[at].name)
        })
        .collect();
    assert_eq!(lines, expected, "{:?}", got.notes);
}

#[test]
fn needs_of_debs() {
    let status = "Package: app\nStatus: i ok installed\nVersion: 1\nArchitecture: amd64\n\
        Pre-Depends: libc6 (>= 9)\nDepends: awk, debconf (>= 0.5) | debconf-2.0, gone, app,\n \
        python3:any\nRecommends: libc6, tz | zones\n\n\
        Package: libc6\nStatus: i ok installed\nVersion: 1\nArchitecture: amd64\n\n\
        Package: libc6\nStatus: i ok installed\nVersion: 1\nArchitecture: i386\n\n\
        Package: mawk\nStatus: i ok installed\nVersion: 1\nArchitecture: amd64\nProvides: awk (= 1)\n\n\
        Package: cdebconf\nStatus: i ok installed\nVersion: 1\nArchitecture: amd64\nProvides: debconf-2.0\n\n\
        Package: python3\nStatus: i ok installed\nVersion: 1\nArchitecture: all\n\n\
        Package: zones\nStatus: i ok installed\nVersion: 1\nArchitecture: all\n";
    check_needs(
        &Memory::new(&[("var/lib/dpkg/status", status)]),
        &["app: libc6:amd64 mawk:amd64 cdebconf:amd64 python3:all | zones:all"],
    );
}

#[test]
fn needs_of_apks() {
    let installed = "P:a\nV:1\nD:so:libc.musl-x86_64.so.1 cmd:sh b>=2 !c d~1\n\n\
        P:musl\nV:1\np:so:libc.musl-x86_64.so.1=1\n\nP:busybox\nV:1\np:cmd:sh=1.36-r2 cmd:ls\n\n\
        P:b\nV:2\n\nP:c\nV:1\n\nP:d\nV:1\nD:musl\n\n";
    check_needs(
        &Memory::new(&[("lib/apk/db/installed", installed)]),
        &["a: musl busybox b d | ", "d: musl | "],
    );
}

#[test]
fn needs_of_languages() {
    let mut memory = Memory::new(&[
        (
            "v/site-packages/Foo-1.dist-info/METADATA",
            "Name: Foo\nVersion: 1\nRequires-Dist: bar.x>=1\n\
             Requires-Dist: colorama ; sys_platform == 'win32'\n\
             Requires-Dist: extra-thing ; extra == 'fast'\nRequires-Dist: pytest; extra=='test'\n",
        ),
        (
            "v/site-packages/bar_X-1.dist-info/METADATA",
            "Name: bar_X\nVersion: 1\n",
        ),
        (
            "w/site-packages/bar_X-1.dist-info/METADATA",
            "Name: bar_X\nVersion: 2\n",
        ),
        (
            "v/site-packages/colorama-1.dist-info/METADATA",
            "Name: colorama\nVersion: 1\n",
        ),
        (
            "v/site-packages/Extra_Thing.egg-info/PKG-INFO",
            "Name: Extra-Thing\nVersion: 1\n",
        ),
        (
            "v/site-packages/Extra_Thing.egg-info/requires.txt",
            "bar-x\n\n[:os_name == \"nt\"]\ncolorama\n[docs]\npytest>1\n",
        ),
        (
            "v/site-packages/pytest-1.dist-info/METADATA",
            "Name: pytest\nVersion: 1\n",
        ),
        (
            "app/node_modules/a/package.json",
            "{\"name\":\"a\",\"version\":\"1\",\"dependencies\":{\"b\":\"1\",\"@s/c\":\"1\",\"no\":\"1\"},\
             \"peerDependencies\":[\"odd\"],\"optionalDependencies\":{\"p\":\"1\"},\
             \"devDependencies\":{\"d\":\"1\"}}",
        ),
        (
            "app/node_modules/a/node_modules/b/package.json",
            "{\"name\":\"b\",\"version\":\"2\"}",
        ),
        (
            "app/node_modules/b/package.json",
            "{\"name\":\"b\",\"version\":\"1\"}",
        ),
        (
            "app/node_modules/d/package.json",
            "{\"name\":\"d\",\"version\":\"1\"}",
        ),
        (
            "node_modules/@s/c/package.json",
            "{\"name\":\"@s/c\",\"version\":\"1\"}",
        ),
        (
            "app/.pnpm/p@1/node_modules/p/package.json",
            "{\"name\":\"p\",\"version\":\"1\",\"dependencies\":{\"a\":\"1\"}}",
        ),
        (
            "g/specifications/rails-7.0.gemspec",
            "Gem::Specification.new do |s|\n  s.add_runtime_dependency(%q<rack>.freeze, [\">= 2\"])\n",
        ),
        (
            "g/specifications/rack-2.0.gemspec",
            "s.add_development_dependency(%q<rails>)",
        ),
        ("h/specifications/rack-3.0.gemspec", ""),
    ]);
    memory.links.insert(
        known("app/node_modules/p"),
        known("app/.pnpm/p@1/node_modules/p"),
    );
    check_needs(
        &memory,
        &[
            "Extra-Thing: bar_X | pytest",
            "Foo: Extra-Thing bar_X | pytest",
            "p: a | ",
            "a: p b @s/c | ",
            "rails: rack | ",
        ],
    );
}

#[test]
fn everybody_needs_everybody() {
    let paragraphs: String = (0..1200)
        .map(|at| {
            format!(
                "Package: p{at}\nStatus: i ok installed\nVersion: 1\nProvides: x\nDepends: x\n\n"
            )
        })
        .collect();
    let got = scan(
        &Memory::new(&[("var/lib/dpkg/status", &paragraphs)]),
        &PackageLimits::default(),
    );
    assert_eq!(got.notes.len(), 1, "{:?}", got.notes);
}

#[test]
fn a_link_that_was_a_directory_is_claimed_by_nobody_who_unpacked_below_it() {
    let mut memory = Memory::new(&[
        (
            "var/lib/dpkg/status",
            "Package: apt\nStatus: i ok installed\nVersion: 1\n\n\
             Package: base-files\nStatus: i ok installed\nVersion: 1\n",
        ),
        (
            "var/lib/dpkg/info/apt.list",
            "/.\n/lib\n/lib/systemd\n/lib/systemd/apt\n",
        ),
        ("var/lib/dpkg/info/base-files.list", "/.\n/lib\n"),
        ("lib", ""),
        ("usr/lib/systemd/apt", ""),
    ]);
    memory.links.insert(known("lib"), known("usr/lib"));
    let got = scan(&memory, &PackageLimits::default());
    let owner = |path| {
        got.owner(&known(path))
            .map(|(owner, _)| owner.name.as_str())
    };
    assert_eq!(owner("lib"), Some("base-files"));
    assert_eq!(owner("usr/lib/systemd/apt"), Some("apt"));
}
