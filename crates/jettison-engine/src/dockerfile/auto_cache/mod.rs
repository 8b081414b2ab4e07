//! Caches of compilers and package managers, mounted without being asked.
//!
//! Where a RUN uses a tool of the table, the tool's cache directory is a cache
//! mount: kept in the store between builds, and out of the layer. Once mounted
//! it is mounted in every later RUN of the stage and of those that stand on it,
//! so that all of them see what they would have seen. Where any instruction
//! could notice, nothing is mounted.

mod rules;
mod script;
mod tools;

use jettison_dockerfile::graph::GraphStage;
use jettison_dockerfile::instruction::{Mount, MountKind, Sharing};
use jettison_image::Follow;

use super::FileSystem;
use super::error::StepError;
use super::key::Key;
use super::stage::{Builder, Stage};
use super::state::{RunAction, State, joined};
use rules::{allows, overlap};
use script::Script;
use tools::{Directory, TOOLS, Tool};

/// Under which it is remembered that a directory of some layers is empty.
const EMPTY: &str = "empty-directory";

/// A directory of a stage that is a mount from now on.
#[derive(Debug, Clone)]
pub(crate) struct AutoCache {
    path: String,
    id: String,
    is_locked: bool,
}

/// Where a RUN has mounts that nobody asked for.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) paths: Vec<String>,
    /// Those of tools that this very RUN uses.
    pub(super) used: Vec<String>,
}

impl Builder<'_> {
    /// Adds the mounts to a RUN.
    pub(super) fn auto_caches(
        &self,
        stage: &mut Stage,
        action: &mut RunAction,
        node: &GraphStage,
    ) -> Result<Kept, StepError> {
        let is_root = matches!(user_of(&stage.state), "" | "0" | "root");
        if !self.request.auto_cache || !is_root {
            return Ok(Kept::default());
        }
        let script = match &action.script {
            Some((_, text)) => Script::of_text(text),
            None => Script::of_arguments(&action.argv),
        };
        let script = script.unwrap_or_default();
        let working_dir = joined("/", &stage.state.config.run.working_dir);
        let mut kept = Kept::default();
        let mut wanted = Vec::new();
        for (tool, directory) in used(&script) {
            let Some(path) = place(tool, directory, &stage.state) else {
                continue;
            };
            let is_known = stage.auto.iter().any(|known| overlap(&known.path, &path));
            let is_allowed = || {
                let (tree, graph) = (self.tree, self.graph);
                allows(
                    tree,
                    graph,
                    node.index,
                    tool,
                    directory,
                    &path,
                    &working_dir,
                )
            };
            if !is_known && is_allowed() {
                stage.auto.push(AutoCache {
                    id: id(directory, stage),
                    path: path.clone(),
                    is_locked: directory.is_locked,
                });
            }
            wanted.push(path);
        }
        let own = action.mounts.iter();
        let own = own.map(|mount| joined(&working_dir, &String::from_utf8_lossy(&mount.target)));
        let own: Vec<String> = own.collect();
        for cache in stage.auto.clone() {
            // What the author put there must be seen.
            let is_free = !own.iter().any(|path| overlap(path, &cache.path));
            if is_free && self.is_empty(stage, &cache.path)? {
                action.mounts.push(cache.mount());
                if wanted.contains(&cache.path) {
                    kept.used.push(cache.path.clone());
                }
                kept.paths.push(cache.path);
            }
        }
        Ok(kept)
    }

    /// Whether nothing lies in a directory of the stage.
    fn is_empty(&self, stage: &Stage, path: &str) -> Result<bool, StepError> {
        let layers = stage.layers.iter();
        let key = Key::default()
            .with_all(layers.map(|layer| layer.diff_id.0.as_bytes()))
            .with(path);
        let key = key.digest().to_string();
        let store = self.context.store();
        if let Some(known) = store.cached(EMPTY, &key) {
            return Ok(known == [1]);
        }
        let files = stage.files(self.context)?;
        let tree = files.tree();
        let is_empty = match tree.resolve(path, Follow::All) {
            Ok(found) => {
                found.is_directory()
                    && found.path().as_bytes() == path.trim_start_matches('/').as_bytes()
                    && found.children().next().is_none()
            }
            Err(_) => {
                // No link on the way may lead elsewhere.
                let mut parts = path.match_indices('/').map(|(at, _)| &path[..at]);
                let is_other = |part: &str| {
                    let node = tree.get(part.trim_start_matches('/'));
                    node.is_some_and(|node| !node.is_directory())
                };
                tree.get(path.trim_start_matches('/')).is_none() && !parts.any(is_other)
            }
        };
        store.put_cached(EMPTY, &key, &[u8::from(is_empty)])?;
        Ok(is_empty)
    }
}

