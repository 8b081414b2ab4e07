//! The order of a build, up to the image in the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_closure::{Companion, ElfFacts, Need, NeedState, needs};
use jettison_image::{
    BlobSource, EntryKind, History, Image, ImageConfig, ImagePath, NewImage, NewLayer, Schema,
};
use jettison_recipes::{
    Failure, LabelFacts, Project, Recipe, Request, RuntimeFile, Settings, Target, is_build_variable,
};

use super::assemble::{Stratum, write_layer};
use super::compile::{Compiled, ask_toolchain, compile, explain_dynamic};
use super::foundation::{Foundation, lay};
use super::git::Checkout;
use super::item::{Content, Item, with_parents};
use super::parts::{BaseChoice, Decision, decide};
use super::settings::{Said, said};
use super::source::HostSource;
use super::{BuildError, BuildRequest, config, include};
use crate::Context;

/// The largest program that is looked into; nothing linked statically comes near.
const PROGRAM_BYTES: u64 = 4 << 30;

/// Directories of every Unix, where a program of that name cannot lie.
const TOP_DIRECTORIES: [&str; 20] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc",
    "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// An image that was written and not yet run.
pub(crate) struct Composed {
    pub(crate) image: Image,
    pub(crate) said: Said,
    pub(crate) recipe: Recipe,
    pub(crate) warnings: Vec<Failure>,
    pub(crate) notes: Vec<String>,
    pub(crate) decisions: Vec<Decision>,
    /// The program on the host, for machines that allow no sandbox.
    pub(crate) program: PathBuf,
    /// Which row of the size table each path counts in.
    pub(crate) components: Vec<(ImagePath, String)>,
    /// Files that the sources name and the image lacks.
    pub(crate) lacking: Vec<RuntimeFile>,
    pub(crate) packages: Vec<(String, String)>,
    /// Kept until the program was run.
    pub(crate) _output: tempfile::TempDir,
}

/// Builds the program and writes the image.
pub(crate) fn compose(request: &BuildRequest, context: &Context) -> Result<Composed, BuildError> {
    let (source, inside) = HostSource::open(&request.project)?;
    let said = said(request)?;
    let project = Project::detect(&source, &inside)?;
    let checkout = Checkout::of(&request.project);
    let output = tempfile::tempdir_in(context.scratch()?).map_err(BuildError::Scratch)?;
    let mut facts = recipe_request(request, &said, &source, &checkout, output.path());
    ask_toolchain(source.root(), &project, &mut facts);
    let recipe = project.recipe(&facts)?;
    let lacking = project
        .choose(facts.bin.as_deref())
        .map(|binary| project.runtime_files(&source, binary))
        .unwrap_or_default();
    let compiled = compile(&source, recipe, &*context.progress)?;
    if request.upx {
        super::upx::pack(&compiled)?;
    }

    let choice = BaseChoice::parse(said.settings.base.as_deref().unwrap_or_default());
    let mut program_needs = read_program(&compiled, &choice)?;
    heed_environment(&mut program_needs, &said.settings);
    let decisions = decide(
        &choice,
        &program_needs,
        &said.settings.keep,
        &said.settings.drop,
    )?;
    let foundation = lay(
        &choice,
        &decisions,
        &said.settings,
        &compiled.recipe,
        request,
        context,
    )?;

    let entrypoint = place(&compiled.recipe.name);
    let mut notes = compiled.recipe.notes.clone();
    notes.extend(foundation.notes.iter().cloned());
    let labels = LabelFacts {
        title: Some(
            said.settings
                .name
                .clone()
                .unwrap_or_else(|| compiled.recipe.name.clone()),
        ),
        version: checkout.version.clone(),
        revision: checkout.revision.clone(),
        remote: checkout.remote.clone(),
        created_seconds: request.source_date_epoch.or(checkout.committed),
    };
    let config = config::config(
        &said.settings,
        &compiled.recipe,
        &labels,
        &entrypoint,
        foundation.image.as_ref().map(|image| &image.config),
        foundation.has_ca_bundle,
    )?;
    let packages = foundation.packages.clone();
    let strata = strata(request, &said, &compiled, &entrypoint, &foundation)?;
    let items = || strata.iter().flat_map(|stratum| &stratum.items);
    let components: Vec<_> = items()
        .map(|item| (item.entry.path.clone(), item.component.clone()))
        .collect();
    let working_dir = config.run.working_dir.clone();
    let lacking = lacking
        .into_iter()
        .filter(|file| !is_there(&working_dir, &file.written, &components))
        .collect();
    let image = write(request, context, config, &foundation, &strata)?;
    Ok(Composed {
        image,
        said,
        recipe: compiled.recipe,
        warnings: compiled.warnings,
        notes,
        decisions,
        program: compiled.path,
        components,
        lacking,
        packages,
        _output: output,
    })
}

