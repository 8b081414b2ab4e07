//! Makes small images: selects, rewrites the records of what is left, filters
//! the layers. As often as something turns out to be missing, and packed only
//! once.

use std::collections::BTreeSet;

use jettison_image::filter::{Owner, Selection, laws};
use jettison_image::{Compression, Image, ImagePath, Node, Tree};
use jettison_packages::rewrite::{self, rewrite};
use jettison_plan::{FilePath, Grain, Plan, Rewritten, Subject, Touch, Trace};
use jettison_select::{Facts, Memory, select};

use super::heal::Misses;
use super::image::{SlimLayer, assemble, write_complement, write_layers};
use super::knowledge::Knowledge;
use super::table::Sizes;
use super::{SlimError, SlimRequest};
use crate::Context;
use crate::spool::Spool;

/// Makes small images of one original.
pub(super) struct Maker<'a> {
    pub(super) request: &'a SlimRequest,
    pub(super) knowledge: &'a Knowledge,
    pub(super) spool: &'a Spool,
    /// The original as it was named, packed as it is stored.
    pub(super) original: &'a Image,
    /// What the probes touched on the original.
    pub(super) traces: Vec<(String, Trace)>,
    pub(super) misses: Misses,
    pub(super) grain: Grain,
    pub(super) memory: Memory,
    pub(super) context: &'a Context,
}

/// A small image that is not packed yet.
pub(super) struct Small {
    /// With layers that are not compressed.
    pub(super) image: Image,
    layers: Vec<SlimLayer>,
    read: Spool,
    plan: Plan,
    keep: Vec<bool>,
    selection: Selection,
}

/// A small image as it is delivered.
pub(super) struct Packed {
    pub(super) image: Image,
    pub(super) with_complement: Option<Image>,
    pub(super) plan: Plan,
    pub(super) keep: Vec<bool>,
    pub(super) after: Sizes,
}

impl Small {
    pub(super) fn tree(&self) -> &Tree {
        self.read.tree()
    }

    pub(super) fn contents(&self) -> &Spool {
        &self.read
    }
}

