//! Where steps read from: the build context, stages, images, named contexts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError};

use jettison_dockerfile::graph::GraphStage;
use jettison_image::{Digest, Image, NewLayer, Platform, Reference, escape};
use jettison_sandbox::Sandbox;

use super::FileSystem;
use super::add::AddError;
use super::base::{NamedContext, bring, named};
use super::context::Context as Directory;
use super::copy::CopyError;
use super::error::StepError;
use super::files::LayerFiles;
use super::layers::layers_of;
use super::run::open_sandbox;
use super::stage::{Builder, Stage};
use crate::Context;
use crate::transport::Location;

/// Paths of the context that are named because they cannot be copied.
const LEFT_OUT: usize = 5;

/// Where files are copied or mounted from.
pub(crate) enum Source {
    /// A directory of the host.
    Directory(Arc<Directory>),
    /// A stage or an image: its layers, how many of them are a base's, and what
    /// it is known by.
    Layers {
        /// Once somebody asks for them.
        files: OnceLock<Arc<LayerFiles>>,
        stage: Option<Arc<Stage>>,
        layers: Vec<NewLayer>,
        base: usize,
        key: Digest,
    },
}

impl Source {
    /// The number of the stage that it is.
    pub(crate) fn stage(&self) -> Option<usize> {
        match self {
            Self::Layers { stage, .. } => stage.as_ref().map(|stage| stage.report.index),
            Self::Directory(_) => None,
        }
    }

    pub(crate) fn files(&self, context: &Context) -> Result<&dyn FileSystem, StepError> {
        let (files, stage, layers) = match self {
            Self::Directory(directory) => return Ok(&**directory),
            Self::Layers {
                files,
                stage,
                layers,
                ..
            } => (files, stage, layers),
        };
        if let Some(files) = files.get() {
            return Ok(&**files);
        }
        let opened = match stage {
            Some(stage) => stage.files(context)?,
            None => Arc::new(LayerFiles::open(layers, None, context)?),
        };
        Ok(&**files.get_or_init(|| opened))
    }
}

