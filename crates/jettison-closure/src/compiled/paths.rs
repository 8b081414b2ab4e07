//! Absolute paths that stand in a program's data, found by walking the tree
//! along the text: C ends a text with a NUL, Go and Rust put one behind the
//! other without an end, so there a name ends where the tree's name does.

use jettison_image::{Follow, ImagePath, Node, Tree};
use memchr::memchr_iter;

use super::programs::is_interpreter;
use crate::edge::How;
use crate::facts::ProgramFacts;
use crate::scripts::Reader;

/// Paths looked at in one file; a browser engine has some ten thousand slashes
/// that could begin one.
const MOST_WALKS: usize = 500_000;
/// Linux' NAME_MAX.
const MOST_NAME: usize = 255;
/// Components of a path; nothing honest nests so deep.
const MOST_DEPTH: usize = 64;

/// Who lists a directory, or takes names of files from a pattern.
const LISTERS: &[&str] = &[
    "opendir",
    "fdopendir",
    "readdir",
    "readdir64",
    "readdir_r",
    "scandir",
    "scandir64",
    "scandirat",
    "glob",
    "glob64",
    "nftw",
    "nftw64",
    "ftw",
    "ftw64",
    "fts_open",
    "getdents64",
    "g_dir_open",
    "apr_dir_open",
];

/// The same in Go: the methods below all that list, and who serves a directory.
const GO_LISTERS: &[&str] = &[
    "os.(*File).readdir",
    "os.(*File).ReadDir",
    "os.(*File).Readdir",
    "os.(*File).Readdirnames",
    "os.ReadDir",
    "net/http.FileServer",
    "net/http.Dir.Open",
    "os.DirFS",
    "os.dirFS.Open",
];

/// Sources that debug information and assertions name.
const SOURCES: &[&[u8]] = &[
    b"c", b"h", b"go", b"rs", b"cc", b"cpp", b"cxx", b"hh", b"hpp", b"hxx", b"inl", b"s", b"S",
    b"asm", b"y", b"l", b"tcc", b"def",
];

/// Directories that hold things of many programs, beside those of the system
/// that [`Reader::family`] knows: to name one is not to need all of it. The
/// modules of interpreted languages are bounded by their own closures, the
/// catalogs of messages by the table of companions.
const GENERAL: &[&str] = &[
    "etc/alternatives",
    "etc/default",
    "etc/init.d",
    "etc/pam.d",
    "etc/profile.d",
    "etc/ssl",
    "etc/xdg",
    "lib/modules",
    "usr/lib/debug",
    "usr/lib/firmware",
    "usr/lib/jvm",
    "usr/lib/node_modules",
    "usr/lib/python3",
    "usr/lib/python3/dist-packages",
    "usr/local/lib/node_modules",
    "usr/local/games",
    "usr/games",
    "usr/share/applications",
    "usr/share/dbus-1",
    "usr/share/doc",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/java",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/nodejs",
    "usr/share/pixmaps",
    "usr/share/xml",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/rpm",
    "var/mail",
    "var/opt",
    "var/spool/mail",
    "var/www",
];

pub(super) fn edges(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>) {
    let walker = Walker {
        tree: reader.world.tree,
        unended: facts.is_go || facts.is_rust,
        lists: lists(facts),
        is_interpreter: is_interpreter(facts),
    };
    let mut walks = 0;
    for part in &facts.texts {
        for at in memchr_iter(b'/', part) {
            // `a/b` is no absolute path, but `key=/b` and Go's `text/b` may be.
            let goes_on = at.checked_sub(1).is_some_and(|at| is_name_byte(part[at]));
            if goes_on && !walker.unended {
                continue;
            }
            walks += 1;
            if walks > MOST_WALKS {
                return;
            }
            if let Some(found) = walker.walk(&part[at..]) {
                walker.add(reader, &found);
            }
        }
    }
}

struct Walker<'t> {
    tree: &'t Tree,
    /// A text may be followed by another one at once.
    unended: bool,
    /// The program lists directories.
    lists: bool,
    is_interpreter: bool,
}

/// A path in the text that the tree has.
struct Walked<'t> {
    path: Vec<u8>,
    node: Node<'t>,
    /// The text goes on with what only running tells (`%s`).
    goes_on: bool,
}

