//! One stage: its instructions one after another, each from the cache where
//! what it reads is what it read before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use jettison_dockerfile::graph::{Base, Graph, GraphStage};
use jettison_dockerfile::instruction::Instruction;
use jettison_dockerfile::{Tree, parse};
use jettison_image::{Digest, History, NewLayer, Platform, Timestamp, escape};
use jettison_sandbox::Sandbox;

use super::auto_cache::AutoCache;
use super::base::{NamedContext, named};
use super::cache::{CacheMode, Imported, Step};
use super::context::Context as Directory;
use super::diagnose::Scene;
use super::error::{DockerfileError, StepError};
use super::files::LayerFiles;
use super::handed::{Handed, unpacked};
use super::key::Key;
use super::layers::layers_of;
use super::source::later;
use super::state::{Action, COMMENT, Given, State};
use super::{DockerfileRequest, StageReport};
use crate::Context;

/// Of an instruction, in messages.
const SHOWN: usize = 120;

/// What all stages of a build share.
pub(crate) struct Builder<'a> {
    pub(crate) request: &'a DockerfileRequest,
    pub(crate) context: &'a Context,
    pub(crate) file: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) tree: &'a Tree,
    pub(crate) graph: &'a Graph,
    pub(crate) platform: Platform,
    /// The build context, once something reads it.
    pub(crate) directory: OnceLock<Arc<Directory>>,
    /// Once something is run.
    pub(crate) sandbox: OnceLock<Arc<Sandbox>>,
    /// Stages that nobody knew to be needed: triggers of bases copy from them.
    pub(crate) extra: Mutex<BTreeMap<usize, Arc<Stage>>>,
    /// Steps of earlier builds, elsewhere.
    pub(crate) imported: Imported,
    /// All steps that were done or known.
    pub(crate) steps: Mutex<Vec<Step>>,
    /// Who takes what from whom.
    pub(crate) handed: Handed,
    pub(crate) epoch: Timestamp,
}

/// A stage that is complete.
pub(crate) struct Stage {
    pub(crate) state: State,
    /// Lowest first, all in the store.
    pub(crate) layers: Vec<NewLayer>,
    /// How many of them are a base's.
    pub(crate) base_layers: usize,
    /// What the stage is known by.
    pub(crate) key: Digest,
    pub(crate) report: StageReport,
    /// Directories that are mounted in every RUN from now on.
    pub(super) auto: Vec<AutoCache>,
    files: OnceLock<Arc<LayerFiles>>,
    /// Its files some layers ago.
    earlier: Option<Arc<LayerFiles>>,
}

impl Stage {
    /// Its files as they are now.
    pub(crate) fn files(&self, context: &Context) -> Result<Arc<LayerFiles>, StepError> {
        if let Some(files) = self.files.get() {
            return Ok(Arc::clone(files));
        }
        let files = LayerFiles::open(&self.layers, self.earlier.as_deref(), context)?;
        let files = Arc::new(files);
        Ok(Arc::clone(self.files.get_or_init(|| files)))
    }

    pub(super) fn push(&mut self, key: Digest, layer: Option<NewLayer>) {
        self.key = key;
        if let Some(layer) = layer {
            self.state.made_layer();
            self.layers.push(layer);
            self.earlier = self.files.take().or(self.earlier.take());
        }
    }
}

