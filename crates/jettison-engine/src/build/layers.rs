//! The second half of a build: layers by how often they change, and the image.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jettison_image::{
    BlobSource, EntryKind, History, Image, ImageConfig, ImagePath, NewImage, NewLayer, Schema,
};
use jettison_recipes::{LabelFacts, Recipe, RuntimeFile};

use super::assemble::{Stratum, write_layer};
use super::foundation::Foundation;
use super::item::{Content, Item, with_parents};
use super::prepare::Prepared;
use super::settings::Said;
use super::{BuildError, BuildRequest, config, include};
use crate::Context;

/// Directories of every Unix, where a program of that name cannot lie.
const TOP_DIRECTORIES: [&str; 20] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc",
    "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// An image that was written and not yet run.
pub(crate) struct Composed {
    pub(crate) image: Image,
    /// Which row of the size table each path counts in.
    pub(crate) components: Vec<(ImagePath, String)>,
    /// Files that the sources name and the image lacks.
    pub(crate) lacking: Vec<RuntimeFile>,
}

/// Writes the image of a program.
pub(crate) fn compose(
    prepared: &Prepared,
    program: &Path,
    request: &BuildRequest,
    context: &Context,
) -> Result<Composed, BuildError> {
    let Prepared {
        said,
        recipe,
        foundation,
        ..
    } = prepared;
    let entrypoint = place(&recipe.name);
    let config = config::config(
        &said.settings,
        recipe,
        &label_facts(prepared, request),
        &entrypoint,
        foundation.image.as_ref().map(|image| &image.config),
        foundation.has_ca_bundle,
    )?;
    let strata = strata(request, said, recipe, program, &entrypoint, foundation)?;
    let items = strata.iter().flat_map(|stratum| &stratum.items);
    let components: Vec<_> = items
        .map(|item| (item.entry.path.clone(), item.component.clone()))
        .collect();
    let working_dir = &config.run.working_dir;
    let lacks = |file: &&RuntimeFile| !is_there(working_dir, &file.written, &components);
    let lacking = prepared.named.iter().filter(lacks).cloned().collect();
    let image = write(request, context, config, foundation, &strata)?;
    Ok(Composed {
        image,
        components,
        lacking,
    })
}

fn label_facts(prepared: &Prepared, request: &BuildRequest) -> LabelFacts {
    let checkout = &prepared.checkout;
    let name = prepared
        .said
        .settings
        .name
        .as_ref()
        .unwrap_or(&prepared.recipe.name);
    LabelFacts {
        title: Some(name.clone()),
        version: checkout.version.clone(),
        revision: checkout.revision.clone(),
        remote: checkout.remote.clone(),
        created_seconds: request.source_date_epoch.or(checkout.committed),
    }
}

/// The program's row in the size table.
pub(crate) fn program_component(recipe: &Recipe) -> String {
    format!("program {}", recipe.name)
}

/// Where the program goes.
fn place(name: &str) -> String {
    if TOP_DIRECTORIES.contains(&name) {
        format!("/usr/local/bin/{name}")
    } else {
        format!("/{name}")
    }
}

/// Whether the image has what the program opens from its working directory.
fn is_there(working_dir: &str, written: &str, components: &[(ImagePath, String)]) -> bool {
    let path = if written.starts_with('/') {
        ImagePath::new(written)
    } else {
        ImagePath::new(format!("{working_dir}/{written}"))
    };
    path.is_ok_and(|path| components.iter().any(|(known, _)| known.starts_with(&path)))
}