impl<'t> Walker<'t> {
    /// The longest path of the tree along a text that begins with a slash.
    fn walk(&self, text: &[u8]) -> Option<Walked<'t>> {
        let mut at = self.tree.root();
        let mut rest = text;
        let mut path: Vec<&[u8]> = Vec::new();
        while let Some(behind) = rest.strip_prefix(b"/") {
            if behind.starts_with(b"/") {
                rest = behind;
                continue;
            }
            if path.len() >= MOST_DEPTH || !at.is_directory() {
                break;
            }
            let Some((name, node)) = self.child(at, behind) else {
                break;
            };
            path.push(name);
            at = node;
            rest = &behind[name.len()..];
        }
        // What lies directly below the root is chance, or says nothing.
        if path.len() < 2 {
            return None;
        }
        let behind = rest.strip_prefix(b"/").unwrap_or(rest);
        let is_ended = behind.first().is_none_or(|&b| !is_name_byte(b));
        // C's text leads to where the tree has nothing; the others' does when
        // it goes on to a source of the program itself.
        if !is_ended && (!self.unended || (at.is_directory() && names_a_source(behind))) {
            return None;
        }
        Some(Walked {
            path: path.join(&b'/'),
            node: at,
            goes_on: matches!(behind.first(), Some(b'%' | b'$' | b'{' | b'*')),
        })
    }

    fn child<'x>(&self, directory: Node<'t>, text: &'x [u8]) -> Option<(&'x [u8], Node<'t>)> {
        let within = &text[..text.len().min(MOST_NAME + 1)];
        let end = within
            .iter()
            .position(|&b| !is_name_byte(b))
            .unwrap_or(within.len());
        let look = |name: &'x [u8]| {
            // By name first: most texts lead nowhere.
            directory.child(name)?;
            let node = self.tree.resolve_from(directory, name, Follow::All).ok()?;
            Some((name, node))
        };
        if end == 0 {
            return None;
        }
        let found = look(&text[..end]);
        if found.is_some() || !self.unended {
            return found;
        }
        // Another text follows at once: the longest name that the tree has.
        (1..end).rev().find_map(|length| look(&text[..length]))
    }

    fn add(&self, reader: &mut Reader<'_>, found: &Walked<'_>) {
        let Ok(path) = ImagePath::new(&found.path) else {
            return;
        };
        if found.node.is_file() {
            // What a login shell reads; that one is a login shell, its command says.
            let is_of_login = self.is_interpreter
                && [b"etc/profile".as_slice(), b"etc/bash", b"etc/shells"]
                    .iter()
                    .any(|start| path.as_bytes().starts_with(start));
            if !is_source(path.file_name()) && !is_of_login {
                reader.add(path, How::Names, "names the path");
            }
            return;
        }
        if !found.node.is_directory() {
            return;
        }
        let chooses = self.lists || found.goes_on;
        if !chooses || is_general(&path, found.node) || is_general(&found.node.path(), found.node) {
            reader.add(path, How::Names, "names the directory");
        } else if found.goes_on {
            reader.family(&path, "puts names of files in it together");
        } else {
            reader.family(&path, "names the directory and lists directories");
        }
    }
}

/// True when the program may list directories; Go's functions tell, Rust's do not.
fn lists(facts: &ProgramFacts<'_>) -> bool {
    match &facts.go_functions {
        Some(functions) => GO_LISTERS.iter().any(|name| functions.has(name)),
        None => facts.is_go || facts.is_rust || facts.calls(LISTERS),
    }
}

/// A byte of a name as people give them; more are possible, and not looked for.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._-+@~".contains(&byte)
}

fn is_source(name: &[u8]) -> bool {
    let at = name.iter().rposition(|&b| b == b'.');
    at.is_some_and(|at| SOURCES.contains(&&name[at + 1..]))
}

/// True when the path that begins here goes on to a source file.
fn names_a_source(text: &[u8]) -> bool {
    // Further on another text may name one.
    const NEAR: usize = 64;
    let within = &text[..text.len().min(NEAR)];
    let end = within
        .iter()
        .position(|&b| b != b'/' && !is_name_byte(b))
        .unwrap_or(within.len());
    [".rs", ".go", ".c", ".h", ".s"].iter().any(|ending| {
        memchr::memmem::find_iter(&within[..end], ending.as_bytes()).any(|at| {
            let behind = within.get(at + ending.len());
            behind.is_none_or(|b| !b.is_ascii_lowercase())
        })
    })
}

/// True for directories of many programs, for those of interpreted languages'
/// modules, and for a Go toolchain, which every Go program names (GOROOT).
fn is_general(path: &ImagePath, node: Node<'_>) -> bool {
    let bytes = path.as_bytes();
    let is_module_path = [
        "usr/lib/python",
        "usr/local/lib/python",
        "opt/venv/lib/python",
    ]
    .iter()
    .any(|start| bytes.starts_with(start.as_bytes()));
    let is_go_root = node.child(b"pkg").is_some() && node.child(b"src").is_some();
    GENERAL.iter().any(|general| general.as_bytes() == bytes) || is_module_path || is_go_root
}
