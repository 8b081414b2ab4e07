//! Follows what kept files lead to, until nothing new comes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jettison_closure::loader::Loader;
use jettison_closure::scripts::any;
use jettison_closure::{
    Edge, How, Memo, ProgramFacts, World, companions, compiled, config, is_known_to_load,
    loads_code, own,
};
use jettison_image::{Follow, ImagePath, Node};
use jettison_packages::droppable::Class;
use jettison_packages::installed::UnitKind;
use jettison_plan::{FilePath, Generosity, Reason, ReasonKind};

use crate::Facts;
use crate::keeping::{Keeping, file_path};
use crate::spare;
use crate::whole::Whole;

/// The largest compiled file that is read for what it names.
const MOST_COMPILED: u64 = 512 << 20;
/// The largest text that is read for what it names.
const MOST_TEXT: u64 = 4 << 20;
/// What a library in doubt may bring as companions, in bytes.
const SMALL: u64 = 64 << 20;
/// The same where probes show what is used.
const SMALL_WHEN_TOLD: u64 = 8 << 20;
/// Enough of a file to see what it is.
const HEAD: u64 = 512;

/// What is kept in doubt, why, and what would save it.
pub(crate) struct Doubt<'d> {
    pub(crate) what: &'d str,
    pub(crate) because: &'d str,
    pub(crate) saved_by: &'d str,
}

/// What stays for want of a probe that would show what is used.
const BY_PROBE: &str = "--probe that uses it";
/// What stays with probes as well.
pub(crate) const BY_DROP: &str = "--drop PATH";

