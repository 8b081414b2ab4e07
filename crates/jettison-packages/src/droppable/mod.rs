//! Files that may go when the unit or the package that they belong to is kept
//! whole: the one documented table behind the verdict *whole*.
//!
//! A class is there only when no program reads its files in the course of its
//! work, or when those that do are known by name ([`Class::is_user`]): while
//! such a program stays, its class does not go. What a probe touched, or a
//! program names, stays whatever its class. Left out on purpose: message
//! catalogues, time zones, MIME types and fonts, which programs read by the
//! user's settings; type stubs of Python (`*.pyi`), which `lazy_loader` reads;
//! `*.la` beside loadable modules, which ImageMagick lists; headers in `site-packages`, which NVRTC compiles at
//! run time; the caches of Yarn's Plug'n'Play and of NuGet, which hold the very
//! modules that run.

mod rules;

use jettison_image::ImagePath;

pub(crate) use rules::is_licence;

use crate::installed::Package;

/// Why a file may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Manual pages, `/usr/share/doc`, and the like.
    Documentation,
    /// Licence texts; [`records`](crate::rewrite::records) keeps those of what
    /// is left.
    Licence,
    /// C and C++ headers.
    Headers,
    /// pkg-config, CMake, libtool, introspection XML.
    BuildDescriptions,
    /// Static libraries and start files.
    StaticLibraries,
    /// Debugging information apart from its program.
    DebugSymbols,
    /// What a JDK has beyond a JRE, as far as no program loads it.
    JavaDevelopment,
    /// Caches, lists and configuration of the package manager.
    PackageCaches,
    /// Databases of the package manager; [`rewrite`](crate::rewrite::rewrite)
    /// keeps what tells of what is left.
    PackageRecords,
    /// Downloads and intermediate results of language tools.
    BuildCaches,
    /// Log files.
    Logs,
    /// `/tmp`, and what editors and installers left behind.
    Leftovers,
    /// Version control's own files.
    VersionControl,
    /// Tests and examples that packages bring along.
    Tests,
    /// Perl's manual, as its modules have it.
    PerlManual,
    /// Programs that Python's own library has inside: an editor, a converter of
    /// old sources, demonstrations of turtle graphics.
    PythonTools,
    /// Source maps below `node_modules`.
    SourceMaps,
    /// TypeScript's declarations below `node_modules`.
    TypeDeclarations,
    /// Python's cache files: may go with their source only, as without them
    /// every start compiles anew; those for -O at any time.
    Bytecode,
    /// Completions of interactive shells.
    Completions,
    /// Units of service managers, jobs of cron and logrotate.
    Services,
    /// Sources that locales are compiled from.
    LocaleSources,
    /// Kernels, their modules and firmware.
    Kernel,
}

/// What is known of a class.
struct Row {
    name: &'static str,
    why: &'static str,
    needed_by: &'static str,
    /// File names of programs and libraries that read it; `name` also stands
    /// for `name-12`, and `libname` for `libname.so.3`.
    users: &'static [&'static str],
}

const COMPILERS: &[&str] = &[
    "cc1", "cc1plus", "clang", "tcc", "libtcc", "libclang", "libnvrtc", "libcling", "libbcc",
    "libclcxx", "icpx", "nvcc", "c2ph", "h2ph", "swig", "cpp",
];
const LINKERS: &[&str] = &[
    "ld", "ld.bfd", "ld.gold", "ld.lld", "ld64.lld", "mold", "collect2", "libtcc", "tcc", "go",
    "rustc", "ghc", "ocamlopt", "gnatlink", "libtool",
];
const DEBUGGERS: &[&str] = &[
    "gdb", "lldb", "perf", "valgrind", "stap", "eu-stack", "crash",
];
const PACKAGE_MANAGERS: &[&str] = &[
    "apt",
    "apt-get",
    "apt-cache",
    "aptitude",
    "dpkg",
    "dpkg-query",
    "apk",
    "yum",
    "dnf",
    "microdnf",
    "dnf5",
    "rpm",
    "zypper",
    "debconf-show",
    "unattended-upgrade",
    "update-alternatives",
    "alternatives",
    "libapt-pkg",
    "librpm",
    "libapk",
];

