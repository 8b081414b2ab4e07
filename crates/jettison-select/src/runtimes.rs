//! Runtimes that no package owns: compilers and interpreters that were unpacked
//! or built from source, and where they lie beside the application.

use std::collections::BTreeSet;

use jettison_image::{ImagePath, Node, Tree};

/// Directories that runtimes which were built from source share with what a
/// person puts there.
const SHARED: [&str; 2] = ["usr/local/lib/", "usr/local/share/"];
/// What is a runtime's below them, versions aside.
const OF_RUNTIMES: [&str; 35] = [
    "R",
    "aclocal",
    "bash-completion",
    "cmake",
    "crystal",
    "doc",
    "elixir",
    "emacs",
    "engines",
    "erlang",
    "fish",
    "gcc",
    "gems",
    "ghc",
    "gtk-doc",
    "guile",
    "info",
    "itcl",
    "jvm",
    "locale",
    "lua",
    "man",
    "node_modules",
    "ocaml",
    "ossl-modules",
    "perl",
    "php",
    "pkgconfig",
    "python",
    "ruby",
    "rustlib",
    "site_ruby",
    "tcl",
    "tk",
    "zsh",
];
/// Programs by which a runtime is known, versions aside.
const PROGRAMS: [&str; 19] = [
    "R", "bun", "cargo", "deno", "dotnet", "elixir", "erl", "ghc", "go", "java", "julia", "lua",
    "node", "ocaml", "perl", "php", "python", "ruby", "tclsh",
];

/// The layers that brought a runtime which was built from source, but that of
/// the base, in which all lies where an image has one layer.
pub(crate) struct Runtimes(BTreeSet<u32>);

impl Runtimes {
    pub(crate) fn of(tree: &Tree) -> Self {
        let base = tree.get("etc/passwd").map(|node| node.layer());
        let programs = tree.get("usr/local/bin");
        let programs = programs.into_iter().flat_map(|bin| bin.children());
        let is_one = |node: &Node<'_>| {
            let stem = without_version(node.name());
            PROGRAMS.iter().any(|known| known.as_bytes() == stem)
        };
        let layers = programs.filter(is_one).map(|node| node.layer());
        Self(layers.filter(|&layer| Some(layer) != base).collect())
    }

    /// The last layer that brought one: what lies up to it is the base's.
    pub(crate) fn last_layer(&self) -> Option<u32> {
        self.0.last().copied()
    }

    /// True for what one lies in, or a part of it: it is kept where something
    /// leads to it, as a unit.
    pub(crate) fn is_one(&self, node: Node<'_>) -> bool {
        node.is_directory() && is_runtime(node) || is_shared(node)
    }

    /// True for what came with one, where the application may lie as well.
    pub(crate) fn brought(&self, node: Node<'_>) -> bool {
        self.0.contains(&node.layer()) && below_shared(&node.path()).is_some()
    }
}

/// The rest of a path below a directory that runtimes share.
fn below_shared(path: &ImagePath) -> Option<&[u8]> {
    let below = |shared: &str| path.as_bytes().strip_prefix(shared.as_bytes());
    SHARED.iter().find_map(|shared| below(shared))
}

/// True for what is a runtime's by its name.
fn is_shared(node: Node<'_>) -> bool {
    let path = node.path();
    let Some(name) = below_shared(&path).filter(|rest| !rest.contains(&b'/')) else {
        return false;
    };
    let is_library = name.starts_with(b"lib")
        && (name.ends_with(b".a") || name.windows(3).any(|part| part == b".so"));
    let stem = without_version(name);
    is_library || OF_RUNTIMES.iter().any(|known| known.as_bytes() == stem)
}

/// `python` of `python3.11`.
fn without_version(name: &[u8]) -> &[u8] {
    let is_version = |byte: &u8| byte.is_ascii_digit() || b".-".contains(byte);
    let end = name.iter().rposition(|byte| !is_version(byte));
    &name[..end.map_or(0, |end| end + 1)]
}

/// True for directories of compilers and interpreters that no package owns:
/// they are kept where something leads to them, as units.
fn is_runtime(directory: Node<'_>) -> bool {
    let path = directory.path();
    let has = |name: &str| directory.child(name.as_bytes()).is_some();
    let has_program = |name: &str| {
        let bin = directory.child(b"bin");
        bin.is_some_and(|bin| bin.child(name.as_bytes()).is_some())
    };
    let is_go = has("src") && has("pkg") && has_program("go");
    let is_jdk = has("lib") && has("jmods") | has("conf") && has_program("java");
    let is_rust = has("toolchains") || has_program("rustc");
    is_go || is_jdk || is_rust || path.as_bytes() == b"usr/local/include"
}