/// A selection under way.
pub(crate) struct Work<'a> {
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) world: World<'a>,
    pub(crate) keeping: Keeping<'a>,
    loader: Loader<'a>,
    /// Programs that the image starts.
    pub(crate) started: BTreeSet<usize>,
    /// Programs that a probe ran.
    pub(crate) executed: BTreeSet<usize>,
    /// Programs that kept files run.
    pub(crate) reached: BTreeSet<usize>,
    /// Files that a probe opened.
    pub(crate) opened: BTreeSet<usize>,
    /// Directories that a probe listed.
    pub(crate) listed: BTreeSet<usize>,
    /// Paths that stand in kept files as text.
    pub(crate) named: BTreeSet<usize>,
    /// Compiled files, each with whether it loads code at run time.
    compiled: BTreeMap<usize, bool>,
    /// The libraries of each compiled file.
    libraries: BTreeMap<usize, Rc<[usize]>>,
    /// Wholes that were kept, by what identifies them.
    pub(crate) whole: BTreeSet<Whole>,
    /// Droppable classes that something which stays reads.
    pub(crate) read_classes: BTreeSet<Class>,
    /// What families were kept without, since nothing reads its class.
    pub(crate) spared: Vec<(usize, Reason)>,
    /// Nodes whose siblings were looked at already.
    pub(crate) seen: BTreeSet<usize>,
    /// What was kept in doubt, by what it is.
    doubts: BTreeMap<String, Generosity>,
    pub(crate) notes: Vec<String>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>) -> Self {
        let world = World {
            tree: facts.tree,
            contents: facts.contents,
            environment: facts.environment,
            working_directory: facts.working_directory,
            memo: &facts.memory.memo,
        };
        Self {
            facts,
            world,
            keeping: Keeping::new(facts.tree),
            loader: Loader::new(&world),
            started: BTreeSet::new(),
            executed: BTreeSet::new(),
            reached: BTreeSet::new(),
            opened: BTreeSet::new(),
            listed: BTreeSet::new(),
            named: BTreeSet::new(),
            compiled: BTreeMap::new(),
            libraries: BTreeMap::new(),
            whole: BTreeSet::new(),
            read_classes: BTreeSet::new(),
            spared: Vec::new(),
            seen: BTreeSet::new(),
            doubts: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Keeps a path with everything below it.
    pub(crate) fn keep_below(&mut self, path: &[u8], reason: &Reason) {
        let Some(top) = self.keeping.keep_path(path, Follow::All, reason) else {
            return;
        };
        for node in top.subtree() {
            self.keeping.keep(node, reason.clone());
        }
    }

    /// Keeps nodes in doubt, and says what that costs.
    pub(crate) fn keep_in_doubt(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'a>>,
        reason: &Reason,
        doubt: Doubt<'_>,
    ) {
        let Doubt {
            what,
            because,
            saved_by,
        } = doubt;
        let (mut files, mut size_bytes) = (0, 0);
        for node in nodes {
            if self.keeping.keep_loosely(node, reason.clone()) && node.is_file() {
                files += 1;
                size_bytes += if node.is_first_link() {
                    node.size_bytes()
                } else {
                    0
                };
            }
        }
        if files == 0 {
            return;
        }
        let known = self.doubts.entry(what.to_owned());
        let known = known.or_insert_with(|| Generosity {
            what: what.to_owned(),
            because: because.to_owned(),
            files: 0,
            size_bytes: 0,
            saved_by: Some(saved_by.to_owned()),
        });
        known.files += files;
        known.size_bytes += size_bytes;
    }

    /// True for compiled files that were looked at.
    pub(crate) fn is_compiled(&self, node: Node<'_>) -> bool {
        self.compiled.contains_key(&node.id())
    }

    /// True for what chooses at run time which code it loads: compiled
    /// programs that, or whose own libraries, ask for that, and all scripts.
    pub(crate) fn is_open_ended(&self, node: Node<'_>) -> bool {
        let Some(loads) = self.compiled.get(&node.id()) else {
            return true;
        };
        let libraries = self.libraries.get(&node.id());
        *loads
            || libraries.into_iter().flat_map(|all| all.iter()).any(|&id| {
                let name = self.facts.tree.at(id).map_or(&b""[..], |node| node.name());
                !is_known_to_load(name) && self.compiled.get(&id) == Some(&true)
            })
    }

    /// Programs that the image starts, that a probe ran, or that kept files
    /// run, in the order of the tree.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let started = self.started.iter();
        let ids = started.chain(&self.executed).chain(&self.reached).copied();
        let ids: BTreeSet<usize> = ids.collect();
        let tree = self.facts.tree;
        ids.into_iter().filter_map(|id| tree.at(id))
    }

    /// What was kept in doubt, largest first.
    pub(crate) fn generosities(&self) -> Vec<Generosity> {
        let mut all: Vec<_> = self.doubts.values().cloned().collect();
        all.sort_by(|a, b| {
            b.size_bytes
                .cmp(&a.size_bytes)
                .then_with(|| a.what.cmp(&b.what))
        });
        all
    }
}

/// Looks at every kept file that nobody has looked at.
pub(crate) fn run(work: &mut Work<'_>) {
    while let Some(node) = work.keeping.next_fresh() {
        if node.link_target().is_some() {
            let reason = Reason::because(ReasonKind::Needed, file_path(node), "links to it");
            let firmly = work.keeping.is_firm(node);
            work.keeping
                .keep_path_as(node.path(), Follow::All, &reason, firmly);
        } else if node.is_file() {
            let is_trusted = work.keeping.is_firm(node) && !is_general(work, node);
            for lead in known_leads(work, node, is_trusted).iter() {
                let word = |is_told| word_of(work, node, is_trusted, is_told, lead);
                let saved_by = match word(true) {
                    Word::Passed => BY_PROBE,
                    _ => BY_DROP,
                };
                let firmly = match word(work.facts.is_told) {
                    Word::Taken => true,
                    Word::Doubted => false,
                    Word::Passed => continue,
                };
                take(work, lead, firmly, saved_by);
            }
        }
    }
}

/// How far a file's word is taken.
enum Word {
    /// What it leads to is needed, and followed as such.
    Taken,
    /// What it leads to is kept, in doubt.
    Doubted,
    /// Not at all.
    Passed,
}