impl Class {
    /// Every class, in the table's order.
    pub const ALL: [Self; 23] = [
        Self::Documentation,
        Self::Licence,
        Self::Headers,
        Self::BuildDescriptions,
        Self::StaticLibraries,
        Self::DebugSymbols,
        Self::JavaDevelopment,
        Self::PackageCaches,
        Self::PackageRecords,
        Self::BuildCaches,
        Self::Logs,
        Self::Leftovers,
        Self::VersionControl,
        Self::Tests,
        Self::PerlManual,
        Self::PythonTools,
        Self::SourceMaps,
        Self::TypeDeclarations,
        Self::Bytecode,
        Self::Completions,
        Self::Services,
        Self::LocaleSources,
        Self::Kernel,
    ];

    fn row(self) -> Row {
        let (name, why, needed_by, users): (_, _, _, &[&str]) = match self {
            Self::Documentation => (
                "documentation",
                "people read it, programs do not",
                "man, info and other readers of documentation",
                &[
                    "man",
                    "mandb",
                    "info",
                    "apropos",
                    "whatis",
                    "dwww",
                    "yelp",
                    "reportbug",
                    "lintian",
                    "doc-base",
                ],
            ),
            Self::Licence => (
                "licence texts",
                "those of what is left are kept as records",
                "whoever passes on the files that it speaks of",
                &[],
            ),
            Self::Headers => (
                "headers",
                "only compilers read them",
                "a compiler, or a library that compiles at run time",
                COMPILERS,
            ),
            Self::BuildDescriptions => (
                "build descriptions",
                "only tools that build programs read them",
                "pkg-config, cmake, autoconf, libtool, g-ir-compiler",
                &[
                    "pkg-config",
                    "pkgconf",
                    "cmake",
                    "libtool",
                    "aclocal",
                    "autoconf",
                    "meson",
                    "valac",
                    "g-ir-compiler",
                    "g-ir-scanner",
                    "qmake",
                ],
            ),
            Self::StaticLibraries => (
                "static libraries",
                "only linkers read them; programs that run have theirs inside",
                "a linker",
                LINKERS,
            ),
            Self::DebugSymbols => (
                "debug symbols",
                "only debuggers and the text of stack traces use them",
                "a debugger, or somebody who reads stack traces",
                DEBUGGERS,
            ),
            Self::JavaDevelopment => (
                "parts of a JDK that build",
                "sources, and modules in the form that jlink takes; a JVM loads lib/modules",
                "jlink, javac --release, an editor",
                &["jlink", "jmod", "jdeps", "javac", "jshell", "jpackage"],
            ),
            Self::PackageCaches => (
                "package manager caches",
                "downloads and lists that the package manager fetches again, and where from",
                "a package manager",
                PACKAGE_MANAGERS,
            ),
            Self::PackageRecords => (
                "package records",
                "rewritten to tell of what is left",
                "a package manager",
                PACKAGE_MANAGERS,
            ),
            Self::BuildCaches => (
                "build caches",
                "downloads and intermediate results of tools that build or install",
                "the next build or installation inside the container",
                &[
                    "pip", "uv", "npm", "yarn", "pnpm", "go", "cargo", "mvn", "gradle", "composer",
                    "gem", "bundle", "cpan", "cpanm", "ccache", "poetry",
                ],
            ),
            Self::Logs => (
                "logs",
                "programs write them anew; their directories stay",
                "somebody who reads what happened while the image was built",
                &["last", "lastb", "lastlog", "faillog", "utmpdump"],
            ),
            Self::Leftovers => (
                "temporary and left-over files",
                "nothing may rely on them from one start to the next (hier(7))",
                "nothing that is documented",
                &[],
            ),
            Self::VersionControl => (
                "version control",
                "the history of the sources, not the sources",
                "git, hg, svn, or a library that reads their files",
                &[
                    "git",
                    "hg",
                    "svn",
                    "bzr",
                    "libgit2",
                    "git2.so",
                    "setuptools_scm",
                    "pbr",
                ],
            ),
            Self::Tests => (
                "tests and examples",
                "packages bring them along for their developers and do not load them",
                "a test runner",
                &[
                    "pytest",
                    "py.test",
                    "nosetests",
                    "nose2",
                    "mocha",
                    "jest",
                    "rspec",
                    "phpunit",
                ],
            ),
            Self::PerlManual => (
                "Perl's manual",
                "people read it; its modules do what they do without",
                "perldoc, and diagnostics.pm, which explains messages from it",
                &["perldoc", "Perldoc.pm", "diagnostics.pm", "splain"],
            ),
            Self::PythonTools => (
                "programs inside Python's library",
                "an editor, a converter of sources and demonstrations, which modules that serve do not import",
                "idle, 2to3, turtledemo",
                &["idle", "2to3", "turtledemo"],
            ),
            Self::SourceMaps => (
                "source maps",
                "they lead from packed code to its source, for debuggers and stack traces",
                "a debugger, or source-map-support",
                &["source-map-support.js"],
            ),
            Self::TypeDeclarations => (
                "type declarations",
                "only the TypeScript compiler reads them",
                "TypeScript, also when it compiles at run time",
                &["typescript.js", "tsc", "tsc.js", "_tsc.js", "tsserver.js"],
            ),
            Self::Bytecode => (
                "compiled Python modules without source, or for -O",
                "Python ignores a cache file whose source is gone (PEP 3147), and reads the others with -O",
                "a quick start, while the source is there",
                &[],
            ),
            Self::Completions => (
                "shell completions",
                "only interactive shells read them",
                "a person at a prompt",
                &["fish"],
            ),
            Self::Services => (
                "service and job definitions",
                "only a service manager, cron or logrotate reads them",
                "an init system, service(8), cron, logrotate",
                &[
                    "systemd",
                    "systemctl",
                    "service",
                    "invoke-rc.d",
                    "rc-service",
                    "openrc",
                    "startpar",
                    "cron",
                    "crond",
                    "anacron",
                    "logrotate",
                    "systemd-tmpfiles",
                    "systemd-sysusers",
                    "systemd-udevd",
                    "run-parts",
                ],
            ),
            Self::LocaleSources => (
                "sources of locales",
                "programs read compiled locales",
                "localedef, locale-gen",
                &["localedef", "locale-gen", "locale"],
            ),
            Self::Kernel => (
                "kernels, modules and firmware",
                "a container runs on the kernel of its host",
                "a boot loader; qemu and the like when they start a kernel from here",
                &[
                    "qemu",
                    "qemu-system",
                    "grub-install",
                    "update-initramfs",
                    "firecracker",
                    "cloud-hypervisor",
                    "modinfo",
                ],
            ),
        };
        Row {
            name,
            why,
            needed_by,
            users,
        }
    }

    /// The words for it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// One sentence: why it may go.
    pub fn why(self) -> &'static str {
        self.row().why
    }

    /// What would need it.
    pub fn needed_by(self) -> &'static str {
        self.row().needed_by
    }

    /// Whether a program or library of this file name reads such files: while
    /// it stays, they stay.
    pub fn is_user(self, file_name: &[u8]) -> bool {
        self.row().users.iter().any(|user| {
            file_name
                .strip_prefix(user.as_bytes())
                .is_some_and(|rest| match rest {
                    [] => true,
                    [b'-' | b'.', rest @ ..] => {
                        rest.first().is_some_and(u8::is_ascii_digit)
                            || (user.starts_with("lib") && rest.starts_with(b"so"))
                    }
                    [b'0'..=b'9', ..] => true,
                    _ => false,
                })
        })
    }
}

/// The class of a file or link; none for what a program may read at run time.
/// Directories, devices, pipes and sockets have none: do not ask for them.
pub fn class(path: &ImagePath, owner: Option<&Package>, is_link: bool) -> Option<Class> {
    rules::class(path.as_bytes(), owner, is_link)
}
