//! One process being loaded: its objects in order, breadth first, each name
//! looked up once.

use std::collections::HashSet;
use std::sync::Arc;

use jettison_image::{Follow, ImagePath, Node};

use super::object::Object;
use super::paths::absolute;
use super::search::{Found, Place, Surroundings, walked};
use super::{Flavour, Loaded, Loader, configuration};
use crate::edge::{Edge, How};

/// Objects of one process; a browser has 200.
const MOST_OBJECTS: usize = 4096;
/// Names looked up for one process.
const MOST_SEARCHES: usize = 65_536;

/// Names under which musl serves itself (ldso/dynlink.c, `reserved`).
const MUSL_SELF: &[&str] = &[
    "libc.",
    "libpthread.",
    "librt.",
    "libm.",
    "libdl.",
    "libutil.",
    "libxnet.",
];

pub(super) struct Session<'l, 'a> {
    pub(super) loader: &'l Loader<'a>,
    pub(super) flavour: Flavour,
    /// The program first.
    pub(super) members: Vec<Member<'a>>,
    pub(super) surroundings: Surroundings,
    pub(super) lookups: usize,
    searches: usize,
    /// The first member whose names are still to be looked up.
    next: usize,
    seen: HashSet<(ImagePath, Edge)>,
    loaded: Loaded,
}

/// One object of the process.
pub(super) struct Member<'a> {
    pub(super) node: Node<'a>,
    pub(super) object: Arc<Object>,
    /// The path under which it was opened.
    pub(super) path: Vec<u8>,
    /// The member that asked for it first; none for the program.
    pub(super) by: Option<usize>,
    pub(super) rpath: Vec<Vec<u8>>,
    pub(super) runpath: Vec<Vec<u8>>,
    /// The names under which it was asked for.
    names: Vec<Vec<u8>>,
    /// For certain processors: no other search is served by it.
    is_variant: bool,
}

impl<'l, 'a> Session<'l, 'a> {
    pub(super) fn new(loader: &'l Loader<'a>, program: Node<'a>, object: Arc<Object>) -> Self {
        let flavour = object.flavour().unwrap_or_else(|| native(loader));
        let mut session = Self {
            loader,
            flavour,
            members: Vec::new(),
            surroundings: Surroundings::default(),
            lookups: 0,
            searches: 0,
            next: 0,
            seen: HashSet::new(),
            loaded: Loaded::default(),
        };
        // `/proc/self/exe` shows the file itself, links followed.
        let path = absolute(&loader.world, &absolute_path(program));
        session.add(
            Place {
                node: program,
                path,
            },
            object,
            None,
            false,
        );
        let interpreter = session.interpreter();
        session.surroundings = Surroundings::of(&session, interpreter.as_deref());
        session
    }

    /// The interpreter, then what is preloaded.
    pub(super) fn start(&mut self) {
        let Some(interpreter) = self.members[0].object.interpreter.clone() else {
            return;
        };
        let path = absolute(&self.loader.world, interpreter.as_bytes());
        let node = self.loader.world.tree.resolve(&path, Follow::All);
        match node
            .ok()
            .and_then(|node| Some((node, self.loader.object(node)?)))
        {
            Some((node, object)) => {
                let place = Place { node, path };
                self.edge(
                    0,
                    &place,
                    How::Interpreter,
                    "is started by its loader".to_owned(),
                );
                let at = self.add(place, object, Some(0), false);
                self.members[at].names.push(interpreter.into_bytes());
            }
            None => {
                let by = self.members[0].node.path();
                self.loaded.missing.push((by, interpreter));
            }
        }
        let environment = self.loader.world.environment.get("LD_PRELOAD");
        let mut preloads: Vec<Vec<u8>> = environment
            .map(|names| names.as_bytes())
            .unwrap_or_default()
            .split(|b| b.is_ascii_whitespace() || *b == b':')
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        if self.flavour == Flavour::Glibc {
            preloads.extend(configuration::preload_file(&self.loader.world));
        }
        for name in preloads {
            self.need(0, &name, "preloads", true);
        }
        self.configuration();
    }

