//! Selections from images in memory: what stays, why, and what goes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jettison_image::{
    Budget, Entry, EntryKind, Error, FileContents, ImagePath, LayerIndex, LayerIndexBuilder,
    Limits, Metadata, Node, RunConfig, Tree,
};
use jettison_packages::PackageLimits;
use jettison_packages::installed::{TreeFiles, scan};
use jettison_plan::{FilePath, Grain, Plan, ReasonKind, Subject, Touch, Trace};
use jettison_select::{Command, Facts, Memory, select};

/// What differs between the tests.
#[derive(Default)]
struct Case<'a> {
    files: &'a [(&'a str, &'a str)],
    /// The files of a layer above.
    above: &'a [(&'a str, &'a str)],
    is_told: bool,
    argv: &'a [&'a str],
    traces: &'a [(&'a str, Touch)],
    misses: &'a [&'a str],
    keep: &'a [&'a str],
    drop: &'a [&'a str],
}

struct Files(HashMap<ImagePath, Vec<u8>>);

impl FileContents for Files {
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error> {
        let data = self.0.get(&file.path()).map_or(&[][..], Vec::as_slice);
        Ok(Cow::Borrowed(&data[..data.len().min(most as usize)]))
    }
}

fn layer(files: &[(&str, &str)], contents: &mut HashMap<ImagePath, Vec<u8>>) -> LayerIndex {
    let limits = Limits::default();
    let mut builder = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
    for (ordinal, (path, data)) in files.iter().enumerate() {
        let (name, kind) = match path.split_once(" -> ") {
            Some((name, target)) => {
                let target = target.as_bytes().to_vec();
                (name, EntryKind::Symlink { target })
            }
            None if path.ends_with('/') => (*path, EntryKind::Directory),
            None => {
                let size_bytes = data.len() as u64;
                (*path, EntryKind::File { size_bytes })
            }
        };
        let metadata = Metadata {
            mode: 0o755,
            ..Metadata::default()
        };
        let path = ImagePath::new(name).expect("a path of the test");
        contents.insert(path.clone(), data.as_bytes().to_vec());
        let entry = Entry {
            path,
            kind,
            metadata,
        };
        let pushed = builder.push(&entry, ordinal as u32, None);
        pushed.expect("an entry of the test");
    }
    builder.finish()
}

impl Case<'_> {
    fn plan(&self) -> Plan {
        let limits = Limits::default();
        let mut contents = HashMap::new();
        let layers = [self.files, self.above]
            .into_iter()
            .filter(|files| !files.is_empty())
            .map(|files| Arc::new(layer(files, &mut contents)));
        let tree = Tree::merge(layers.collect(), &limits).expect("a tree of the test");
        let databases = TreeFiles {
            tree: &tree,
            contents: &contents.clone(),
        };
        let installed = scan(&databases, &PackageLimits::default());
        let mut trace = Trace::default();
        for (path, touch) in self.traces {
            trace.touch(FilePath::new(path), *touch);
        }
        let wishes = |words: &[&str]| -> Vec<_> {
            let words = words.iter();
            words.map(|word| word.parse().expect("a wish")).collect()
        };
        let misses = self.misses.iter();
        let selection = select(&Facts {
            subject: Subject {
                manifest: "sha256:0".to_owned(),
                platform: "linux/amd64".to_owned(),
            },
            tree: &tree,
            contents: &Files(contents.clone()),
            run: &RunConfig::default(),
            environment: &BTreeMap::new(),
            working_directory: &ImagePath::root(),
            installed: &installed,
            databases: &databases,
            commands: &[Command {
                label: "CMD".to_owned(),
                argv: self.argv.iter().map(|&word| word.to_owned()).collect(),
            }],
            traces: &[("GET /".to_owned(), trace)],
            is_told: self.is_told,
            misses: &misses
                .map(|path| ("GET /".to_owned(), FilePath::new(path)))
                .collect::<Vec<_>>(),
            grain: Grain::Auto,
            keep: &wishes(self.keep),
            drop: &wishes(self.drop),
            memory: &Memory::default(),
        });
        let kept = selection.keep.iter().filter(|kept| **kept).count();
        assert_eq!(kept, selection.plan.kept.len(), "set and plan agree");
        selection.plan
    }
}

