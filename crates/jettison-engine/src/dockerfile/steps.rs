//! The steps that make layers: each is known by what it reads, and taken from
//! the cache where that is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use jettison_dockerfile::graph::GraphStage;
use jettison_dockerfile::instruction::CopyFiles;
use jettison_dockerfile::syntax::Word;
use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::{Digest, ImagePath, NewLayer};

use super::FileSystem;
use super::add::{self, AddRequest};
use super::cache::Step;
use super::copy::{self, CopyRequest, Selection};
use super::error::StepError;
use super::key::Key;
use super::layers::{recall, remember};
use super::mounts::{Mounts, is_proxy};
use super::run::Running;
use super::snapshots::Snapshots;
use super::source::{Source, open_directory};
use super::stage::{Builder, Stage};
use super::state::{RunAction, joined};
use super::workdir::make_directory;
use crate::build::assemble::store_layer;

/// Under which it is remembered what a COPY selected.
const SELECTION: &str = "copy-selection";

impl Builder<'_> {
    /// Takes a step's result from the cache, or makes it.
    fn cached(
        &self,
        stage: &mut Stage,
        key: Digest,
        make: impl FnOnce(&Stage) -> Result<Option<NewLayer>, StepError>,
    ) -> Result<(), StepError> {
        let store = self.context.store();
        let known = match self.request.no_cache {
            true => None,
            false => recall(store, &key),
        };
        let known = match known {
            None if !self.request.no_cache => {
                let imported = self.imported.find(&key, self.context);
                if let Some(layer) = &imported {
                    remember(store, &key, layer.as_ref())?;
                }
                imported
            }
            known => known,
        };
        let layer = match known {
            Some(layer) => {
                stage.report.cached += 1;
                layer
            }
            None => {
                let made = make(stage)?;
                remember(store, &key, made.as_ref())?;
                made
            }
        };
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Step {
                stage: stage.report.index,
                key,
                layer: layer.clone(),
            });
        stage.report.size_bytes += layer.as_ref().map_or(0, |layer| layer.size_bytes);
        stage.push(key, layer);
        Ok(())
    }

    pub(super) fn make_directory(&self, stage: &mut Stage) -> Result<(), StepError> {
        let run = &stage.state.config.run;
        let (path, user) = (run.working_dir.clone(), run.user.clone());
        let key = Key::new("workdir", &stage.key).with(&path).with(&user);
        self.cached(stage, self.dated(key), |stage| {
            let files = stage.files(self.context)?;
            let owner = copy::owner(user.as_bytes(), &*files)?;
            make_directory(files.tree(), &path, owner, self.epoch, self.context.store())
        })
    }

    pub(super) fn copy(
        &self,
        stage: &mut Stage,
        files: &CopyFiles,
        is_add: bool,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<(), StepError> {
        let source = match &files.from {
            Some(from) => self.source(&from.value, true, node, needed)?,
            None => Source::Directory(self.directory()?),
        };
        let explained = |error| match files.from {
            None => self.left_out(error),
            Some(_) => error,
        };
        let request = self.copy_request(stage, files)?;
        if !is_add {
            let before = stage.layers.len();
            let copied = self.copy_of(stage, &request, &source);
            copied.map_err(explained)?;
            if let Some(from) = source.stage() {
                let made = stage.layers.get(before..).unwrap_or_default();
                made.iter().for_each(|layer| self.handed.layer(from, layer));
            }
            return Ok(());
        }
        let checksum = files.checksum.as_ref();
        let request = AddRequest {
            copy: request,
            keep_git_dir: files.keep_git_dir,
            agent: self.request.agents.get("default").cloned(),
            checksum: checksum.map(|word| word.value.clone()),
            unpack: files.unpack,
        };
        let fetched = add::fetch(
            &request,
            self.context.transports.http(),
            Some(self.context.store()),
        )?;
        let selection = add::select(&request, &fetched, source.files(self.context)?);
        let selection = selection.map_err(|error| explained(error.into()))?;
        self.copied(stage, &selection)
    }

    /// A COPY. What the same words read in the same layers is remembered, so
    /// that nothing is read where its result is known.
    fn copy_of(
        &self,
        stage: &mut Stage,
        request: &CopyRequest,
        source: &Source,
    ) -> Result<(), StepError> {
        let store = self.context.store();
        let words = match source {
            Source::Layers { layers, .. } if request.inline.is_empty() => {
                Some(words_of(request, layers).to_string())
            }
            _ => None,
        };
        let known = words.as_ref().and_then(|words| {
            let known = store.cached(SELECTION, words)?;
            Some(Digest::from_sha256(known.try_into().ok()?))
        });
        if let Some(selected) = known
            && !self.request.no_cache
            && recall(store, &self.copy_keys(stage, request, &selected).0).is_some()
        {
            let (made, next) = self.copy_keys(stage, request, &selected);
            let gone = || StepError::Source("the store lost a layer".to_owned());
            self.cached(stage, made, |_| Err(gone()))?;
            stage.key = next;
            return Ok(());
        }
        let selection = copy::select(request, source.files(self.context)?)?;
        if let Some(words) = words {
            store.put_cached(SELECTION, &words, selection.key().as_bytes())?;
        }
        self.copied(stage, &selection)
    }

    /// What a copy's layer is known by, and the stage after it.
    fn copy_keys(
        &self,
        stage: &Stage,
        request: &CopyRequest,
        selected: &Digest,
    ) -> (Digest, Digest) {
        let key = match request.is_independent() {
            true => Key::default().with("copy"),
            false => Key::new("copy", &stage.key),
        };
        let made = self.dated(key.with(selected.as_bytes()));
        // What follows depends on the stage below in any case.
        let next = Key::new("copied", &stage.key).with(made.as_bytes());
        (made, next.digest())
    }

    /// The files of a directory as what a stage stands on, `.dockerignore`
    /// heeded, as BuildKit takes a named context of that kind.
    pub(super) fn lay_directory(&self, stage: &mut Stage, path: &Path) -> Result<(), StepError> {
        let source = open_directory(path, None, self.context)?;
        let request = CopyRequest {
            sources: vec![b".".to_vec()],
            destination: b"/".to_vec(),
            working_dir: b"/".to_vec(),
            time: self.epoch,
            limits: self.context.limits().clone(),
            scratch: Some(self.context.scratch()?),
            ..CopyRequest::default()
        };
        let selection = copy::select(&request, &source)?;
        self.copied(stage, &selection)?;
        stage.base_layers = stage.layers.len();
        Ok(())
    }

    fn copy_request(&self, stage: &Stage, files: &CopyFiles) -> Result<CopyRequest, StepError> {
        let values = |words: &[Word]| words.iter().map(|word| word.value.clone()).collect();
        let value = |word: &Option<Word>| word.as_ref().map(|word| word.value.clone());
        let inline = files.inline.iter();
        let chown = value(&files.chown);
        let names = chown
            .iter()
            .flat_map(|text| text.split(|byte| *byte == b':'));
        if stage.layers.is_empty() && !files.link && names.clone().any(is_name) {
            return Err(StepError::Source(
                "--chown: nothing has a passwd here; use numbers".to_owned(),
            ));
        }
        Ok(CopyRequest {
            sources: values(&files.sources),
            inline: inline
                .map(|file| (file.name.clone(), file.content.clone()))
                .collect(),
            destination: files.destination.value.clone(),
            working_dir: joined("/", &stage.state.config.run.working_dir).into_bytes(),
            chown,
            chmod: value(&files.chmod),
            link: files.link,
            parents: files.parents,
            exclude: values(&files.exclude),
            time: self.epoch,
            limits: self.context.limits().clone(),
            scratch: Some(self.context.scratch()?),
            ..CopyRequest::default()
        })
    }

    /// Writes what was selected, unless it is known.
    fn copied(&self, stage: &mut Stage, selection: &Selection<'_>) -> Result<(), StepError> {
        let (made, next) = self.copy_keys(stage, selection.request(), &selection.key());
        self.cached(stage, made, |stage| {
            let below = match selection.is_independent() {
                true => None,
                false => Some(stage.files(self.context)?),
            };
            let below = below.as_ref().map(|files| &**files as &dyn FileSystem);
            let plan = selection.plan(below)?;
            if plan.entries().len() == 0 {
                return Ok(None);
            }
            let options = EncoderOptions::new(Compression::None);
            let layer = store_layer(self.context.store(), &options, |writer| {
                writer.date_back(self.epoch);
                Ok(plan.write(writer)?)
            })?;
            Ok(Some(NewLayer::from(&layer)))
        })?;
        stage.key = next;
        Ok(())
    }

    pub(super) fn run(
        &self,
        stage: &mut Stage,
        action: &RunAction,
        step: &str,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<(), StepError> {
        let is_offline = action.is_offline || self.request.is_offline;
        let action = RunAction {
            is_offline,
            ..action.clone()
        };
        let mut with = action.clone();
        let kept = self.auto_caches(stage, &mut with, node)?;
        let made = self.run_with(stage, &with, &kept.used, step, node, needed);
        let Err(StepError::Command { output, .. }) = &made else {
            return made;
        };
        // A program of the author's took away a directory that is a mount.
        let is_refused = |line: &str| {
            line.contains("busy") && kept.paths.iter().any(|path| line.contains(path.as_str()))
        };
        if !output.lines().any(is_refused) {
            return made;
        }
        stage.auto.clear();
        let note = format!("{step}: it removes a cache that is kept: once more without");
        self.context.progress.note(&note);
        self.run_with(stage, &action, &[], step, node, needed)
    }

    /// A RUN with the mounts that it has; `kept` are those of tools that it uses
    /// and that nobody asked for.
    fn run_with(
        &self,
        stage: &mut Stage,
        action: &RunAction,
        kept: &[String],
        step: &str,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<(), StepError> {
        let mounts = Mounts::read(self, action, &stage.state, |from| match from {
            None => Ok(Source::Directory(self.directory()?)),
            Some(name) => {
                let source = self.source(name, false, node, needed)?;
                if let Some(stage) = source.stage() {
                    self.handed.mounted(stage);
                }
                Ok(source)
            }
        })?;
        let run = &stage.state.config.run;
        let variables = stage.state.variables.iter();
        let script = action.script.iter();
        let key = Key::new("run", &stage.key)
            .with_all(&action.argv)
            .with_all(script.flat_map(|(name, content)| [name, content]))
            .with_all(variables.flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]))
            .with(&run.user)
            .with(&run.working_dir)
            .with([u8::from(action.is_offline)])
            .with_all(mounts.keys()?.iter().map(|key| key.as_bytes()));
        self.cached(stage, self.dated(key), |stage| {
            if !kept.is_empty() {
                let kept = kept.join(", ");
                let note = format!("{step}: {kept} is kept between builds, outside of the layer");
                self.context.progress.note(&note);
            }
            let sandbox = self.sandbox()?;
            let snapshots = Snapshots::open(&sandbox, self.context)?;
            let below = snapshots.stack(&stage.layers, stage.base_layers)?;
            let held = mounts.hold(&sandbox, &snapshots, self.context)?;
            let changed = |path: &ImagePath| {
                let files = stage.files(self.context).ok()?;
                let node = files.tree().get(path.as_bytes())?;
                Some(node.mtime().seconds)
            };
            let running = Running {
                sandbox: &sandbox,
                snapshots: &snapshots,
                context: self.context,
                step,
                latest: self.epoch,
                changed: &changed,
            };
            let proxies = self.request.build_args.iter();
            let proxies = proxies.filter(|(name, _)| is_proxy(name));
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let proxies = proxies.flat_map(|(name, value)| {
                let names = [name.to_ascii_uppercase(), name.to_ascii_lowercase()];
                names.map(|name| (name, text(value)))
            });
            let lent: Vec<_> = proxies.chain(self.request.lent.clone()).collect();
            running.run(&stage.state, action, &below, &held, &lent)
        })
    }

    /// A date that was asked for is in layers, so it is in the key. One that
    /// comes of the newest file or the commit is not: every edit would run
    /// every step anew.
    fn dated(&self, key: Key) -> Digest {
        match self.request.epoch {
            Some(epoch) => key.with(epoch.to_le_bytes()).digest(),
            None => key.digest(),
        }
    }
}

/// All that decides what a COPY selects in layers.
fn words_of(request: &CopyRequest, layers: &[NewLayer]) -> Digest {
    let optional = |word: &Option<Vec<u8>>| match word {
        Some(word) => [b"=", &word[..]].concat(),
        None => Vec::new(),
    };
    Key::default()
        .with_all(layers.iter().map(|layer| layer.digest.as_bytes()))
        .with_all(layers.iter().map(|layer| layer.diff_id.0.as_bytes()))
        .with_all(&request.sources)
        .with(&request.destination)
        .with(&request.working_dir)
        .with(optional(&request.chown))
        .with(optional(&request.chmod))
        .with([u8::from(request.link), u8::from(request.parents)])
        .with_all(&request.exclude)
        .digest()
}

/// True for a user or group that is no number.
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text != b"root" && !text.iter().all(u8::is_ascii_digit)
}
