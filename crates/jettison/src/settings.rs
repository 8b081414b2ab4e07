//! What every command needs from the environment of the process, read here and
//! nowhere else: the libraries are handed it.

use std::path::PathBuf;
use std::sync::Arc;

use jettison_engine::Context;
use jettison_engine::base::ArchiveOptions;
use jettison_engine::http::{HttpOptions, Proxies};
use jettison_engine::progress::Progress;
use jettison_engine::store::Store;
use jettison_engine::transport::{Environment, RegistryOptions, TransportOptions, Transports};
use jettison_image::Limits;
use rustix::fs::statvfs;

use crate::commands::shared::GlobalArgs;
use crate::failure::Failure;
use crate::ui::{Ui, units};

/// A variable of the environment, when it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Opens the store and gathers what deeds work with.
pub fn context(global: &GlobalArgs, ui: &Ui) -> Result<Context, Failure> {
    let store = Store::open(&store_path(global)?).map_err(|error| {
        Failure::new(error).with_hint("keep the store somewhere else with --store DIR")
    })?;
    let progress: Arc<dyn Progress> = ui.progress();
    let options = TransportOptions {
        http: HttpOptions {
            proxies: Proxies::from_variables(variable),
            ca_files: ca_files(global),
            ..HttpOptions::default()
        },
        registry: RegistryOptions {
            plain_http: global.plain_http,
            ..RegistryOptions::default()
        },
        environment: Environment::new(std::env::vars_os()),
        limits: limits(global)?,
        archives: ArchiveOptions::default(),
    };
    let transports =
        Transports::new(store, options, Arc::clone(&progress)).map_err(Failure::new)?;
    Ok(Context {
        transports,
        progress,
    })
}

/// `--store`, else `jettison` below the user's cache directory (XDG Base
/// Directory Specification).
pub fn store_path(global: &GlobalArgs) -> Result<PathBuf, Failure> {
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

/// A disk with so much room is not the one that is full, in bytes.
const MUCH_ROOM: u64 = 1 << 30;

/// Says where room is missing, which an error that names a file of an image
/// does not.
pub fn with_room(failure: Failure, global: &GlobalArgs) -> Failure {
    if failure.hint.is_some() || !failure.is_for_want_of_room() {
        return failure;
    }
    let Ok(store) = store_path(global) else {
        return failure;
    };
    let disk = store.ancestors().find_map(|path| statvfs(path).ok());
    let free = disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if free > MUCH_ROOM {
        return failure;
    }
    failure.with_hint(format!(
        "images are unpacked in {}, whose disk has {} left; `jettison store prune` frees room, \
         --store names another place",
        store.display(),
        units::bytes(free)
    ))
}

/// Certificate authorities beside the system's: flags, and the variable that
/// OpenSSL and Go know.
pub fn ca_files(global: &GlobalArgs) -> Vec<PathBuf> {
    let named = variable("SSL_CERT_FILE")
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    global.registry_ca.iter().cloned().chain(named).collect()
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
            let names = Limits::BOUNDS.map(|(name, _)| name);
            return Err(Failure::new(format!("--limit: `{word}` is not NAME=N"))
                .with_hint(format!("the names are {}", names.join(", "))));
        }
    }
    Ok(limits)
}