impl Builder<'_> {
    /// Builds a stage; those that it needs are there.
    pub(crate) fn stage(
        &self,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<Stage, DockerfileError> {
        let syntax = &self.tree.stages().all()[node.index];
        let all = self.tree.instructions();
        let from = &all[syntax.from];
        let mut stage = self
            .begin(node, needed)
            .map_err(|error| self.at(node, from, error))?;
        for trigger in stage.state.take_triggers() {
            let made = self.trigger(&mut stage, &trigger, node, needed);
            made.map_err(|error| self.at(node, from, error))?;
        }
        let own = syntax.instructions(all).iter();
        for instruction in own.filter(|_| !node.is_context) {
            let text = self.tree.text(&instruction.range);
            self.step(&mut stage, instruction, text, node, needed)
                .map_err(|error| self.at(node, instruction, error))?;
        }
        Ok(stage)
    }

    /// The steps for a cache: the target's and what it stands on first.
    pub(crate) fn steps_of(&self, mode: CacheMode) -> Vec<Step> {
        let mut chain = vec![self.graph.target];
        while let Some(node) = chain.last().and_then(|at| self.graph.all.get(*at))
            && let Base::Stage(below) = &node.base
        {
            chain.push(*below);
        }
        let held = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut steps, others): (Vec<Step>, Vec<Step>) = held
            .iter()
            .cloned()
            .partition(|step| chain.contains(&step.stage));
        // Stages are built side by side; the same steps make the same cache.
        steps.sort_by_key(|step| step.key);
        if mode == CacheMode::Max {
            let mut others = others;
            others.sort_by_key(|step| step.key);
            steps.extend(others);
        }
        steps
    }

    fn at(
        &self,
        node: &GraphStage,
        instruction: &Instruction,
        source: StepError,
    ) -> DockerfileError {
        let scene = Scene {
            tree: self.tree,
            graph: self.graph,
            is_lent: !self.request.lent_files.is_empty(),
        };
        DockerfileError::Step {
            hint: scene.hint(node, instruction, &source),
            file: self.file.to_owned(),
            line: instruction.lines.start,
            instruction: shown(self.tree.text(&instruction.range)),
            source: Box::new(source),
        }
    }

    /// What the stage stands on.
    fn begin(
        &self,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<Stage, StepError> {
        let syntax = &self.tree.stages().all()[node.index];
        let name = syntax.name.clone();
        let report = |base: &str| StageReport {
            index: node.index,
            name: name.clone().unwrap_or_else(|| node.index.to_string()),
            base: escape(base),
            steps: 0,
            cached: 0,
            size_bytes: 0,
            base_bytes: None,
            handed_bytes: 0,
            discarded_bytes: None,
            is_mounted: false,
        };
        let escape_character = self.tree.escape();
        let name = match &node.base {
            Base::Stage(index) => {
                let below = needed.get(index).ok_or_else(|| later(*index))?;
                self.handed.whole(*index);
                let mut report = report(&below.report.name);
                report.base_bytes = unpacked(&below.layers, self.context.store());
                return Ok(Stage {
                    state: State::above(&below.state),
                    layers: below.layers.clone(),
                    base_layers: below.base_layers,
                    key: below.key,
                    report,
                    auto: below.auto.clone(),
                    files: below.files.clone(),
                    earlier: below.earlier.clone(),
                });
            }
            Base::Name(name) => String::from_utf8_lossy(name).into_owned(),
        };
        let platform = match &node.platform {
            Some(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                let parsed = text.parse::<Platform>();
                parsed.map_err(|error| StepError::Source(format!("--platform: {error}")))?
            }
            None => self.platform.clone(),
        };
        let is_context = named(&self.request.contexts, &name).is_some();
        if name == "scratch" && !is_context {
            let state = State::scratch(&platform, escape_character);
            let key = Key::default().with("scratch").with(platform.to_string());
            return Ok(Stage {
                state,
                layers: Vec::new(),
                base_layers: 0,
                key: key.digest(),
                report: report("scratch"),
                auto: Vec::new(),
                files: OnceLock::new(),
                earlier: None,
            });
        }
        let location = match self.meant(&name) {
            NamedContext::Image(location) => location,
            NamedContext::Directory(path) => {
                let state = State::scratch(&platform, escape_character);
                let key = Key::default().with("scratch").with(platform.to_string());
                let mut stage = Stage {
                    state,
                    layers: Vec::new(),
                    base_layers: 0,
                    key: key.digest(),
                    report: report(&name),
                    auto: Vec::new(),
                    files: OnceLock::new(),
                    earlier: None,
                };
                self.lay_directory(&mut stage, &path)?;
                // BuildKit has no entry for it, and gives the layer the next one's.
                stage.state.config.history.push(History {
                    created_by: Some(format!("FROM {name}")),
                    comment: Some(COMMENT.to_owned()),
                    empty_layer: stage.layers.is_empty(),
                    ..History::default()
                });
                // It is what the stage stands on, and no step of it.
                stage.report.cached = 0;
                stage.report.size_bytes = 0;
                return Ok(stage);
            }
        };
        let image = self.bring(&location, &platform)?;
        let layers = layers_of(&image);
        let mut config = image.config.clone();
        if config.layer_history().is_none() {
            // A history that does not fit its layers helps nobody.
            config.history = layers.iter().map(|_| History::default()).collect();
        }
        config.diff_ids.clear();
        Ok(Stage {
            state: State::on(config, escape_character),
            base_layers: layers.len(),
            layers,
            key: Key::default()
                .with("image")
                .with(image.manifest_digest.as_bytes())
                .digest(),
            report: report(&name),
            auto: Vec::new(),
            files: OnceLock::new(),
            earlier: None,
        })
    }

    /// An instruction that the base left for this stage.
    fn trigger(
        &self,
        stage: &mut Stage,
        trigger: &str,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<(), StepError> {
        let (tree, errors) = parse(format!("FROM scratch\n{trigger}\n").as_bytes());
        let wrong = |error: String| StepError::Trigger {
            trigger: escape(trigger),
            error,
        };
        if let Some(error) = errors.first() {
            return Err(wrong(error.kind.to_string()));
        }
        for instruction in tree.instructions().iter().skip(1) {
            self.step(stage, instruction, trigger.as_bytes(), node, needed)
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(())
    }

    fn step(
        &self,
        stage: &mut Stage,
        instruction: &Instruction,
        text: &[u8],
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<(), StepError> {
        let given = Given {
            globals: &self.graph.globals,
            build_args: &self.request.build_args,
        };
        let step = format!("[{}] {}", stage.report.name, shown(text));
        let (begin, cached) = (Instant::now(), stage.report.cached);
        match stage.state.apply(instruction, given)? {
            Action::None => return Ok(()),
            Action::MakeDirectory => self.make_directory(stage)?,
            Action::Run(action) => self.run(stage, &action, &step, node, needed)?,
            Action::Copy { files, is_add } => self.copy(stage, &files, is_add, node, needed)?,
        }
        stage.report.steps += 1;
        let how = match stage.report.cached > cached {
            true => "from the cache".to_owned(),
            false => format!("{:.1} s", begin.elapsed().as_secs_f64()),
        };
        self.context.progress.note(&format!("{step}: {how}"));
        Ok(())
    }
}

/// An instruction on one line, shortened.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(at);
        line.push('…');
    }
    escape(&line)
}