impl AutoCache {
    fn mount(&self) -> Mount {
        Mount {
            kind: MountKind::Cache,
            target: self.path.clone().into_bytes(),
            id: self.id.clone().into_bytes(),
            sharing: Some(match self.is_locked {
                true => Sharing::Locked,
                false => Sharing::Shared,
            }),
            ..Mount::default()
        }
    }
}

/// The caches of the tools that a script runs.
fn used(script: &Script) -> impl Iterator<Item = (&'static Tool, &'static Directory)> {
    let runs = |tool: &&Tool| script.commands.iter().any(|command| command.is_of(tool));
    let tools = TOOLS.iter().filter(runs).collect::<Vec<_>>();
    let pairs = |tool: &'static Tool| tool.caches.iter().map(move |cache| (tool, cache));
    tools.into_iter().flat_map(pairs)
}

/// Where a stage has a cache; none where that cannot be told.
fn place(tool: &Tool, directory: &Directory, state: &State) -> Option<String> {
    let variable = |name: &str| {
        let value = state.variables.get(name)?;
        (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
    };
    if tool
        .veto_variables
        .iter()
        .any(|name| variable(name).is_some())
    {
        return None;
    }
    let home = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    let (value, below) = directory
        .places
        .iter()
        .find_map(|(name, below)| Some((variable(name).or_else(|| home(name))?, *below)))?;
    // A list of places: the first is written to.
    let first = value.split(':').next().unwrap_or_default();
    let path = joined(first, below);
    let is_plain = path.split('/').all(|part| !matches!(part, "." | ".."));
    let depth = path.split('/').filter(|part| !part.is_empty()).count();
    (first.starts_with('/') && is_plain && depth > 1).then(|| path.trim_end_matches('/').to_owned())
}

/// Another user's directories have another owner.
fn user_of(state: &State) -> &str {
    let user = &state.config.run.user;
    user.split(':').next().unwrap_or_default()
}

/// Caches are kept apart by base: what was compiled for one libc fits no other.
/// Those of compiled things also by what was run before, which may have
/// installed the headers and libraries that they were compiled with.
fn id(directory: &Directory, stage: &Stage) -> String {
    let base = stage.layers.iter().take(stage.base_layers);
    let mut key = Key::default().with_all(base.map(|layer| layer.diff_id.0.as_bytes()));
    if directory.is_compiled {
        let history = &stage.state.config.history;
        let steps = history.iter().filter_map(|step| step.created_by.as_deref());
        let runs: Vec<&str> = steps.filter(|text| text.starts_with("RUN ")).collect();
        // The last is the one that the cache is for.
        let before = runs.split_last().map_or(&[][..], |(_, before)| before);
        key = key.with_all(before.iter().map(|text| without_arguments(text)));
    }
    format!("auto-cache {} {}", directory.name, key.digest().hex())
}

/// `RUN |1 VERSION=7 /bin/sh -c make`: a new version loses no cache.
fn without_arguments(text: &str) -> &str {
    match text.strip_prefix("RUN |") {
        Some(rest) => rest.find("/bin/sh -c ").map_or(rest, |at| &rest[at..]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
