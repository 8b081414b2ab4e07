//! The first half of a build: the program, what it needs, and what it will
//! stand on.

use std::fs;
use std::path::{Path, PathBuf};

use jettison_closure::{Companion, ElfFacts, Need, NeedState, needs};
use jettison_recipes::{
    Failure, Project, Recipe, RecipeError, Request, RuntimeFile, Settings, Target,
    is_build_variable,
};

use super::compile::{Compiled, ask_toolchain, compile, explain_dynamic};
use super::foundation::{Foundation, lay};
use super::git::Checkout;
use super::parts::{BaseChoice, Decision, decide, terminfo_note};
use super::settings::{Said, said};
use super::source::HostSource;
use super::workshop::{CARGO_HOME, Machine, Sandboxed, Workshop, in_sandbox};
use super::{BuildError, BuildRequest};
use crate::Context;
use crate::scratch::ScratchDirectory;

/// The largest program that is looked into; nothing linked statically comes near.
const PROGRAM_BYTES: u64 = 4 << 30;

/// Everything that an image is made of.
pub(crate) struct Prepared {
    pub(crate) said: Said,
    pub(crate) checkout: Checkout,
    pub(crate) recipe: Recipe,
    pub(crate) warnings: Vec<Failure>,
    /// The program, a copy of our own.
    pub(crate) program: PathBuf,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) foundation: Foundation,
    /// Files that the sources name.
    pub(crate) named: Vec<RuntimeFile>,
    /// Holds the program.
    _directory: ScratchDirectory,
}

/// Builds the program and composes what it stands on.
pub(crate) fn prepare(request: &BuildRequest, context: &Context) -> Result<Prepared, BuildError> {
    let (source, inside) = HostSource::open(&request.project)?;
    let said = said(request)?;
    let project = Project::detect(&source, &inside)?;
    let checkout = Checkout::of(&request.project);
    let directory = ScratchDirectory::create(&context.scratch()?).map_err(BuildError::Scratch)?;
    let facts = recipe_request(request, &said, &source, &checkout, directory.path());
    let named = project
        .choose(facts.bin.as_deref())
        .map(|binary| project.runtime_files(&source, binary))
        .unwrap_or_default();
    let compiled = compiled(&project, facts, &source, request, context)?;
    let program = own_copy(&compiled.path, directory.path())?;

    let choice = BaseChoice::parse(said.settings.base.as_deref().unwrap_or_default());
    let mut program_needs = read_program(&program, &compiled.recipe, &choice)?;
    heed_environment(&mut program_needs, &said.settings);
    let decisions = decide(
        &choice,
        &program_needs,
        &said.settings.keep,
        &said.settings.drop,
    )?;
    let mut foundation = lay(
        &choice,
        &decisions,
        &said.settings,
        &compiled.recipe,
        request,
        context,
    )?;
    foundation
        .notes
        .extend(terminfo_note(&choice, &program_needs));
    Ok(Prepared {
        said,
        checkout,
        recipe: compiled.recipe,
        warnings: compiled.warnings,
        program,
        decisions,
        foundation,
        named,
        _directory: directory,
    })
}

/// The program, as the toolchain that was asked for makes it.
fn compiled(
    project: &Project,
    mut facts: Request,
    source: &HostSource,
    request: &BuildRequest,
    context: &Context,
) -> Result<Compiled, BuildError> {
    let work = |workshop: &dyn Workshop, facts: &mut Request| {
        ask_toolchain(workshop, source.root(), project, facts);
        let recipe = project.recipe(facts)?;
        Ok(compile(workshop, source, recipe, &*context.progress)?)
    };
    let packages = project.language().packages(facts.cgo);
    let Some(image) = request.toolchain.image(request.suite.as_deref(), &packages) else {
        let cache = request.compiler_cache.as_deref();
        return work(&Machine { cache }, &mut facts).map_err(|error| match error {
            BuildError::Recipe(error @ RecipeError::Toolchain { .. })
                if facts.target == facts.host =>
            {
                BuildError::Toolchain(error)
            }
            other => other,
        });
    };
    let output = PathBuf::from(&facts.output_directory);
    let given = Sandboxed {
        image: &image,
        directories: [source.root(), &output],
        environment: &request.environment,
        lent: &request.lent,
        lent_files: &request.lent_files,
    };
    in_sandbox(&given, context, |workshop, target| {
        facts.cargo_home = Some(CARGO_HOME.to_owned());
        facts.cargo_target_directory = Some(target.to_string_lossy().into_owned());
        work(workshop, &mut facts)
    })?
}

/// The toolchain's own file may be replaced by the next build at any moment,
/// and is not ours to pack.
fn own_copy(path: &Path, directory: &Path) -> Result<PathBuf, BuildError> {
    if path.starts_with(directory) {
        return Ok(path.to_owned());
    }
    let copy = directory.join("program");
    fs::copy(path, &copy).map_err(|source| BuildError::Program {
        path: path.to_owned(),
        source,
    })?;
    Ok(copy)
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
        cargo_target_directory: request
            .compiler_cache
            .as_ref()
            .map(|cache| cache.join("cargo").to_string_lossy().into_owned()),
        environment: environment.cloned().collect(),
        features: said.settings.build.features.clone(),
        cgo: said.settings.build.cgo,
        answers: Vec::new(),
    }
}

/// What the built program asks for. One that is not static has no place in an
/// image without libraries.
fn read_program(
    program: &Path,
    recipe: &Recipe,
    choice: &BaseChoice,
) -> Result<Vec<Need>, BuildError> {
    let file = crate::files::open_named(program);
    let bytes = file.and_then(|file| crate::files::read_bounded(file, PROGRAM_BYTES));
    let bytes = bytes.map_err(|source| BuildError::Program {
        path: program.to_owned(),
        source,
    })?;
    let not_elf = |source| BuildError::NotElf {
        name: recipe.name.clone(),
        source,
    };
    let facts = ElfFacts::read(&bytes).map_err(not_elf)?;
    let brings_libraries = matches!(choice, BaseChoice::Image(_));
    if !facts.linkage.is_static() && !brings_libraries {
        return Err(BuildError::Dynamic(explain_dynamic(recipe, &facts)));
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
