//! Which shells, package managers and compilers an image has: by the names of
//! programs in the directories of its PATH and of the usual one, for whoever
//! breaks in names them by their path. Links are followed: busybox's `sh` is a
//! shell, a link into nothing is no program.

use std::collections::HashSet;

use jettison_image::{Follow, Node, Tree};

use super::value::{Tool, Tools};

/// Docker's own PATH, for images that set none.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// More directories than any PATH has.
const MOST_DIRECTORIES: usize = 64;

/// Where several names lead to one file, the first of them stands for it.
const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rc", "sash", "nu",
    "pwsh", "busybox", "toybox",
];

/// Of systems first, then of languages.
const PACKAGE_MANAGERS: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "apk",
    "rpm",
    "dnf",
    "microdnf",
    "tdnf",
    "yum",
    "zypper",
    "pacman",
    "opkg",
    "emerge",
    "xbps-install",
    "nix",
    "guix",
    "brew",
    "snap",
    "flatpak",
    "conda",
    "mamba",
    "micromamba",
    "pip",
    "pipx",
    "uv",
    "poetry",
    "pipenv",
    "easy_install",
    "npm",
    "npx",
    "yarn",
    "yarnpkg",
    "pnpm",
    "bun",
    "corepack",
    "gem",
    "bundle",
    "bundler",
    "composer",
    "cargo",
    "mvn",
    "gradle",
    "cpan",
    "cpanm",
    "luarocks",
    "nuget",
];

/// Programs that make programs of sources.
const COMPILERS: &[&str] = &[
    "gcc", "cc", "g++", "c++", "clang", "clang++", "tcc", "c89", "c99", "gfortran", "flang", "gdc",
    "gnat", "gccgo", "go", "rustc", "zig", "javac", "kotlinc", "scalac", "ghc", "ocamlc",
    "ocamlopt", "swiftc", "ldc2", "dmd", "nim", "crystal", "fpc", "nvcc", "csc", "mcs", "tsc",
];

/// What is there, one row a file.
pub(super) fn tools(tree: &Tree, env: &[String]) -> Tools {
    let programs = programs(tree, env);
    let of = |names| rows(names, &programs);
    Tools {
        shells: of(SHELLS),
        package_managers: of(PACKAGE_MANAGERS),
        compilers: of(COMPILERS),
    }
}

/// A name in a directory of the PATH, and the program that it leads to.
type Program<'t> = (Node<'t>, Node<'t>);

fn programs<'t>(tree: &'t Tree, env: &[String]) -> Vec<Program<'t>> {
    let own = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH="));
    let words = own.into_iter().chain([USUAL_PATH]);
    let words = words.flat_map(|path| path.split(':'));
    let absolute = words.filter(|word| word.starts_with('/'));
    let mut seen = HashSet::new();
    let mut programs = Vec::new();
    for word in absolute.take(MOST_DIRECTORIES) {
        let Ok(directory) = tree.resolve(word, Follow::All) else {
            continue;
        };
        // `/bin` is a link to `/usr/bin` in most images.
        if !directory.is_directory() || !seen.insert(directory.id()) {
            continue;
        }
        for name in directory.children() {
            if is_known(name.name())
                && let Ok(file) = tree.resolve(name.path(), Follow::All)
                && file.is_file()
                && file.mode() & 0o111 != 0
            {
                programs.push((name, file));
            }
        }
    }
    programs
}

fn is_known(name: &[u8]) -> bool {
    let all = [SHELLS, PACKAGE_MANAGERS, COMPILERS];
    all.into_iter().any(|names| place(names, name).is_some())
}

fn rows(names: &[&str], programs: &[Program<'_>]) -> Vec<Tool> {
    let known = programs.iter().filter_map(|(name, file)| {
        let place = place(names, name.name())?;
        Some((place, name, file))
    });
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(place, name, _)| (*place, name.name().len()));
    let mut seen = HashSet::new();
    known.retain(|(_, _, file)| seen.insert(file.first_link().id()));
    let shown = |node: &Node<'_>| node.path().display().to_string();
    let tool = |(_, name, file): (usize, &Node<'_>, &Node<'_>)| Tool {
        name: jettison_image::escape(&String::from_utf8_lossy(name.name())),
        path: shown(name),
        file: shown(file),
    };
    known.into_iter().map(tool).collect()
}

/// The place of a program's name in a table: as it is, or without the triple
/// of a cross compiler and the version behind it (`x86_64-linux-gnu-gcc-12`).
fn place(names: &[&str], name: &[u8]) -> Option<usize> {
    let name = std::str::from_utf8(name).ok()?;
    let find = |wanted: &str| names.iter().position(|known| *known == wanted);
    if let Some(place) = find(name) {
        return Some(place);
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let stem = stem.strip_suffix('-').unwrap_or(stem);
    let bare = match stem.split_once("-linux-") {
        Some((_, rest)) => rest.split_once('-')?.1,
        None => stem,
    };
    find(bare).filter(|_| !bare.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{COMPILERS, PACKAGE_MANAGERS, SHELLS, place};

    #[test]
    fn programs_are_known_by_their_names() {
        let check = |name: &str, expected: Option<&str>| {
            let tables = [SHELLS, PACKAGE_MANAGERS, COMPILERS];
            let found = tables
                .iter()
                .find_map(|names| place(names, name.as_bytes()).map(|place| names[place]));
            assert_eq!(found, expected, "{name}");
        };
        for (name, expected) in [
            ("sh", "sh"),
            ("zsh-5.9", "zsh"),
            ("gcc-12", "gcc"),
            ("g++-12", "g++"),
            ("c99", "c99"),
            ("x86_64-linux-gnu-gcc-12", "gcc"),
            ("x86_64-alpine-linux-musl-gcc", "gcc"),
            ("aarch64-linux-gnu-g++", "g++"),
            ("clang++-15", "clang++"),
            ("pip3.11", "pip"),
            ("go", "go"),
            ("apt-get", "apt-get"),
            ("busybox", "busybox"),
        ] {
            check(name, Some(expected));
        }
        for name in [
            "ssh",
            "gcc-ar",
            "gcc-ar-12",
            "x86_64-linux-gnu-gcc-ar-12",
            "c",
            "12",
            "",
            "-",
            "gofmt",
            "dpkg-query",
            "shutdown",
            "x-linux-gnu",
        ] {
            check(name, None);
        }
        assert_eq!(place(SHELLS, b"\xff"), None);
    }
}