#[track_caller]
fn kept(plan: &Plan, path: &str) -> ReasonKind {
    let found = plan.find(&FilePath::new(path));
    found.unwrap_or_else(|| panic!("{path} went")).reason.kind
}

#[track_caller]
fn went(plan: &Plan, path: &str) {
    let found = plan.find(&FilePath::new(path));
    assert!(found.is_none(), "{path} stayed: {found:?}");
}

const SYSTEM: &[(&str, &str)] = &[
    ("bin -> usr/bin", ""),
    ("usr/bin/sh", "\x7fELF"),
    ("usr/bin/gunzip", "\x7fELF"),
    ("usr/bin/vi", "\x7fELF"),
    ("usr/share/doc/vi/README", "text"),
    (
        "entry.sh",
        "#!/bin/sh\ncase $1 in *.gz) gunzip -c $1;; esac\n",
    ),
    ("srv/releases/7/page.html", "page"),
    ("srv/current -> releases/7", ""),
    ("etc/codecs/a.codec", "a"),
    ("etc/codecs/b.codec", "b"),
    ("etc/codecs/notes.txt", "n"),
];

fn system<'a>() -> Case<'a> {
    Case {
        files: SYSTEM,
        argv: &["/entry.sh"],
        ..Case::default()
    }
}

#[test]
fn branches_that_are_not_taken_stay() {
    let plan = system().plan();
    assert_eq!(kept(&plan, "entry.sh"), ReasonKind::Started);
    assert_eq!(kept(&plan, "usr/bin/gunzip"), ReasonKind::Needed);
    kept(&plan, "bin");
    kept(&plan, "usr/bin/sh");
    went(&plan, "usr/bin/vi");
    went(&plan, "usr/share/doc/vi/README");
    let chain = plan.chain(&FilePath::new("usr/bin/gunzip"));
    assert_eq!(
        chain.last().map(|kept| kept.reason.kind),
        Some(ReasonKind::Started)
    );
    let dropped: u64 = plan.dropped.iter().map(|group| group.files).sum();
    let kept_files = SYSTEM.iter().filter(|(path, _)| {
        let is_file = !path.contains(" -> ");
        is_file && plan.find(&FilePath::new(path)).is_some()
    });
    let files = SYSTEM.iter().filter(|(path, _)| !path.contains(" -> "));
    assert_eq!(dropped as usize + kept_files.count(), files.count());
}

#[test]
fn what_a_probe_touched_stays_with_the_way_to_it() {
    let case = Case {
        traces: &[
            ("srv/current", Touch::LINK),
            ("srv/releases/7/page.html", Touch::OPENED),
            ("etc/codecs/a.codec", Touch::OPENED),
            ("etc/none/at-all", Touch::MISSING),
        ],
        ..system()
    };
    let plan = case.plan();
    assert_eq!(kept(&plan, "srv/releases/7/page.html"), ReasonKind::Traced);
    kept(&plan, "srv/current");
    // A name that stands nowhere was computed: its siblings are of its kind.
    assert_eq!(kept(&plan, "etc/codecs/b.codec"), ReasonKind::Family);
    went(&plan, "etc/codecs/notes.txt");
    let listed = Case {
        traces: &[("etc/codecs", Touch::LISTED)],
        ..system()
    };
    assert_eq!(
        kept(&listed.plan(), "etc/codecs/notes.txt"),
        ReasonKind::Family
    );
}

