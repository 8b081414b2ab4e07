//! Which path is of which class. Rules go by place first and by name only
//! inside a place that says what the name means.

use super::Class;
use crate::installed::{Package, PackageKind, parent_bytes};

/// What lies below these directories is of one class.
const BELOW: [(&str, Class); 60] = [
    ("usr/share/doc", Class::Documentation),
    ("usr/share/man", Class::Documentation),
    ("usr/share/info", Class::Documentation),
    ("usr/share/gtk-doc", Class::Documentation),
    ("usr/share/doc-base", Class::Documentation),
    ("usr/share/lintian", Class::Documentation),
    ("usr/share/linda", Class::Documentation),
    ("usr/share/bug", Class::Documentation),
    ("usr/share/reportbug", Class::Documentation),
    ("usr/share/gnome/help", Class::Documentation),
    ("usr/local/share/doc", Class::Documentation),
    ("usr/local/share/man", Class::Documentation),
    ("usr/local/share/info", Class::Documentation),
    ("usr/local/man", Class::Documentation),
    ("var/cache/man", Class::Documentation),
    ("usr/share/common-licenses", Class::Licence),
    ("usr/share/licenses", Class::Licence),
    ("usr/include", Class::Headers),
    ("usr/local/include", Class::Headers),
    ("usr/share/aclocal", Class::BuildDescriptions),
    ("usr/share/gir-1.0", Class::BuildDescriptions),
    ("usr/share/vala", Class::BuildDescriptions),
    ("usr/lib/cmake", Class::BuildDescriptions),
    ("usr/local/lib/cmake", Class::BuildDescriptions),
    ("usr/lib/debug", Class::DebugSymbols),
    ("usr/share/gdb/auto-load", Class::DebugSymbols),
    ("var/cache/apt", Class::PackageCaches),
    ("var/lib/apt", Class::PackageCaches),
    ("var/cache/debconf", Class::PackageCaches),
    ("var/cache/apk", Class::PackageCaches),
    ("etc/apk/cache", Class::PackageCaches),
    ("var/cache/yum", Class::PackageCaches),
    ("var/cache/dnf", Class::PackageCaches),
    ("var/cache/libdnf5", Class::PackageCaches),
    ("var/cache/zypp", Class::PackageCaches),
    ("var/lib/dnf", Class::PackageCaches),
    ("var/lib/yum", Class::PackageCaches),
    ("etc/apt", Class::PackageCaches),
    ("etc/dpkg", Class::PackageCaches),
    ("etc/yum.repos.d", Class::PackageCaches),
    ("var/lib/dpkg", Class::PackageRecords),
    ("lib/apk/db", Class::PackageRecords),
    ("usr/lib/apk/db", Class::PackageRecords),
    ("var/lib/rpm", Class::PackageRecords),
    ("usr/lib/sysimage/rpm", Class::PackageRecords),
    ("var/lib/alternatives", Class::PackageRecords),
    ("var/backups", Class::Leftovers),
    ("usr/share/bash-completion/completions", Class::Completions),
    ("etc/bash_completion.d", Class::Completions),
    ("usr/share/zsh/vendor-completions", Class::Completions),
    ("usr/share/zsh/site-functions", Class::Completions),
    ("usr/share/fish/vendor_completions.d", Class::Completions),
    ("etc/init.d", Class::Services),
    ("etc/logrotate.d", Class::Services),
    ("usr/share/i18n/charmaps", Class::LocaleSources),
    ("usr/share/i18n/locales", Class::LocaleSources),
    ("boot", Class::Kernel),
    ("lib/firmware", Class::Kernel),
    ("usr/lib/firmware", Class::Kernel),
    ("var/cache/ldconfig", Class::PackageCaches),
];

