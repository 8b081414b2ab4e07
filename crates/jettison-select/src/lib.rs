//! Which paths of an image stay, and why: tree, closure, packages and traces
//! make a [`Plan`](jettison_plan::Plan).
//!
//! The order of a selection: what the image and the probes touch is kept
//! ([`start`], [`traced`]), then what that leads to, again and again until
//! nothing new comes ([`follow`]): libraries, commands, modules, companions,
//! the rest of a language's package, siblings of files that were found by
//! listing or by computed names. What no analysis can bound is kept whole, and
//! said so ([`generous`]), and so is what was installed by name
//! ([`requested`]). Nothing here runs anything or opens a file.

mod alias;
mod application;
mod document;
mod family;
mod follow;
mod generous;
mod keeping;
mod requested;
mod runtimes;
mod spare;
mod start;
mod traced;
mod whole;
mod wish;

use std::collections::BTreeMap;

use jettison_image::{FileContents, ImagePath, RunConfig, Tree};
use jettison_packages::installed::{Files, Installed};
use jettison_plan::{FilePath, Grain, Plan, Subject, Trace};

pub use follow::Memory;
pub use wish::{Wish, WishError};

/// Everything that a selection is made from.
pub struct Facts<'a> {
    /// Which image it is.
    pub subject: Subject,
    /// Its tree.
    pub tree: &'a Tree,
    /// The contents of its files.
    pub contents: &'a dyn FileContents,
    /// How its container is started.
    pub run: &'a RunConfig,
    /// Variables it is started with: the image's, and the person's over them.
    pub environment: &'a BTreeMap<String, String>,
    /// The directory it is started in.
    pub working_directory: &'a ImagePath,
    /// Its packages.
    pub installed: &'a Installed,
    /// The contents of their databases.
    pub databases: &'a dyn Files,
    /// The commands that it starts.
    pub commands: &'a [Command],
    /// What was touched, by the probe that touched it.
    pub traces: &'a [(String, Trace)],
    /// What a probe on the small image looked for, by the probe.
    pub misses: &'a [(String, FilePath)],
    /// A person said what is asked: what nobody asks for is not needed.
    pub is_told: bool,
    /// How much comes along with what is touched.
    pub grain: Grain,
    /// What a person wants kept.
    pub keep: &'a [Wish],
    /// What a person wants dropped.
    pub drop: &'a [Wish],
    /// What an earlier selection from the same image found out.
    pub memory: &'a Memory,
}

/// A command that the image, or a person, starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is for: `ENTRYPOINT and CMD`, `HEALTHCHECK`, `--cmd 2`.
    pub label: String,
    /// Program and arguments.
    pub argv: Vec<String>,
}

/// What stays.
pub struct Selection {
    /// For every node of the tree, by its place in the tree's order.
    pub keep: Vec<bool>,
    /// The same as a document, with every reason.
    pub plan: Plan,
}

/// Selects what stays.
pub fn select(facts: &Facts<'_>) -> Selection {
    let mut work = follow::Work::new(facts);
    wish::bar(&mut work);
    start::skeleton(&mut work);
    start::commands(&mut work);
    wish::keep(&mut work);
    traced::apply(&mut work);
    requested::apply(&mut work);
    loop {
        follow::run(&mut work);
        if spare::look(&mut work) {
            // What was left out of a whole may be read after all.
            work.whole.clear();
            spare::restore(&mut work);
        }
        family::apply(&mut work);
        whole::apply(&mut work);
        generous::apply(&mut work);
        alias::apply(&mut work);
        if work.keeping.is_settled() {
            break;
        }
    }
    start::records(&mut work);
    document::finish(work)
}