    /// The loader's own files, as far as they are there.
    fn configuration(&mut self) {
        let list = self.surroundings.list.clone();
        let preload = (self.flavour == Flavour::Glibc).then(|| b"/etc/ld.so.preload".to_vec());
        for (path, detail) in [
            (list, "finds its libraries by it"),
            (preload, "reads which libraries to preload"),
        ] {
            if let Some(path) = path
                && let Some(node) = self.loader.world.file(&path)
            {
                self.edge(0, &Place { node, path }, How::Companion, detail.to_owned());
            }
        }
    }

    /// Looks up the names of all members, breadth first.
    pub(super) fn load_all(&mut self) {
        while self.next < self.members.len() {
            let by = self.next;
            self.next += 1;
            let object = Arc::clone(&self.members[by].object);
            for name in &object.dynamic.filters {
                self.need(by, name.as_bytes(), "is a filter on", true);
            }
            for name in &object.dynamic.auxiliary {
                self.need(by, name.as_bytes(), "is a filter on", false);
            }
            for name in &object.dynamic.needed {
                self.need(by, name.as_bytes(), "loads", true);
            }
        }
    }

    /// Adds what the program opens.
    pub(super) fn open(&mut self, plugin: Node<'a>) {
        let known = self.members.iter().any(|member| same(member.node, plugin));
        if let Some(object) = self.loader.object(plugin)
            && !known
        {
            let path = absolute_path(plugin);
            let place = Place { node: plugin, path };
            self.add(place, object, Some(0), false);
        }
    }

    /// Leaves out of the result what is found so far.
    pub(super) fn forget(&mut self) {
        self.loaded = Loaded::default();
        self.seen.clear();
    }

    pub(super) fn finish(self) -> Loaded {
        self.loaded
    }

    /// The files that a name given to `dlopen` leads to.
    pub(super) fn find(&mut self, name: &[u8]) -> Vec<ImagePath> {
        let found = self.search(name, 0);
        found
            .place
            .into_iter()
            .chain(found.variants)
            .filter_map(|place| Some(walked(&self.loader.world, &place.path)?.0))
            .collect()
    }

    fn need(&mut self, by: usize, name: &[u8], verb: &str, must: bool) {
        self.searches += 1;
        if self.searches > MOST_SEARCHES {
            return;
        }
        let shown = String::from_utf8_lossy(name).into_owned();
        let detail = format!("{verb} {shown}");
        let names = if self.flavour == Flavour::Glibc && name.contains(&b'$') {
            self.expanded(name, by)
        } else {
            vec![name.to_vec()]
        };
        for name in names {
            if let Some(at) = self.known(&name) {
                let member = &self.members[at];
                let place = Place {
                    node: member.node,
                    path: member.path.clone(),
                };
                self.edge(by, &place, How::Loads, detail);
                return;
            }
            let Found {
                place, variants, ..
            } = self.search(&name, by);
            let found = place.is_some() || !variants.is_empty();
            for variant in variants {
                let detail = format!("{detail} on certain processors");
                self.load(by, &name, variant, detail, true);
            }
            if let Some(place) = place {
                self.load(by, &name, place, detail.clone(), false);
            }
            if found {
                return;
            }
        }
        if must && !(self.flavour == Flavour::Musl && is_musl_self(name)) {
            let by = self.members[by].node.path();
            if !self.loaded.missing.contains(&(by.clone(), shown.clone())) {
                self.loaded.missing.push((by, shown));
            }
        }
    }

    fn load(&mut self, by: usize, name: &[u8], place: Place<'a>, detail: String, variant: bool) {
        self.edge(by, &place, How::Loads, detail);
        let known = self
            .members
            .iter()
            .position(|member| same(member.node, place.node));
        let at = match known {
            Some(at) => at,
            None => {
                let Some(object) = self.loader.object(place.node) else {
                    return;
                };
                self.add(place, object, Some(by), variant)
            }
        };
        if let Some(member) = self.members.get_mut(at) {
            member.names.push(name.to_vec());
        }
    }

    fn add(
        &mut self,
        place: Place<'a>,
        object: Arc<Object>,
        by: Option<usize>,
        is_variant: bool,
    ) -> usize {
        let at = self.members.len();
        if at >= MOST_OBJECTS {
            return at;
        }
        self.members.push(Member {
            node: place.node,
            object,
            path: place.path,
            by,
            rpath: Vec::new(),
            runpath: Vec::new(),
            names: Vec::new(),
            is_variant,
        });
        let (rpath, runpath) = self.members[at].search_paths(self.flavour);
        let separators: &[u8] = match self.flavour {
            Flavour::Glibc => b":",
            Flavour::Musl => b":\n",
        };
        let apart = |path: Option<&str>| {
            path.map(|path| self.directories(path.as_bytes(), separators, at))
                .unwrap_or_default()
        };
        let (rpath, runpath) = (apart(rpath), apart(runpath));
        self.members[at].rpath = rpath;
        self.members[at].runpath = runpath;
        at
    }