pub(super) fn class(path: &[u8], owner: Option<&Package>, is_link: bool) -> Option<Class> {
    let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let (&name, directories) = parts.split_last()?;
    let file = File {
        path,
        name,
        directories,
    };
    let system = owner.is_some_and(|owner| owner.kind.is_system());
    // The order matters where one place lies in another.
    file.version_control()
        .or_else(|| file.licence())
        .or_else(|| file.build_cache())
        .or_else(|| file.of_languages())
        .or_else(|| file.below())
        .or_else(|| file.development(owner))
        .or_else(|| file.services())
        // A link in place of a log leads to the container's output.
        .or_else(|| if is_link { None } else { file.left_behind() })
        .filter(|class| match class {
            // What a person put below /usr/include may be anything.
            Class::Headers => system || file.is_header() || is_link,
            _ => true,
        })
}

struct File<'a> {
    path: &'a [u8],
    name: &'a [u8],
    directories: &'a [&'a [u8]],
}

impl File<'_> {
    fn is_below(&self, directory: &str) -> bool {
        self.path
            .strip_prefix(directory.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    fn ends(&self, endings: &[&str]) -> bool {
        endings
            .iter()
            .any(|ending| self.name.ends_with(ending.as_bytes()))
    }

    fn is_in(&self, directories: &[&str]) -> bool {
        let parent = parent_bytes(self.path);
        directories.iter().any(|known| known.as_bytes() == parent)
    }

    /// Where a component is, with at least one below it.
    fn after(&self, component: &str) -> Option<usize> {
        self.directories
            .iter()
            .position(|part| *part == component.as_bytes())
    }

    /// What lies below the last component of this name.
    fn below_last(&self, component: &str) -> Option<&[&[u8]]> {
        let at = self
            .directories
            .iter()
            .rposition(|part| *part == component.as_bytes())?;
        self.directories.get(at + 1..)
    }

    fn has(&self, components: &[&str]) -> bool {
        self.directories.windows(components.len()).any(|window| {
            window
                .iter()
                .zip(components)
                .all(|(part, known)| *part == known.as_bytes())
        })
    }

    fn below(&self) -> Option<Class> {
        let (_, class) = BELOW
            .iter()
            .find(|(directory, _)| self.is_below(directory))?;
        // sysconfig of old Pythons reads the one, Ruby's MJIT the other.
        let is_read = self.name == b"pyconfig.h" || self.name.starts_with(b"rb_mjit_min_header");
        (!is_read).then_some(*class)
    }

    fn is_header(&self) -> bool {
        self.ends(&[
            ".h", ".hh", ".hpp", ".hxx", ".h++", ".inc", ".ipp", ".tcc", ".def",
        ])
    }

    fn licence(&self) -> Option<Class> {
        if self.is_below("usr/share/doc") && self.name == b"copyright" {
            return Some(Class::Licence);
        }
        let in_package = self.after("node_modules").is_some()
            || self.after("gems").is_some()
            || self
                .directories
                .iter()
                .any(|part| part.ends_with(b".dist-info"));
        (in_package && is_licence(self.name)).then_some(Class::Licence)
    }

    fn version_control(&self) -> Option<Class> {
        let known = [".git", ".hg", ".svn", ".bzr", ".github"];
        let is_below = known.iter().any(|known| self.after(known).is_some());
        let files: [&[u8]; 6] = [
            b".git",
            b".gitignore",
            b".gitattributes",
            b".gitmodules",
            b".gitkeep",
            b".hgignore",
        ];
        (is_below || files.contains(&self.name)).then_some(Class::VersionControl)
    }

    fn build_cache(&self) -> Option<Class> {
        const CACHES: [&[&str]; 25] = [
            &[".cache", "pip"],
            &[".cache", "uv"],
            &[".cache", "pypoetry"],
            &[".cache", "pipenv"],
            &[".cache", "go-build"],
            &[".cache", "yarn"],
            &[".cache", "node-gyp"],
            &[".cache", "composer"],
            &[".cache", "ccache"],
            &[".cache", "bazel"],
            &[".cache", "babel-loader"],
            &[".cache", "terser-webpack-plugin"],
            &[".ccache"],
            &[".npm", "_cacache"],
            &[".npm", "_logs"],
            &[".composer", "cache"],
            &[".cargo", "registry"],
            &[".cargo", "git"],
            &["usr", "local", "cargo", "registry"],
            &["go", "pkg", "mod"],
            &[".m2", "repository"],
            &[".gradle", "caches"],
            &[".cpan", "build"],
            &[".cpan", "sources"],
            &[".cpanm", "work"],
        ];
        let gem = self.name.ends_with(b".gem")
            && self.directories.last() == Some(&&b"cache"[..])
            && (self.has(&["gems"]) || self.has(&["bundle"]));
        (gem || CACHES.iter().any(|cache| self.has(cache))).then_some(Class::BuildCaches)
    }

    fn of_languages(&self) -> Option<Class> {
        if self.directories.last() == Some(&&b"__pycache__"[..]) && self.ends(&[".pyc"]) {
            return Some(Class::Bytecode);
        }
        // Debian has its packages of Node there.
        let shared = || match self.directories {
            [b"usr", b"share", b"nodejs", below @ ..] => Some(below),
            _ => None,
        };
        if let Some(below) = self.below_last("node_modules").or_else(shared) {
            return self.npm(below);
        }
        let site = self
            .below_last("site-packages")
            .or_else(|| self.below_last("dist-packages"));
        if let Some([package, below @ ..]) = site {
            let is_safe = SAFE_TESTS.contains(package)
                && below.iter().any(|part| matches!(*part, b"tests" | b"test"));
            return is_safe.then_some(Class::Tests);
        }
        if let Some([_, top, ..]) = self.below_last("gems").filter(|_| self.gem_root()) {
            return matches!(*top, b"test" | b"spec").then_some(Class::Tests);
        }
        let is_perls = |part: &&[u8]| matches!(*part, b"perl" | b"perl5");
        if self.directories.iter().any(is_perls) {
            let is_core = self.directories.last() == Some(&&b"CORE"[..]);
            if self.ends(&[".pod"]) {
                return Some(Class::PerlManual);
            }
            if is_core && self.is_header() {
                return Some(Class::Headers);
            }
        }
        self.python_library()
    }

    /// `gems/NAME-VERSION`, below a gem home: its name has a version.
    fn gem_root(&self) -> bool {
        self.below_last("gems")
            .and_then(|below| below.first())
            .is_some_and(|stem| {
                stem.windows(2)
                    .any(|two| two[0] == b'-' && two[1].is_ascii_digit())
            })
    }

    fn npm(&self, below: &[&[u8]]) -> Option<Class> {
        let inside = match below {
            [scope, _, inside @ ..] if scope.starts_with(b"@") => inside,
            [_, inside @ ..] => inside,
            [] => return None,
        };
        let package = &below[below.len() - inside.len() - 1];
        if self.ends(&[".js.map", ".cjs.map", ".mjs.map", ".css.map", ".d.ts.map"]) {
            return Some(Class::SourceMaps);
        }
        // The compiler's own declare the language.
        if self.ends(&[".d.ts", ".d.mts", ".d.cts"]) && *package != b"typescript" {
            return Some(Class::TypeDeclarations);
        }
        if let Some(class) = self.native_source(inside) {
            return Some(class);
        }
        let test: [&[u8]; 9] = [
            b"test",
            b"tests",
            b"__tests__",
            b"example",
            b"examples",
            b"docs",
            b"benchmark",
            b"benchmarks",
            b"coverage",
        ];
        if inside.first().is_some_and(|top| test.contains(top)) {
            return Some(Class::Tests);
        }
        let upper = self.name.to_ascii_uppercase();
        let stem = upper.split(|&byte| byte == b'.').next()?;
        let is_text = stem.len() == upper.len()
            || [&b".MD"[..], b".MARKDOWN", b".TXT"].contains(&&upper[stem.len()..]);
        let known: [&[u8]; 4] = [b"README", b"CHANGELOG", b"HISTORY", b"CONTRIBUTING"];
        (inside.is_empty() && is_text && known.contains(&stem)).then_some(Class::Documentation)
    }

    /// What node-gyp made a native module of, and what it made on the way.
    fn native_source(&self, inside: &[&[u8]]) -> Option<Class> {
        let is_object = inside.contains(&&b"obj.target"[..]) || self.ends(&[".o", ".a"]);
        if is_object {
            return Some(Class::StaticLibraries);
        }
        if self.ends(&[".h", ".hh", ".hpp"]) {
            return Some(Class::Headers);
        }
        let is_source = self.ends(&[".c", ".cc", ".cpp", ".cxx", ".gyp", ".gypi"]);
        is_source.then_some(Class::BuildDescriptions)
    }

    /// What Python's own library has and distributions ship apart.
    fn python_library(&self) -> Option<Class> {
        let at = self.directories.windows(2).position(|two| {
            matches!(two[0], b"lib" | b"lib64")
                && two[1]
                    .strip_prefix(b"python")
                    .is_some_and(|version| version.first().is_some_and(u8::is_ascii_digit))
        })?;
        let inside = self.directories.get(at + 2..)?;
        let is_test = matches!(
            inside,
            [b"test", ..]
                | [b"idlelib", b"idle_test", ..]
                | [
                    b"unittest" | b"ctypes" | b"sqlite3" | b"tkinter",
                    b"test",
                    ..
                ]
                | [b"distutils" | b"lib2to3", b"tests", ..]
        );
        let is_test = is_test
            || matches!(inside, [b"lib-dynload"])
                && ["_test", "_ctypes_test", "_xxtest"]
                    .iter()
                    .any(|start| self.name.starts_with(start.as_bytes()));
        if is_test {
            return Some(Class::Tests);
        }
        let is_tool = matches!(inside, [b"idlelib" | b"lib2to3" | b"turtledemo", ..]);
        is_tool.then_some(Class::PythonTools)
    }

    fn development(&self, owner: Option<&Package>) -> Option<Class> {
        let in_library = self.is_in(&["lib", "usr/lib", "usr/local/lib", "lib64", "usr/lib64"])
            || matches!(self.directories, [b"lib", triplet] | [b"usr", b"lib", triplet]
                if is_triplet(triplet));
        let gcc = self.is_below("usr/lib/gcc") || self.is_below("usr/lib/gcc-cross");
        let is_library = self.name.starts_with(b"lib") && self.ends(&[".a"]);
        let python = self
            .directories
            .last()
            .is_some_and(|part| part.starts_with(b"config-3"));
        if is_library && (in_library || gcc || python) {
            return Some(Class::StaticLibraries);
        }
        if (in_library || gcc) && self.ends(&[".o"]) && contains(self.name, b"crt") {
            return Some(Class::StaticLibraries);
        }
        // Beside loadable modules they are the modules' list.
        if in_library && self.ends(&[".la"]) {
            return Some(Class::BuildDescriptions);
        }
        if self.directories.last() == Some(&&b"pkgconfig"[..]) && self.ends(&[".pc"]) {
            return Some(Class::BuildDescriptions);
        }
        if matches!(self.directories, [b"usr", b"lib", triplet, b"cmake", ..] if is_triplet(triplet))
        {
            return Some(Class::BuildDescriptions);
        }
        let develops = owner.is_some_and(|owner| {
            owner.kind.is_system()
                && match owner.kind {
                    PackageKind::Rpm => owner.name.ends_with("-devel"),
                    _ => owner.name.ends_with("-dev"),
                }
        });
        if develops && self.ends(&[".h", ".hh", ".hpp", ".hxx"]) {
            return Some(Class::Headers);
        }
        if self.directories.last() == Some(&&b".debug"[..]) {
            return Some(Class::DebugSymbols);
        }
        let is_java = (self.directories.last() == Some(&&b"jmods"[..]) && self.ends(&[".jmod"]))
            || (self.directories.last() == Some(&&b"lib"[..])
                && matches!(self.name, b"src.zip" | b"ct.sym"));
        if is_java {
            return Some(Class::JavaDevelopment);
        }
        let versioned = |below: &str| {
            self.path
                .strip_prefix(below.as_bytes())
                .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        };
        let is_kernel = versioned("lib/modules/")
            || versioned("usr/lib/modules/")
            || versioned("usr/src/linux-headers-");
        is_kernel.then_some(Class::Kernel)
    }

    fn services(&self) -> Option<Class> {
        let runlevel = matches!(self.directories, [b"etc", level]
            if level.starts_with(b"rc") && level.ends_with(b".d"));
        let cron = matches!(
            self.directories,
            [
                b"etc",
                b"cron.d"
                    | b"cron.daily"
                    | b"cron.hourly"
                    | b"cron.weekly"
                    | b"cron.monthly"
                    | b"cron.yearly"
            ]
        ) || matches!(
            self.path,
            b"etc/crontab" | b"etc/anacrontab" | b"etc/logrotate.conf"
        );
        let systemd = ["lib/systemd", "usr/lib/systemd", "etc/systemd"]
            .iter()
            .any(|directory| self.is_below(directory));
        let is_unit = systemd
            && self.ends(&[
                ".service",
                ".socket",
                ".target",
                ".timer",
                ".mount",
                ".path",
                ".slice",
                ".automount",
                ".swap",
                ".link",
                ".network",
                ".netdev",
                ".preset",
                ".conf",
            ]);
        let others = [
            "lib/tmpfiles.d",
            "lib/sysusers.d",
            "lib/udev/rules.d",
            "lib/modprobe.d",
        ];
        let is_other = others.iter().any(|directory| {
            self.is_below(directory) || self.is_below(&format!("usr/{directory}"))
        });
        (runlevel || cron || is_unit || is_other).then_some(Class::Services)
    }

    fn left_behind(&self) -> Option<Class> {
        if self.is_below("var/log") {
            return Some(Class::Logs);
        }
        let accounts: [&[u8]; 6] = [
            b"passwd-",
            b"group-",
            b"shadow-",
            b"gshadow-",
            b"subuid-",
            b"subgid-",
        ];
        let hidden = self.name.starts_with(b".");
        let editor = self.ends(&["~"])
            || (hidden && self.ends(&[".swp", ".swo"]))
            || (self.name.len() > 2 && self.name.starts_with(b"#") && self.name.ends_with(b"#"))
            || matches!(self.name, b".DS_Store" | b"Thumbs.db");
        let installer = self.is_below("etc")
            && (self.ends(&[
                ".dpkg-old",
                ".dpkg-dist",
                ".dpkg-new",
                ".dpkg-bak",
                ".ucf-old",
                ".ucf-dist",
                ".rpmsave",
                ".rpmorig",
                ".rpmnew",
                ".apk-new",
            ]) || (self.directories.len() == 1 && accounts.contains(&self.name)));
        (self.is_below("tmp") || self.is_below("var/tmp") || editor || installer)
            .then_some(Class::Leftovers)
    }
}

/// Python packages whose tests nothing but a test runner imports. Others do so
/// on import (`astropy.tests.runner`), so a name alone says nothing.
const SAFE_TESTS: [&[u8]; 17] = [
    b"pandas",
    b"numpy",
    b"scipy",
    b"matplotlib",
    b"mpl_toolkits",
    b"sklearn",
    b"psutil",
    b"setuptools",
    b"sympy",
    b"networkx",
    b"pyarrow",
    b"joblib",
    b"h5py",
    b"tornado",
    b"greenlet",
    b"gevent",
    b"nltk",
];

/// A licence text by its name, as packages of languages have it.
pub(crate) fn is_licence(name: &[u8]) -> bool {
    let upper = name.to_ascii_uppercase();
    let known: [&[u8]; 7] = [
        b"LICENSE",
        b"LICENCE",
        b"COPYING",
        b"NOTICE",
        b"COPYRIGHT",
        b"MIT-LICENSE",
        b"UNLICENSE",
    ];
    known.iter().any(|known| {
        upper.strip_prefix(*known).is_some_and(|rest| {
            matches!(rest, b"" | b".MD" | b".TXT" | b".RST" | b".MARKDOWN")
                || (rest.first() == Some(&b'-') && !rest.contains(&b'.'))
        })
    })
}

fn is_triplet(name: &[u8]) -> bool {
    contains(name, b"-linux-")
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use jettison_image::ImagePath;

    use super::super::{Class, class};

    #[test]
    fn classes() {
        use Class::*;
        for (path, expected) in [
            ("usr/share/doc/bash/README.gz", Some(Documentation)),
            ("usr/share/doc/bash/copyright", Some(Licence)),
            ("usr/share/docs/x", None),
            ("usr/share/man/de/man1/ls.1.gz", Some(Documentation)),
            ("usr/share/zoneinfo/UTC", None),
            ("usr/share/mime/globs2", None),
            ("usr/share/locale/de/LC_MESSAGES/x.mo", None),
            ("usr/share/perl/5.36.0/pod/perldiag.pod", Some(PerlManual)),
            ("app/perldiag.pod", None),
            (
                "usr/lib/x86_64-linux-gnu/perl/5.36.0/CORE/perl.h",
                Some(Headers),
            ),
            ("usr/lib/x86_64-linux-gnu/perl/5.36.0/CORE/libperl.so", None),
            (
                "app/node_modules/sql/deps/sqlite3.c",
                Some(BuildDescriptions),
            ),
            (
                "app/node_modules/sql/build/Release/obj.target/x.d",
                Some(StaticLibraries),
            ),
            ("app/node_modules/sql/build/Release/sql.node", None),
            (
                "usr/share/nodejs/@types/node/fs.d.ts",
                Some(TypeDeclarations),
            ),
            ("usr/share/nodejs/sql/x.js", None),
            (
                "usr/lib/python3.11/lib-dynload/_testcapi.cpython-311.so",
                Some(Tests),
            ),
            ("usr/lib/python3.11/lib-dynload/_json.cpython-311.so", None),
            ("usr/local/lib/python3.11/idlelib/run.py", Some(PythonTools)),
            ("app/idlelib/run.py", None),
            ("usr/include/stdio.h", Some(Headers)),
            ("usr/include/python2.7/pyconfig.h", None),
            ("usr/include/data.bin", None),
            ("opt/cuda/include/cuda_fp16.h", None),
            ("usr/lib/x86_64-linux-gnu/libc.a", Some(StaticLibraries)),
            ("usr/lib/x86_64-linux-gnu/crt1.o", Some(StaticLibraries)),
            ("usr/lib/x86_64-linux-gnu/foo.o", None),
            ("usr/lib/bpf/probe.o", None),
            ("usr/local/go/pkg/linux_amd64/libx.a", None),
            (
                "usr/local/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a",
                Some(StaticLibraries),
            ),
            (
                "usr/local/lib/python3.11/config-3.11-x86_64-linux-gnu/Makefile",
                None,
            ),
            (
                "usr/lib/x86_64-linux-gnu/libfoo.la",
                Some(BuildDescriptions),
            ),
            (
                "usr/lib/x86_64-linux-gnu/ImageMagick-6.9.11/modules-Q16/coders/png.la",
                None,
            ),
            (
                "usr/lib/x86_64-linux-gnu/pkgconfig/x.pc",
                Some(BuildDescriptions),
            ),
            (
                "usr/lib/x86_64-linux-gnu/cmake/X/X.cmake",
                Some(BuildDescriptions),
            ),
            ("usr/lib/debug/.build-id/aa/bb.debug", Some(DebugSymbols)),
            ("opt/java/jmods/java.base.jmod", Some(JavaDevelopment)),
            ("opt/java/lib/modules", None),
            ("var/lib/apt/lists/x_Packages", Some(PackageCaches)),
            ("var/lib/dpkg/info/bash.postinst", Some(PackageRecords)),
            ("root/.cache/pip/http/a", Some(BuildCaches)),
            ("root/.cache/huggingface/model.bin", None),
            ("root/.cache/ms-playwright/chrome", None),
            ("app/.yarn/cache/left-pad.zip", None),
            ("root/.nuget/packages/a/a.dll", None),
            ("go/pkg/mod/a@v1/a.go", Some(BuildCaches)),
            ("usr/local/bundle/cache/rack-2.0.gem", Some(BuildCaches)),
            ("app/cache/x.gem", None),
            ("var/log/dpkg.log", Some(Logs)),
            ("tmp/x", Some(Leftovers)),
            ("run/x.pid", None),
            ("etc/passwd-", Some(Leftovers)),
            ("etc/passwd", None),
            ("app/main.py~", Some(Leftovers)),
            ("app/.git/objects/aa", Some(VersionControl)),
            ("srv/repo.git/objects/aa", None),
            ("app/.gitignore", Some(VersionControl)),
            ("usr/local/lib/python3.11/test/test_os.py", Some(Tests)),
            ("usr/local/lib/python3.11/unittest/case.py", None),
            (
                "v/lib/python3.11/site-packages/numpy/core/tests/test_x.py",
                Some(Tests),
            ),
            (
                "v/lib/python3.11/site-packages/numpy/testing/__init__.py",
                None,
            ),
            (
                "v/lib/python3.11/site-packages/astropy/tests/runner.py",
                None,
            ),
            (
                "v/lib/python3.11/site-packages/skimage/io/__init__.pyi",
                None,
            ),
            ("v/lib/python3.11/site-packages/test/x.py", None),
            ("app/node_modules/a/test/x.js", Some(Tests)),
            ("app/node_modules/test/index.js", None),
            ("app/node_modules/@s/a/docs/x.md", Some(Tests)),
            ("app/node_modules/yaml/dist/doc/Document.js", None),
            ("app/node_modules/a/dist/a.js.map", Some(SourceMaps)),
            ("app/public/a.js.map", None),
            ("app/node_modules/a/a.d.ts", Some(TypeDeclarations)),
            ("app/node_modules/typescript/lib/lib.d.ts", None),
            ("app/node_modules/a/README.md", Some(Documentation)),
            ("app/node_modules/a/views/README.md", None),
            ("app/node_modules/a/LICENSE", Some(Licence)),
            ("app/node_modules/a/license.js", None),
            ("app/node_modules/a/copying-machine.js", None),
            ("g/gems/rack-2.0/spec/x_spec.rb", Some(Tests)),
            ("g/gems/rack-2.0/lib/spec/x.rb", None),
            ("app/gems/mine/spec/x.rb", None),
            ("app/__pycache__/a.cpython-311.pyc", Some(Bytecode)),
            ("etc/bash_completion.d/git", Some(Completions)),
            ("etc/init.d/nginx", Some(Services)),
            ("etc/rc3.d/S01nginx", Some(Services)),
            ("etc/cron.daily/apt", Some(Services)),
            ("usr/lib/systemd/system/nginx.service", Some(Services)),
            ("usr/lib/systemd/systemd", None),
            ("usr/share/i18n/locales/de_DE", Some(LocaleSources)),
            ("usr/lib/locale/C.utf8/LC_CTYPE", None),
            ("boot/vmlinuz", Some(Kernel)),
            ("usr/lib/modules/6.1.0/kernel/x.ko", Some(Kernel)),
            ("usr/lib/nginx/modules/x.so", None),
            ("usr/src/app/index.js", None),
            ("usr/bin/ls", None),
            ("", None),
        ] {
            let path = ImagePath::new(path).unwrap();
            assert_eq!(class(&path, None, false), expected, "{}", path.display());
        }
        let log = ImagePath::new("var/log/nginx/access.log").unwrap();
        assert_eq!(class(&log, None, true), None);
    }

    #[test]
    fn every_class_is_described_once() {
        for (at, class) in Class::ALL.iter().enumerate() {
            assert_eq!(*class as usize, at);
            assert!(!class.name().is_empty() && !class.why().is_empty());
            assert!(!class.needed_by().is_empty());
        }
        assert!(Class::Headers.is_user(b"clang-14"));
        assert!(Class::Headers.is_user(b"libnvrtc.so.12"));
        assert!(!Class::Headers.is_user(b"cc1-notes"));
        assert!(Class::Documentation.is_user(b"man"));
        assert!(!Class::Documentation.is_user(b"mango"));
    }
}