/// Data that serves any machine is of one purpose in a directory: templates of
/// many formats bear many endings.
#[test]
fn data_of_one_purpose_stays_together() {
    let large = " ".repeat(9 << 20);
    let files = [
        SYSTEM,
        &[
            ("usr/share/convert/templates/default.html", "h"),
            ("usr/share/convert/templates/default.epub", "e"),
            ("usr/share/other/a.tab", "a"),
            ("usr/share/other/b.tab", "b"),
            ("usr/share/other/c.dat", &large),
        ],
    ]
    .concat();
    let plan = Case {
        files: &files,
        argv: &["/usr/bin/vi"],
        traces: &[
            ("usr/share/convert/templates/default.html", Touch::OPENED),
            ("usr/share/other/a.tab", Touch::OPENED),
        ],
        is_told: true,
        ..Case::default()
    }
    .plan();
    kept(&plan, "usr/share/convert/templates/default.epub");
    kept(&plan, "usr/share/other/b.tab");
    went(&plan, "usr/share/other/c.dat");
}

#[test]
fn a_person_has_the_last_word() {
    let case = Case {
        keep: &["/usr/bin/vi", "/etc/codecs/*.txt"],
        drop: &["/usr/bin/gunzip"],
        ..system()
    };
    let plan = case.plan();
    assert_eq!(kept(&plan, "usr/bin/vi"), ReasonKind::Asked);
    assert_eq!(kept(&plan, "etc/codecs/notes.txt"), ReasonKind::Asked);
    went(&plan, "usr/bin/gunzip");
    assert!(
        plan.dropped
            .iter()
            .any(|group| group.class == "dropped on request")
    );
}

#[test]
fn what_was_missed_comes_back() {
    let case = Case {
        misses: &["etc/codecs/b.codec"],
        ..system()
    };
    assert_eq!(kept(&case.plan(), "etc/codecs/b.codec"), ReasonKind::Missed);
    went(&system().plan(), "etc/codecs/b.codec");
}

#[test]
fn other_names_of_what_stays_stay() {
    let case = Case {
        above: &[
            ("usr/bin/zcat -> gunzip", ""),
            ("usr/bin/gzcat -> /etc/alternatives/gzcat", ""),
            ("etc/alternatives/gzcat -> /usr/bin/gunzip", ""),
            ("usr/bin/view -> vi", ""),
        ],
        ..system()
    };
    let plan = case.plan();
    assert_eq!(kept(&plan, "usr/bin/zcat"), ReasonKind::Needed);
    kept(&plan, "usr/bin/gzcat");
    kept(&plan, "etc/alternatives/gzcat");
    went(&plan, "usr/bin/view");
}