impl Maker<'_> {
    /// Selects, and writes what was selected without packing it.
    pub(super) fn make(&self) -> Result<Small, SlimError> {
        let item = self.context.progress.begin("selecting what stays", None);
        let (keep, mut plan) = self.selected();
        let tree = self.spool.tree();
        let mut selection = Selection::new(tree);
        for node in tree.iter().filter(|node| keep[node.id()]) {
            selection.keep(node);
        }
        let mut rewritten = BTreeSet::new();
        let records = self.rewrites(&keep);
        plan.notes.extend(records.notes);
        for change in records.files {
            let Some(node) = tree.get(&change.path) else {
                continue;
            };
            match change.content {
                Some(content) => selection.rewrite(node, content),
                None => selection.drop(node),
            }
            plan.rewritten.push(Rewritten {
                path: FilePath::new(&change.path),
                change: change.change,
            });
            rewritten.insert(change.path);
        }
        plan.rewritten.sort_by(|a, b| a.path.cmp(&b.path));
        selection.split(tree, &|node| self.owner(node));
        drop(item);
        let layers = self.layers(&selection, Compression::None)?;
        let image = assemble(self.original, &layers, self.context)?;
        let read = Spool::open(&image, self.context)?;
        let broken = laws::check(tree, read.tree(), &|path| rewritten.contains(path));
        if let Some(violation) = broken.first() {
            return Err(SlimError::Law(violation.to_string()));
        }
        Ok(Small {
            image,
            layers,
            read,
            plan,
            keep,
            selection,
        })
    }

    /// Asks for more the next time: what was listed and is shorter now, then
    /// the packages of everything kept; false when there is no more to ask for.
    pub(super) fn be_more_generous(&mut self, suspects: &[FilePath]) -> bool {
        if self.misses.restore(suspects, self.spool.tree()) {
            return true;
        }
        let more = matches!(self.grain, Grain::Auto | Grain::File);
        self.grain = Grain::Package;
        more
    }

    /// Packs the layers as `compression` asks for, and writes the complement
    /// where it is wanted.
    pub(super) fn pack(
        &self,
        small: Small,
        suspects: Vec<FilePath>,
        compression: Compression,
    ) -> Result<Packed, SlimError> {
        let item = self.context.progress.begin("packing the layers", None);
        let (mut layers, image) = match compression {
            Compression::None => (small.layers, small.image),
            _ => {
                let layers = self.layers(&small.selection, compression)?;
                let image = assemble(self.original, &layers, self.context)?;
                (layers, image)
            }
        };
        let with_complement = match self.request.complement {
            true => {
                let tree = small.read.tree();
                layers.push(write_complement(
                    self.spool,
                    tree,
                    compression,
                    self.context,
                )?);
                Some(assemble(self.original, &layers, self.context)?)
            }
            false => None,
        };
        drop(item);
        let mut plan = small.plan;
        plan.suspects = suspects;
        Ok(Packed {
            with_complement,
            plan,
            after: Sizes::of(&image, small.read.tree()),
            keep: small.keep,
            image,
        })
    }

    fn layers(
        &self,
        selection: &Selection,
        compression: Compression,
    ) -> Result<Vec<SlimLayer>, SlimError> {
        Ok(write_layers(
            self.spool,
            selection,
            compression,
            self.context,
        )?)
    }

    /// Which paths stay, and why.
    fn selected(&self) -> (Vec<bool>, Plan) {
        let subject = Subject {
            manifest: self.original.manifest_digest.to_string(),
            platform: self.original.config.platform().to_string(),
        };
        let replayed = self.request.plan.as_ref();
        let is_untouched = self.misses.paths.is_empty() && self.grain == self.request.grain;
        if let Some(plan) = replayed.filter(|plan| plan.image == subject && is_untouched) {
            return (kept_by(plan, self.spool.tree()), plan.clone());
        }
        let mut traces = self.traces.clone();
        traces.extend(self.misses.listed.iter().cloned());
        traces.extend(replayed.map(roots).into_iter().flatten());
        let databases = self.knowledge.files(self.spool.tree());
        let selection = select(&Facts {
            databases: &databases,
            subject,
            tree: self.spool.tree(),
            contents: self.spool,
            run: &self.original.config.run,
            environment: &self.knowledge.environment,
            working_directory: &self.knowledge.working_directory,
            installed: &self.knowledge.installed,
            commands: &self.knowledge.commands,
            traces: &traces,
            misses: &self.misses.paths,
            is_told: self.request.exam.is_told(),
            grain: self.grain,
            keep: &self.request.keep,
            drop: &self.request.drop,
            memory: &self.memory,
        });
        (selection.keep, selection.plan)
    }

    /// Records of packages, made true again.
    fn rewrites(&self, keep: &[bool]) -> rewrite::Rewritten {
        let tree = self.spool.tree();
        let is_kept = |path: &ImagePath| tree.get(path).is_some_and(|node| keep[node.id()]);
        let files = self.knowledge.files(tree);
        rewrite(&files, &self.knowledge.installed, &is_kept)
    }

    fn owner(&self, node: Node<'_>) -> Owner {
        let installed = &self.knowledge.installed;
        match installed.owner(&node.path()) {
            Some((package, _)) if package.kind.is_system() => Owner::System,
            Some(_) => Owner::Language,
            None if is_of_the_system(&node.path()) => Owner::System,
            None => Owner::Application,
        }
    }
}

/// Directories in which what no package owns was made by packages' scripts, or
/// belongs to a runtime.
fn is_of_the_system(path: &ImagePath) -> bool {
    const SYSTEM: [&str; 11] = [
        "bin", "boot", "dev", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "var",
    ];
    let mut names = path.components();
    let (first, second) = (names.next(), names.next());
    match (first, second) {
        (Some(b"usr"), Some(b"local")) => {
            matches!(names.next(), Some(b"lib" | b"share" | b"include"))
        }
        (Some(b"etc"), Some(name)) => matches!(name, b"ssl" | b"alternatives" | b"ld.so.cache"),
        (Some(b"usr"), _) => true,
        (Some(first), _) => SYSTEM.iter().any(|system| system.as_bytes() == first),
        (None, _) => true,
    }
}

/// The nodes that a plan keeps.
fn kept_by(plan: &Plan, tree: &Tree) -> Vec<bool> {
    let mut keep = vec![false; tree.len()];
    keep[tree.root().id()] = true;
    for kept in &plan.kept {
        if let Some(node) = tree.get(&kept.path) {
            keep[node.id()] = true;
        }
    }
    keep
}

/// What a plan for another image says was touched, as traces.
fn roots(plan: &Plan) -> Vec<(String, Trace)> {
    let mut traces = Vec::new();
    for kept in plan.kept.iter().filter(|kept| kept.reason.by.is_none()) {
        let mut trace = Trace::default();
        trace.touch(kept.path.clone(), Touch::ASKED);
        traces.push((kept.reason.detail.clone(), trace));
    }
    traces
}