/// What is loaded is loaded, whoever says so. What is run or opened on some day
/// depends on who names it, and on whether probes would have shown it.
fn word_of(work: &Work<'_>, node: Node<'_>, is_trusted: bool, is_told: bool, lead: &Lead) -> Word {
    match (is_trusted, lead.edge.how) {
        (_, How::Choice) if is_told => Word::Passed,
        (true, How::Runs) if is_told && lead.is_text && is_library(node) => Word::Passed,
        (true, How::Family) if is_told && lead.is_text && is_of_the_system(work, node) => {
            Word::Passed
        }
        (true, How::Runs | How::Family) if is_told && is_packaged(work, node) => Word::Passed,
        (true, How::Runs | How::Names | How::Family) if lead.is_text => Word::Doubted,
        (true, _) => Word::Taken,
        (false, How::Interpreter) if is_told => Word::Passed,
        (false, How::Family)
            if !lead.is_text && is_library(node) && is_small(work, lead, is_told) =>
        {
            Word::Doubted
        }
        (false, How::Runs) if !is_told && lead.is_of_a_shell => Word::Doubted,
        (false, How::Runs | How::Names | How::Family | How::Choice) => Word::Passed,
        (false, _) => Word::Doubted,
    }
}

/// True where everything below a directory costs too little to be asked for.
fn is_small(work: &Work<'_>, lead: &Lead, is_told: bool) -> bool {
    let most = match is_told {
        true => SMALL_WHEN_TOLD,
        false => SMALL,
    };
    let Ok(end) = work.facts.tree.resolve(&lead.edge.to, Follow::All) else {
        return true;
    };
    let mut sizes = work.facts.memory.sizes.borrow_mut();
    let size = sizes.entry(end.id()).or_insert_with(|| {
        let below = end.subtree().map(|node| node.size_bytes());
        below.sum()
    });
    *size <= most
}

/// True for what a package of the operating system brought.
fn is_of_the_system(work: &Work<'_>, node: Node<'_>) -> bool {
    let owner = work.facts.installed.owner(&node.path());
    owner.is_some_and(|(package, _)| package.kind.is_system())
}

/// True for shared libraries, and for the dynamic loader, which is executed
/// with every program and is none.
pub(crate) fn is_library(node: Node<'_>) -> bool {
    let name = node.name();
    name.starts_with(b"ld-") || name.windows(3).any(|part| part == b".so")
}

/// What was read out of an image's files, for the next selection from it.
#[derive(Default)]
pub struct Memory {
    memo: Memo,
    files: RefCell<HashMap<(usize, bool), Known>>,
    /// Bytes below directories.
    sizes: RefCell<HashMap<usize, u64>>,
}

/// What was read out of one file.
#[derive(Clone)]
struct Known {
    leads: Rc<[Lead]>,
    /// Of a compiled file, whether it loads code at run time, and its libraries.
    compiled: Option<(bool, Rc<[usize]>)>,
}

/// Where a file leads.
struct Lead {
    by: ImagePath,
    edge: Edge,
    /// Known by a text that may as well mean something else.
    is_text: bool,
    /// A command of a shell script.
    is_of_a_shell: bool,
}

/// True for modules whose names of tools say nothing about the application;
/// what they import and load does.
fn is_general(work: &Work<'_>, node: Node<'_>) -> bool {
    unit_kind(work, node).is_some_and(UnitKind::is_general)
}

/// True for modules that a package manager of a language installed.
fn is_packaged(work: &Work<'_>, node: Node<'_>) -> bool {
    unit_kind(work, node).is_some_and(UnitKind::is_packaged)
}

fn unit_kind(work: &Work<'_>, node: Node<'_>) -> Option<UnitKind> {
    let installed = work.facts.installed;
    let unit = installed.unit(&node.path())?;
    Some(installed.units()[unit].kind)
}