#[test]
fn what_was_installed_by_name_stays() {
    const ABOVE: &[(&str, &str)] = &[
        (
            "var/lib/dpkg/status",
            "Package: base-files\nStatus: install ok installed\nVersion: 12\nSection: admin\n\n\
             Package: curl\nStatus: install ok installed\nVersion: 7\nSection: web\nDepends: libcurl4\n\n\
             Package: libcurl4\nStatus: install ok installed\nVersion: 7\nSection: libs\n\n\
             Package: libpango\nStatus: install ok installed\nVersion: 1\nSection: libs\nDepends: libharfbuzz\n\n\
             Package: libharfbuzz\nStatus: install ok installed\nVersion: 1\nSection: libs\n\n\
             Package: libpango-dev\nStatus: install ok installed\nVersion: 1\nSection: libdevel\nDepends: libpango\n\n\
             Package: gcc\nStatus: install ok installed\nVersion: 12\nSection: devel\n\n\
             Package: ftp\nStatus: install ok installed\nVersion: 1\nSection: net\n",
        ),
        (
            "var/lib/apt/extended_states",
            "Package: libcurl4\nAuto-Installed: 1\n\nPackage: ftp\nAuto-Installed: 1\n",
        ),
        ("var/lib/dpkg/info/curl.list", "/usr/bin/curl\n"),
        ("var/lib/dpkg/info/libcurl4.list", "/usr/lib/libcurl.so.4\n"),
        (
            "var/lib/dpkg/info/libpango.list",
            "/usr/lib/libpango.so.0\n",
        ),
        (
            "var/lib/dpkg/info/libharfbuzz.list",
            "/usr/lib/libharfbuzz.so.0\n",
        ),
        (
            "var/lib/dpkg/info/libpango-dev.list",
            "/usr/include/pango.h\n",
        ),
        ("usr/lib/libpango.so.0", "\x7fELF"),
        ("usr/lib/libharfbuzz.so.0", "\x7fELF"),
        ("usr/include/pango.h", ""),
        ("var/lib/dpkg/info/gcc.list", "/usr/bin/gcc\n"),
        ("var/lib/dpkg/info/ftp.list", "/usr/bin/ftp\n"),
        ("usr/bin/curl", "\x7fELF"),
        ("usr/lib/libcurl.so.4", "\x7fELF"),
        ("usr/bin/gcc", "\x7fELF"),
        ("usr/bin/ftp", "\x7fELF"),
    ];
    let base = [
        SYSTEM,
        &[
            ("var/lib/dpkg/info/base-files.list", "/etc/issue\n"),
            ("etc/issue", "12"),
        ],
    ]
    .concat();
    let case = |is_told, above| Case {
        files: &base,
        above,
        is_told,
        argv: &["/entry.sh"],
        ..Case::default()
    };
    let plan = case(false, ABOVE).plan();
    assert_eq!(kept(&plan, "usr/bin/curl"), ReasonKind::Package);
    kept(&plan, "usr/lib/libcurl.so.4");
    // A library that nothing but what builds depends on is opened by somebody.
    kept(&plan, "usr/lib/libpango.so.0");
    kept(&plan, "usr/lib/libharfbuzz.so.0");
    went(&plan, "usr/include/pango.h");
    went(&plan, "usr/bin/gcc");
    went(&plan, "usr/bin/ftp");
    // Where somebody says what is asked, only what is small, and no more than itself.
    let plan = case(true, ABOVE).plan();
    kept(&plan, "usr/bin/curl");
    went(&plan, "usr/lib/libcurl.so.4");
    let large = "\x7fELF".to_owned() + &" ".repeat(3 << 20);
    let above: Vec<_> = ABOVE
        .iter()
        .map(|&(path, data)| {
            (
                path,
                if path == "usr/bin/curl" {
                    large.as_str()
                } else {
                    data
                },
            )
        })
        .collect();
    went(&case(true, &above).plan(), "usr/bin/curl");
    kept(&case(false, &above).plan(), "usr/bin/curl");
}

/// Without hints: what came in layers without packages is a person's, wherever
/// it lies; its scripts may be called, and a shell's command lines are unknown.
#[test]
fn what_a_person_put_there_stays() {
    let base = [
        SYSTEM,
        &[
            (
                "var/lib/dpkg/status",
                "Package: coreutils\nStatus: install ok installed\nVersion: 9\nSection: utils\n\n\
                 Package: base-files\nStatus: install ok installed\nVersion: 12\nSection: admin\n",
            ),
            ("var/lib/dpkg/info/base-files.list", "/etc/issue\n"),
            (
                "var/lib/dpkg/info/coreutils.list",
                "/usr/bin/tac\n/usr/lib/coreutils/one.so\n",
            ),
            ("usr/bin/tac", "\x7fELF"),
            ("usr/lib/coreutils/one.so", "\x7fELF"),
            ("usr/lib/coreutils/made-by-a-script", "registry"),
            ("etc/issue", "12"),
            ("etc/made-by-a-script", "x"),
            ("var/lib/made-by-a-script", "x"),
        ],
    ]
    .concat();
    const ABOVE: &[(&str, &str)] = &[
        ("etc/logrotate.d/app", "/var/log/app.log {\n}\n"),
        ("var/www/pages/one.tpl", "page"),
        ("usr/share/shop/two.html", "page"),
        ("opt/app/report", "#!/bin/sh\nvi \"$1\"\n"),
        ("var/cache/app/left", "x"),
        ("tmp/left", "x"),
    ];
    let case = |is_told| Case {
        files: &base,
        above: ABOVE,
        is_told,
        argv: &["/entry.sh"],
        ..Case::default()
    };
    let plan = case(false).plan();
    for path in [
        "etc/logrotate.d/app",
        "var/www/pages/one.tpl",
        "usr/share/shop/two.html",
        "opt/app/report",
        "usr/bin/vi",
        "usr/bin/tac",
        "usr/lib/coreutils/made-by-a-script",
    ] {
        kept(&plan, path);
    }
    for path in [
        "etc/made-by-a-script",
        "var/lib/made-by-a-script",
        "var/cache/app/left",
        "tmp/left",
    ] {
        went(&plan, path);
    }
    let told = case(true).plan();
    kept(&told, "var/www/pages/one.tpl");
    went(&told, "usr/bin/tac");
    went(&told, "usr/bin/vi");
}