fn recipe_request(
    request: &BuildRequest,
    said: &Said,
    source: &HostSource,
    checkout: &Checkout,
    output: &Path,
) -> Request {
    let host = Target::from_architecture(std::env::consts::ARCH);
    let variable = |wanted: &str| {
        let found = request.environment.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    let cargo_home = variable("CARGO_HOME").or_else(|| Some(variable("HOME")? + "/.cargo"));
    let environment = request
        .environment
        .iter()
        .filter(|(name, _)| is_build_variable(name));
    Request {
        target: said.settings.platform.or(host),
        host,
        bin: said.settings.bin.clone(),
        version: checkout.version.clone(),
        revision: checkout.revision.clone(),
        source_root: source.root().to_string_lossy().into_owned(),
        output_directory: output.to_string_lossy().into_owned(),
        cargo_home,
        cargo_target_directory: None,
        environment: environment.cloned().collect(),
        features: said.settings.build.features.clone(),
        cgo: said.settings.build.cgo,
        answers: Vec::new(),
    }
}

/// What the built program asks for. One that is not static has no place in an
/// image without libraries.
fn read_program(compiled: &Compiled, choice: &BaseChoice) -> Result<Vec<Need>, BuildError> {
    let file = crate::files::open_named(&compiled.path);
    let bytes = file.and_then(|file| crate::files::read_bounded(file, PROGRAM_BYTES));
    let bytes = bytes.map_err(|source| BuildError::Program {
        path: compiled.path.clone(),
        source,
    })?;
    let not_elf = |source| BuildError::NotElf {
        name: compiled.recipe.name.clone(),
        source,
    };
    let facts = ElfFacts::read(&bytes).map_err(not_elf)?;
    let brings_libraries = matches!(choice, BaseChoice::Image(_));
    if !facts.linkage.is_static() && !brings_libraries {
        return Err(BuildError::Dynamic(explain_dynamic(
            &compiled.recipe,
            &facts,
        )));
    }
    needs(&bytes).map_err(not_elf)
}

/// A `TZ` that names a zone asks for the zones, whatever the program links.
fn heed_environment(needs: &mut [Need], settings: &Settings) {
    let zone = settings
        .env
        .get("TZ")
        .map(|zone| zone.trim_start_matches(':'));
    let Some(zone) = zone.filter(|zone| !matches!(*zone, "" | "UTC" | "UTC0" | "GMT" | "GMT0"))
    else {
        return;
    };
    for need in needs
        .iter_mut()
        .filter(|need| need.companion == Companion::TimeZones)
    {
        if need.state == NeedState::NotNeeded {
            need.state = NeedState::Needed;
            need.reason = format!("is given TZ={zone} by the image");
        }
    }
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
    compiled: &Compiled,
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
    let mut included = Vec::new();
    let working_dir = said.settings.workdir.as_deref().unwrap_or("/");
    for word in &said.settings.include {
        included.extend(include::include(word, &request.project, working_dir)?);
    }
    if !included.is_empty() {
        let words: Vec<String> = said
            .settings
            .include
            .iter()
            .cloned()
            .map(String::from)
            .collect();
        strata.push(Stratum {
            created_by: format!("jettison: include {}", words.join(" ")),
            items: with_parents(included, &mut known),
        });
    }
    let size_bytes = std::fs::metadata(&compiled.path)
        .map_err(|source| BuildError::Program {
            path: compiled.path.clone(),
            source,
        })?
        .len();
    let path = ImagePath::new(entrypoint).expect("a program's name has no `..`");
    let content = Content::File(compiled.path.clone());
    let component = format!("program {}", compiled.recipe.name);
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
        created_by: format!("jettison: {}", build_line(&compiled.recipe)),
        items: program,
    });
    Ok(strata)
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