    /// A member that serves a name: glibc compares it with every name asked
    /// for and with the SONAME, musl with the names only.
    fn known(&self, name: &[u8]) -> Option<usize> {
        if self.flavour == Flavour::Musl {
            let interpreter = self.members[0].object.interpreter.as_deref();
            let own = interpreter.and_then(|path| path.rsplit('/').next());
            if is_musl_self(name) || own.is_some_and(|own| own.as_bytes() == name) {
                return self
                    .members
                    .iter()
                    .position(|member| member.names.iter().any(|n| is_musl_loader(n)));
            }
        }
        self.members.iter().position(|member| {
            !member.is_variant
                && (member.names.iter().any(|known| known == name)
                    || (self.flavour == Flavour::Glibc
                        && member.object.dynamic.soname.as_deref().map(str::as_bytes)
                            == Some(name)))
        })
    }

    /// Notes an edge, and the directories that its path runs through.
    fn edge(&mut self, by: usize, place: &Place<'a>, how: How, detail: String) {
        let Some((to, through)) = walked(&self.loader.world, &place.path) else {
            return;
        };
        let by = self.members[by].node.path();
        for passed in through {
            // Directories of what is loaded are there anyway.
            let is_kept = |member: &Member<'_>| member.node.path().starts_with(&passed);
            if !self.members.iter().any(is_kept) {
                let detail = format!("{detail}, by a path through it");
                self.note(
                    &by,
                    Edge {
                        to: passed,
                        how,
                        detail,
                    },
                );
            }
        }
        self.note(&by, Edge { to, how, detail });
    }

    fn note(&mut self, by: &ImagePath, edge: Edge) {
        let item = (by.clone(), edge);
        if self.seen.insert(item.clone()) {
            self.loaded.edges.push(item);
        }
    }

    /// The loader: the program's, or the one that stands where programs of
    /// this machine have it.
    fn interpreter(&self) -> Option<Arc<Object>> {
        let world = &self.loader.world;
        let main = &self.members[0].object;
        let named = main.interpreter.as_deref();
        let usual = [
            "/lib64/ld-linux-x86-64.so.2",
            "/lib/ld-linux-aarch64.so.1",
            "/lib/ld-linux.so.2",
            "/lib/ld-linux-armhf.so.3",
            "/lib/ld-linux-riscv64-lp64d.so.1",
            "/lib64/ld64.so.2",
            "/lib/ld64.so.1",
        ];
        named.into_iter().chain(usual).find_map(|path| {
            let path = absolute(world, path.as_bytes());
            let node = world.tree.resolve(path, Follow::All).ok()?;
            let object = self.loader.object(node)?;
            (object.kind == main.kind).then_some(object)
        })
    }
}

/// The rules of an image whose object does not say by whose it is loaded.
fn native(loader: &Loader<'_>) -> Flavour {
    let directory = loader.world.tree.resolve("/lib", Follow::All);
    let has = |prefix: &[u8]| {
        directory.as_ref().is_ok_and(|directory| {
            directory
                .children()
                .any(|child| child.name().starts_with(prefix))
        })
    };
    let is_musl = has(b"ld-musl-") && !has(b"ld-linux") && loader.directory(b"/lib64").is_none();
    if is_musl {
        Flavour::Musl
    } else {
        Flavour::Glibc
    }
}

fn is_musl_self(name: &[u8]) -> bool {
    MUSL_SELF.iter().any(|own| name.starts_with(own.as_bytes()))
}

fn is_musl_loader(name: &[u8]) -> bool {
    memchr::memmem::find(name, b"ld-musl-").is_some()
}

fn same(one: Node<'_>, other: Node<'_>) -> bool {
    one.first_link() == other.first_link()
}

fn absolute_path(node: Node<'_>) -> Vec<u8> {
    [b"/", node.path().as_bytes()].concat()
}