#[test]
fn compiled_modules_go_with_their_source() {
    const LIBRARY: &[(&str, &str)] = &[
        ("usr/local/bin/python3.11", "\x7fELF"),
        ("usr/local/lib/python3.11/os.py", "import abc\n"),
        ("usr/local/lib/python3.11/abc.py", ""),
        ("usr/local/lib/python3.11/wave.py", ""),
        (
            "usr/local/lib/python3.11/__pycache__/wave.cpython-311.pyc",
            "c",
        ),
        (
            "usr/local/lib/python3.11/__pycache__/wave.cpython-311.opt-1.pyc",
            "c",
        ),
        ("usr/local/lib/python3.11/idlelib/run.py", ""),
        (
            "usr/local/lib/python3.11/idlelib/__pycache__/run.cpython-311.pyc",
            "c",
        ),
    ];
    let case = Case {
        files: LIBRARY,
        argv: &["/usr/local/bin/python3.11"],
        traces: &[("usr/local/lib/python3.11/os.py", Touch::OPENED)],
        ..Case::default()
    };
    let plan = case.plan();
    kept(&plan, "usr/local/lib/python3.11/wave.py");
    kept(
        &plan,
        "usr/local/lib/python3.11/__pycache__/wave.cpython-311.pyc",
    );
    for gone in [
        "__pycache__/wave.cpython-311.opt-1.pyc",
        "idlelib/run.py",
        "idlelib/__pycache__/run.cpython-311.pyc",
    ] {
        went(&plan, &format!("usr/local/lib/python3.11/{gone}"));
    }
}

#[test]
fn installers_come_file_by_file_where_probes_tell() {
    const SITE: &[(&str, &str)] = &[
        (
            "v/lib/python3.11/site-packages/pip/__init__.py",
            "import os\n",
        ),
        ("v/lib/python3.11/site-packages/pip/__main__.py", ""),
        (
            "v/lib/python3.11/site-packages/pip-23.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: pip\nVersion: 23.2\n",
        ),
        (
            "v/lib/python3.11/site-packages/pip-23.2.dist-info/RECORD",
            "pip/__init__.py,,\npip/__main__.py,,\npip-23.2.dist-info/METADATA,,\npip-23.2.dist-info/RECORD,,\n",
        ),
    ];
    let case = |is_told| Case {
        files: SITE,
        above: SYSTEM,
        is_told,
        argv: &["/entry.sh"],
        traces: &[(
            "v/lib/python3.11/site-packages/pip/__init__.py",
            Touch::OPENED,
        )],
        ..Case::default()
    };
    kept(
        &case(false).plan(),
        "v/lib/python3.11/site-packages/pip/__main__.py",
    );
    let told = case(true).plan();
    kept(&told, "v/lib/python3.11/site-packages/pip/__init__.py");
    went(&told, "v/lib/python3.11/site-packages/pip/__main__.py");
}
