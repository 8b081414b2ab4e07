//! What every command needs from the environment of the process, read here and
//! nowhere else: the libraries are handed it.

use std::path::PathBuf;

use jettison_engine::Context;
use jettison_engine::store::Store;
use jettison_image::Limits;

use crate::commands::shared::GlobalArgs;
use crate::failure::Failure;
use crate::ui::Ui;

/// A variable of the environment, when it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Opens the store and gathers what deeds work with.
pub fn context(global: &GlobalArgs, ui: &Ui) -> Result<Context, Failure> {
    let store = Store::open(&store_path(global)?).map_err(|error| {
        Failure::new(error).with_hint("keep the store somewhere else with --store DIR")
    })?;
    Ok(Context {
        store,
        limits: limits(global)?,
        progress: ui.progress(),
    })
}

/// `--store`, else `jettison` below the user's cache directory (XDG Base
/// Directory Specification).
fn store_path(global: &GlobalArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &global.store {
        return Ok(path.clone());
    }
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
    let cache = cache.or_else(home).ok_or_else(|| {
        Failure::new("there is no cache directory: neither XDG_CACHE_HOME nor HOME is set")
            .with_hint("say where to keep images with --store DIR")
    })?;
    Ok(cache.join("jettison"))
}

/// The defaults, raised or lowered by `--limit NAME=N`.
fn limits(global: &GlobalArgs) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    for word in &global.limit {
        let known = word
            .split_once('=')
            .and_then(|(name, number)| Some((name, number.parse::<u64>().ok()?)))
            .is_some_and(|(name, number)| limits.set(name, number));
        if !known {
            return Err(Failure::new(format!("--limit: `{word}` is not NAME=N"))
                .with_hint(format!("the names are {}", Limits::NAMES.join(", "))));
        }
    }
    Ok(limits)
}
