//! The order of a build, up to the image in the store.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jettison_closure::ElfFacts;
use jettison_image::{
    BlobSource, EntryKind, History, Image, ImageConfig, ImagePath, NewImage, NewLayer, Schema,
};
use jettison_recipes::{Failure, Project, Recipe, Request, Target};

use super::assemble::{Stratum, write_layer};
use super::compile::{Compiled, ask_toolchain, compile, explain_dynamic};
use super::git::Checkout;
use super::item::{Content, Item, with_parents};
use super::source::HostSource;
use super::{BuildError, BuildRequest, config, include};
use crate::Context;

/// The largest program that is looked into; nothing linked statically comes near.
const PROGRAM_BYTES: u64 = 4 << 30;

/// Directories of every Unix, where a program of that name cannot lie.
const TOP_DIRECTORIES: [&str; 18] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc",
    "root", "run", "sbin", "sys", "tmp", "usr",
];

/// An image that was written and not yet run.
pub(crate) struct Composed {
    pub(crate) image: Image,
    pub(crate) recipe: Recipe,
    pub(crate) warnings: Vec<Failure>,
    /// The program on the host, for machines that allow no sandbox.
    pub(crate) program: std::path::PathBuf,
    /// Which row of the size table each path counts in.
    pub(crate) components: Vec<(ImagePath, String)>,
}

/// Builds the program and writes the image.
pub(crate) fn compose(request: &BuildRequest, context: &Context) -> Result<Composed, BuildError> {
    let (source, inside) = HostSource::open(&request.project)?;
    let project = Project::detect(&source, &inside)?;
    let checkout = Checkout::of(&request.project);
    let output = tempfile::tempdir_in(context.scratch()?).map_err(BuildError::scratch)?;
    let compiled = {
        let mut facts = recipe_request(request, &source, &checkout, output.path());
        ask_toolchain(source.root(), &project, &mut facts);
        let recipe = project.recipe(&facts)?;
        compile(&source, recipe, &*context.progress)?
    };
    let program = read_program(&compiled)?;
    let entrypoint = place(&compiled.recipe.name);
    let strata = strata(request, &compiled, &entrypoint)?;
    let config = config::config(
        request,
        &compiled.recipe,
        &checkout,
        &entrypoint,
        None,
        false,
    )?;
    let components = strata
        .iter()
        .flat_map(|stratum| &stratum.items)
        .map(|item| (item.entry.path.clone(), item.component.clone()))
        .collect();
    drop(program);
    let image = write(request, context, config, &strata)?;
    Ok(Composed {
        image,
        recipe: compiled.recipe,
        warnings: compiled.warnings,
        program: compiled.path,
        components,
    })
}

fn recipe_request(
    request: &BuildRequest,
    source: &HostSource,
    checkout: &Checkout,
    output: &Path,
) -> Request {
    let host = Target::from_architecture(std::env::consts::ARCH);
    let variable = |wanted: &str| {
        request
            .environment
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let cargo_home = variable("CARGO_HOME").or_else(|| Some(variable("HOME")? + "/.cargo"));
    Request {
        target: request.target,
        host,
        bin: request.bin.clone(),
        version: checkout.version.clone(),
        revision: checkout.revision.clone(),
        source_root: source.root().to_string_lossy().into_owned(),
        output_directory: output.to_string_lossy().into_owned(),
        cargo_home,
        cargo_target_directory: None,
        environment: request.environment.clone(),
        features: Vec::new(),
        cgo: false,
        answers: Vec::new(),
    }
}

/// What the built program says about itself; one that is not static has no
/// place in an image without libraries.
fn read_program(compiled: &Compiled) -> Result<ElfFacts, BuildError> {
    let file = crate::files::open_named(&compiled.path);
    let bytes = file.and_then(|file| crate::files::read_bounded(file, PROGRAM_BYTES));
    let bytes = bytes.map_err(|source| BuildError::Program {
        path: compiled.path.clone(),
        source,
    })?;
    let program = ElfFacts::read(&bytes).map_err(|source| BuildError::NotElf {
        name: compiled.recipe.name.clone(),
        source,
    })?;
    if !program.linkage.is_static() {
        return Err(BuildError::Dynamic(explain_dynamic(
            &compiled.recipe,
            &program,
        )));
    }
    Ok(program)
}

/// Where the program goes.
fn place(name: &str) -> String {
    if TOP_DIRECTORIES.contains(&name) || name == "var" || name == "srv" {
        format!("/usr/local/bin/{name}")
    } else {
        format!("/{name}")
    }
}

/// What changes together lies together, what changes least lies lowest.
fn strata(
    request: &BuildRequest,
    compiled: &Compiled,
    entrypoint: &str,
) -> Result<Vec<Stratum>, BuildError> {
    let mut known = BTreeSet::new();
    let mut strata = Vec::new();
    let mut included = Vec::new();
    let working_dir = request.working_dir.as_deref().unwrap_or("/");
    for word in &request.include {
        included.extend(include::include(word, &request.project, working_dir)?);
    }
    if !included.is_empty() {
        let created_by = format!("jettison: include {}", request.include.join(" "));
        strata.push(Stratum {
            created_by,
            items: with_parents(included, &mut known),
        });
    }
    let size_bytes = fs::metadata(&compiled.path)
        .map_err(|source| BuildError::Program {
            path: compiled.path.clone(),
            source,
        })?
        .len();
    let path = ImagePath::new(entrypoint).expect("a program's name has no `..`");
    let content = Content::File(compiled.path.clone());
    let program = Item::new(
        path,
        EntryKind::File { size_bytes },
        0o755,
        content,
        "program",
    );
    strata.push(Stratum {
        created_by: format!("jettison: {}", build_line(&compiled.recipe)),
        items: with_parents(vec![program], &mut known),
    });
    Ok(strata)
}

/// The command that made the program, without the paths of this machine.
fn build_line(recipe: &Recipe) -> String {
    recipe.commands.last().map_or_else(
        || recipe.name.clone(),
        |command| {
            format!(
                "{} {} for {}",
                command.program, recipe.name, recipe.toolchain_target
            )
        },
    )
}

fn write(
    request: &BuildRequest,
    context: &Context,
    config: ImageConfig,
    strata: &[Stratum],
) -> Result<Image, BuildError> {
    let created = config.created.clone();
    let mut image = NewImage::new(Schema::Oci, config);
    for stratum in strata {
        let item = context.progress.begin(&stratum.created_by, None);
        let (layer, step): (NewLayer, History) =
            write_layer(&context.store, stratum, request.compression)?;
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
    context.store.put_blob(&image.config_bytes)?;
    context.store.put_blob(&image.manifest_bytes)?;
    Ok(image)
}