/// What changes together lies together, what changes least lies lowest.
fn strata(
    request: &BuildRequest,
    said: &Said,
    recipe: &Recipe,
    program: &Path,
    entrypoint: &str,
    foundation: &Foundation,
) -> Result<Vec<Stratum>, BuildError> {
    let mut known: BTreeSet<ImagePath> = foundation.directories.clone();
    let mut strata = Vec::new();
    if !foundation.items.is_empty() {
        strata.push(Stratum {
            created_by: foundation.created_by.clone(),
            items: with_parents(foundation.items.clone(), &mut known),
        });
    }
    let path = ImagePath::new(entrypoint).expect("a program's name has no `..`");
    let included = included(request, said, &path)?;
    if !included.is_empty() {
        let words: Vec<&str> = included.iter().map(|(word, _)| word.as_str()).collect();
        let created_by = format!("jettison: include {}", words.join(" "));
        let items = included.into_iter().flat_map(|(_, items)| items).collect();
        strata.push(Stratum {
            created_by,
            items: with_parents(items, &mut known),
        });
    }
    let size_bytes = std::fs::metadata(program)
        .map_err(|source| BuildError::Program {
            path: program.to_owned(),
            source,
        })?
        .len();
    let content = Content::File(program.to_owned());
    let component = program_component(recipe);
    let program = Item::new(
        path,
        EntryKind::File { size_bytes },
        0o755,
        content,
        &component,
    );
    let mut program = with_parents(vec![program], &mut known);
    program.extend(working_directory(said, &mut known, &component));
    strata.push(Stratum {
        created_by: format!("jettison: {}", build_line(recipe)),
        items: program,
    });
    Ok(strata)
}

/// What comes along beside the program: each word with its items.
fn included(
    request: &BuildRequest,
    said: &Said,
    program: &ImagePath,
) -> Result<Vec<(String, Vec<Item>)>, BuildError> {
    let working_dir = said.settings.workdir.as_deref().unwrap_or("/");
    let mut included: Vec<(String, Vec<Item>)> = Vec::new();
    for wanted in &said.settings.include {
        let word = String::from(wanted.clone());
        // What the file says may be said again.
        if included.iter().all(|(known, _)| *known != word) {
            let items = include::include(wanted, &request.project, working_dir)?;
            included.push((word, items));
        }
    }
    include::check_places(&included, program)?;
    Ok(included)
}

/// The working directory, where nothing else brings it.
fn working_directory(said: &Said, known: &mut BTreeSet<ImagePath>, component: &str) -> Vec<Item> {
    let path = said
        .settings
        .workdir
        .as_deref()
        .and_then(|path| ImagePath::new(path).ok());
    match path {
        Some(path) if !path.is_root() && !known.contains(&path) => {
            with_parents(vec![Item::directory(path, 0o755, component)], known)
        }
        _ => Vec::new(),
    }
}

/// The command that made the program, without the paths of this machine.
fn build_line(recipe: &Recipe) -> String {
    let toolchain = recipe
        .commands
        .last()
        .map_or("", |command| command.program.as_str());
    format!(
        "{toolchain} build {} for {}",
        recipe.name, recipe.toolchain_target
    )
}

fn write(
    request: &BuildRequest,
    context: &Context,
    config: ImageConfig,
    foundation: &Foundation,
    strata: &[Stratum],
) -> Result<Image, BuildError> {
    let created = config.created.clone();
    let mut image = NewImage::new(Schema::Oci, config);
    if let Some(base) = &foundation.image {
        base_layers(base, &mut image);
    }
    for stratum in strata {
        let item = context.progress.begin("writing a layer", None);
        item.say(&stratum.created_by);
        let (layer, step): (NewLayer, History) =
            write_layer(context.store(), stratum, request.compression)?;
        drop(item);
        image.push_layer(
            layer,
            History {
                created: created.clone(),
                ..step
            },
        );
    }
    let source: Arc<dyn BlobSource> = Arc::new(context.store_source());
    let image = image.finish(source)?;
    context.store().put_blob(&image.config_bytes)?;
    context.store().put_blob(&image.manifest_bytes)?;
    Ok(image)
}

/// A base's layers as they are, with the steps that made them.
fn base_layers(base: &Image, image: &mut NewImage) {
    let mut layers = base.layers.iter().map(NewLayer::from);
    if base.config.layer_history().is_some() {
        for step in &base.config.history {
            match step.empty_layer {
                true => {
                    image.push_step(step.clone());
                }
                false => {
                    if let Some(layer) = layers.next() {
                        image.push_layer(layer, step.clone());
                    }
                }
            }
        }
    }
    for layer in layers {
        image.push_layer(layer, History::default());
    }
}
