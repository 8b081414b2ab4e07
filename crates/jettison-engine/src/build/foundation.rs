//! What lies below the program: parts composed from packages, or a base image.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jettison_closure::Companion;
use jettison_image::account::{Contents, Survey, SurveyOptions};
use jettison_image::{Image, ImagePath, Platform};
use jettison_packages::base::{BaseFile, parse_bundle};
use jettison_recipes::{Recipe, Settings};

use super::item::{Content, Item};
use super::parts::{BaseChoice, Decision, selection};
use super::{BuildError, BuildRequest};
use crate::Context;
use crate::base::{BaseRequest, compose_base, read};
use crate::transport::Location;

/// What lies below the program.
#[derive(Default)]
pub(crate) struct Foundation {
    /// A base image, with its layers in the store.
    pub(crate) image: Option<Image>,
    /// Entries of the composed base.
    pub(crate) items: Vec<Item>,
    /// Directories that need not be made again.
    pub(crate) directories: BTreeSet<ImagePath>,
    pub(crate) created_by: String,
    pub(crate) has_ca_bundle: bool,
    /// Name and version of each package that gave a file.
    pub(crate) packages: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
}

/// Lays the foundation that was chosen.
pub(crate) fn lay(
    choice: &BaseChoice,
    decisions: &[Decision],
    settings: &Settings,
    recipe: &Recipe,
    request: &BuildRequest,
    context: &Context,
) -> Result<Foundation, BuildError> {
    let mut foundation = Foundation::default();
    if let BaseChoice::Image(name) = choice {
        base_image(name, recipe, context, &mut foundation)?;
    }
    let mut cas = Vec::new();
    for path in &settings.ca {
        let bundle =
            parse_bundle(&read(path.as_ref())?, path).map_err(|source| BuildError::Ca {
                path: path.into(),
                source,
            })?;
        cas.push(bundle);
    }
    let selection = selection(decisions, cas);
    let architecture = match recipe.target.architecture() {
        "386" => "i386",
        other => other,
    };
    let base = BaseRequest {
        architecture: architecture.to_owned(),
        mirror: settings.mirror.clone(),
        suite: request.suite.clone(),
        keyring: settings.keyring.iter().map(Into::into).collect(),
        lock: request.lock.clone().or_else(|| project_lock(request)),
        now: request.now,
        selection,
    };
    let composed = compose_base(&base, context)?;
    foundation.has_ca_bundle |=
        base.selection.ca_certificates || !base.selection.extra_cas.is_empty();
    foundation.items = composed.base.files.into_iter().map(item).collect();
    let kept = |companion: Companion| {
        decisions
            .iter()
            .any(|decision| decision.part == companion.name() && decision.kept)
    };
    if kept(Companion::Temporary) {
        add_tmp(&mut foundation.items);
    }
    let names: Vec<String> = composed
        .packages
        .iter()
        .map(|(name, version)| format!("{name}={version}"))
        .collect();
    foundation.created_by = match names.is_empty() {
        true => "jettison: base files".to_owned(),
        false => format!("jettison: base from {}", names.join(" ")),
    };
    foundation.packages = composed.packages;
    foundation.notes.extend(composed.notes);
    Ok(foundation)
}

/// A lock that lies in the project is meant.
fn project_lock(request: &BuildRequest) -> Option<PathBuf> {
    let path = request.project.join("jettison.lock");
    path.is_file().then_some(path)
}

fn item(file: BaseFile) -> Item {
    let content = match file.content.is_empty() {
        true => Content::Nothing,
        false => Content::Bytes(file.content),
    };
    Item {
        entry: file.entry,
        content,
        component: file.part.as_str().to_owned(),
    }
}

fn add_tmp(items: &mut Vec<Item>) {
    let path = ImagePath::new("tmp").expect("a plain name");
    if items.iter().all(|item| item.entry.path != path) {
        items.push(Item::directory(path, 0o1777, "users, /tmp"));
    }
}

/// Brings a base image into the store.
fn base_image(
    name: &str,
    recipe: &Recipe,
    context: &Context,
    foundation: &mut Foundation,
) -> Result<(), BuildError> {
    let platform = Platform::new("linux", recipe.target.architecture(), "");
    let location = Location::parse(name).map_err(|error| BuildError::Base(error.to_string()))?;
    let opened = context.transports.open(&location, Some(&platform))?;
    context.transports.keep(&opened, &[])?;
    foundation
        .notes
        .push(format!("base {name} was found in {}", opened.origin));
    let options = SurveyOptions {
        contents: Contents::Unhashed,
        threads: 1,
        ..SurveyOptions::default()
    };
    let survey = Survey::read(&opened.image, &options, context.limits())?;
    let directories = survey.tree().iter().filter(|node| node.is_directory());
    foundation.directories = directories.map(|node| node.path()).collect();
    foundation.has_ca_bundle = survey
        .tree()
        .get(super::config::CA_BUNDLE.trim_start_matches('/'))
        .is_some();
    foundation.image = Some(opened.image);
    Ok(())
}