/// What one file leads to; `own` asks for what an application's texts may mean.
fn known_leads<'a>(work: &mut Work<'a>, node: Node<'a>, own: bool) -> Rc<[Lead]> {
    let memory = work.facts.memory;
    let id = node.id();
    // What was seen to be compiled has no such texts.
    let own = own && !work.is_compiled(node) && work.facts.installed.owner(&node.path()).is_none();
    let known = memory.files.borrow().get(&(id, own)).cloned();
    let known = known.unwrap_or_else(|| {
        let known = look(work, node, own).unwrap_or_else(|| Known {
            leads: Rc::new([]),
            compiled: None,
        });
        let mut files = memory.files.borrow_mut();
        files.insert((id, own), known.clone());
        known
    });
    if let Some((loads, libraries)) = known.compiled {
        work.compiled.insert(id, loads);
        work.libraries.insert(id, libraries);
    }
    known.leads
}

/// Reads a file; none for what cannot be read, or is too large to be.
fn look<'a>(work: &mut Work<'a>, node: Node<'a>, own: bool) -> Option<Known> {
    let contents = work.facts.contents;
    let head = contents.read(node, HEAD).ok()?;
    let is_compiled = head.starts_with(b"\x7fELF");
    let most = match is_compiled || head.starts_with(b"PK") {
        true => MOST_COMPILED,
        false => MOST_TEXT,
    };
    if node.size_bytes() > most {
        return None;
    }
    let data = contents.read(node, most).ok()?;
    let path = node.path();
    let world = work.world;
    let mut leads = Vec::new();
    let is_of_a_shell = !is_compiled && any::language(node, &data) == Some(any::Language::Shell);
    let mut add = |edges: Vec<Edge>, is_text: bool| {
        leads.extend(edges.into_iter().map(|edge| Lead {
            by: path.clone(),
            edge,
            is_text,
            is_of_a_shell,
        }));
    };
    if is_compiled {
        let libraries = work.loader.closure(node).edges;
        let loaded = libraries.iter().filter(|(_, edge)| edge.how == How::Loads);
        let loaded = loaded.filter_map(|(_, edge)| Some(world.file(&edge.to)?.id()));
        let compiled = (loads_code(&data), loaded.collect());
        if let Some(facts) = ProgramFacts::read(node, &data) {
            add(compiled::edges_of(&work.loader, node, &facts), true);
            add(companions::of(&world, &facts), false);
        }
        leads.extend(libraries.into_iter().map(|(by, edge)| Lead {
            by,
            edge,
            is_text: true,
            is_of_a_shell,
        }));
        return Some(Known {
            leads: leads.into(),
            compiled: Some(compiled),
        });
    }
    add(any::edges(&world, node, &data), false);
    add(config::edges(&world, node, &data), false);
    if own {
        add(own::edges(&world, node, &data), true);
    }
    Some(Known {
        leads: leads.into(),
        compiled: None,
    })
}

/// Keeps where a file leads, in the way that it asks for.
fn take(work: &mut Work<'_>, lead: &Lead, firmly: bool, saved_by: &str) {
    let edge = &lead.edge;
    let by = FilePath::new(&lead.by);
    let kind = match edge.how {
        How::Companion => ReasonKind::Companion,
        How::Family | How::Choice => ReasonKind::Family,
        _ => ReasonKind::Needed,
    };
    let reason = Reason::because(kind, by.clone(), edge.detail.clone());
    let end = work
        .keeping
        .keep_path_as(&edge.to, Follow::All, &reason, firmly);
    let Some(end) = end else {
        return;
    };
    match edge.how {
        How::Runs | How::Interpreter if firmly => {
            work.reached.insert(end.id());
        }
        How::Names => {
            work.named.insert(end.id());
        }
        How::Family | How::Choice if end.is_directory() => {
            let what = format!("{}/", end.path().display());
            let because = format!("{by}: {}", edge.detail);
            let doubt = Doubt {
                what: &what,
                because: &because,
                saved_by,
            };
            let (spared, members): (Vec<_>, Vec<_>) = end
                .subtree()
                .partition(|&node| spare::class(work, node).is_some());
            work.keep_in_doubt(members, &reason, doubt);
            let spared = spared.into_iter().map(|node| (node.id(), reason.clone()));
            work.spared.extend(spared);
        }
        _ => {}
    }
}