impl Builder<'_> {
    /// What a name after `--from` or `from=` stands for.
    pub(super) fn source(
        &self,
        name: &[u8],
        by_number: bool,
        node: &GraphStage,
        needed: &BTreeMap<usize, Arc<Stage>>,
    ) -> Result<Source, StepError> {
        let stages = self.tree.stages();
        let found = match by_number {
            true => stages.by_name_or_number(name),
            false => stages.by_name(name),
        };
        if let Some(found) = found {
            if found.index >= node.index {
                return Err(later(found.index));
            }
            let stage = match needed.get(&found.index) {
                Some(stage) => Arc::clone(stage),
                None => self.unforeseen(found.index)?,
            };
            return Ok(Source::Layers {
                files: OnceLock::new(),
                layers: stage.layers.clone(),
                base: stage.base_layers,
                key: stage.key,
                stage: Some(stage),
            });
        }
        let name = String::from_utf8_lossy(name).into_owned();
        if by_number && name.parse::<usize>().is_ok() {
            return Err(StepError::Source(format!("there is no stage {name}")));
        }
        let location = match self.meant(&name) {
            NamedContext::Directory(path) => {
                return Ok(Source::Directory(Arc::new(self.open(&path, None)?)));
            }
            NamedContext::Image(location) => location,
        };
        let image = self.bring(&location, &self.platform);
        let image = image.map_err(|error| self.unknown(name, error))?;
        let layers = layers_of(&image);
        Ok(Source::Layers {
            files: OnceLock::new(),
            stage: None,
            base: layers.len(),
            layers,
            key: image.manifest_digest,
        })
    }

    /// What a name means that is no stage's: a named context, else an image.
    pub(super) fn meant(&self, name: &str) -> NamedContext {
        let known = named(&self.request.contexts, name).cloned();
        let meant = known.unwrap_or_else(|| NamedContext::Image(Location::Name(name.to_owned())));
        match &meant {
            NamedContext::Image(Location::Name(name)) if self.request.pull => {
                // What is no reference is refused by whoever opens it.
                let reference = Reference::parse(name).ok();
                let registry = |it| NamedContext::Image(Location::Registry(it));
                reference.map_or(meant, registry)
            }
            _ => meant,
        }
    }

    /// The image of a location, in the store.
    pub(super) fn bring(
        &self,
        location: &Location,
        platform: &Platform,
    ) -> Result<Image, StepError> {
        match (bring(location, platform, self.context), location) {
            (Err(StepError::Transport(source)), Location::Registry(reference))
                if self.request.pull =>
            {
                Err(StepError::Pull {
                    name: reference.familiar(),
                    source,
                })
            }
            (brought, _) => brought,
        }
    }

    /// Where an image cannot be had, its name may have been meant for a stage's.
    fn unknown(&self, name: String, error: StepError) -> StepError {
        let may_be_stage = !name.contains(['/', ':', '@', '.']);
        if !may_be_stage || named(&self.request.contexts, &name).is_some() {
            return error;
        }
        let stages = self.tree.stages();
        StepError::Unknown {
            name: escape(&name),
            stages: stages
                .all()
                .iter()
                .filter_map(|stage| stage.name.as_deref().map(escape))
                .collect(),
            source: Box::new(error),
        }
    }

    /// A source that is not found may only be left out.
    pub(super) fn left_out(&self, error: StepError) -> StepError {
        let path = match &error {
            StepError::Copy(CopyError::NotFound(path))
            | StepError::Add(AddError::Copy(CopyError::NotFound(path))) => path,
            _ => return error,
        };
        let below = Path::new(OsStr::from_bytes(path)).components();
        let below = below.filter(|name| matches!(name, Component::Normal(_)));
        let below: PathBuf = below.collect();
        // The links that the way goes over may lead elsewhere: then nothing is said.
        let mut on_the_way = below.ancestors().skip(1);
        let is_plain = on_the_way.all(|folder| {
            let lies = self.request.directory.join(folder);
            folder.as_os_str().is_empty() || lies.symlink_metadata().is_ok_and(|it| it.is_dir())
        });
        let lies = self.request.directory.join(&below).symlink_metadata();
        let is_known = |directory: &Directory| {
            let name = below.as_os_str().as_bytes();
            let mut unfit = directory.left_out().iter();
            directory.tree().get(name).is_some() || unfit.any(|one| one.path.as_bytes() == name)
        };
        let directory = self.directory.get();
        let directory =
            directory.filter(|directory| is_plain && lies.is_ok() && !is_known(directory));
        match directory.and_then(|directory| directory.ignore_file()) {
            Some(file) => StepError::Ignored {
                path: escape(&String::from_utf8_lossy(path)),
                file: escape(&file.to_string_lossy()),
            },
            None => error,
        }
    }

    /// A stage that only a base's trigger names.
    fn unforeseen(&self, index: usize) -> Result<Arc<Stage>, StepError> {
        let held = || self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        // Not held while stages are built: a trigger of theirs may ask for more.
        let mut built = held().clone();
        for node in self.graph.needed(index) {
            if !built.contains_key(&node.index) {
                let stage = self.stage(&node, &built);
                let stage = stage.map_err(|error| StepError::Stage(Box::new(error)))?;
                built.insert(node.index, Arc::new(stage));
            }
        }
        held().extend(built.clone());
        built.remove(&index).ok_or_else(|| later(index))
    }

    /// Such stages.
    pub(crate) fn take_extra(&self) -> BTreeMap<usize, Arc<Stage>> {
        let mut held = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *held)
    }

    /// The build context.
    pub(super) fn directory(&self) -> Result<Arc<Directory>, StepError> {
        if let Some(directory) = self.directory.get() {
            return Ok(Arc::clone(directory));
        }
        let opened = self.open(&self.request.directory, Some(self.path))?;
        Ok(Arc::clone(self.directory.get_or_init(|| Arc::new(opened))))
    }

    fn open(&self, path: &Path, file: Option<&Path>) -> Result<Directory, StepError> {
        open_directory(path, file, self.context)
    }

    pub(super) fn sandbox(&self) -> Result<Arc<Sandbox>, StepError> {
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(Arc::clone(sandbox));
        }
        let opened = open_sandbox(self.context)?;
        Ok(Arc::clone(self.sandbox.get_or_init(|| opened)))
    }
}

/// A directory of the host, walked.
pub(crate) fn open_directory(
    path: &Path,
    file: Option<&Path>,
    context: &Context,
) -> Result<Directory, StepError> {
    let _item = context.progress.begin("reading the build context", None);
    let (store, limits) = (context.store(), context.limits());
    let directory = Directory::open(path, file, Some(store), limits)?;
    let left_out = directory.left_out();
    for one in left_out.iter().take(LEFT_OUT) {
        let (path, why) = (one.path.display(), one.why);
        let note = format!("the build context's {path} cannot be copied: {why}");
        context.progress.note(&note);
    }
    if let Some(more) = left_out
        .len()
        .checked_sub(LEFT_OUT)
        .filter(|more| *more > 0)
    {
        context.progress.note(&format!("nor can {more} more"));
    }
    Ok(directory)
}

pub(crate) fn later(index: usize) -> StepError {
    StepError::Source(format!(
        "stage {index} needs to be defined before the current one"
    ))
}
