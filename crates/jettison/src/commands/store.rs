//! `jettison store`: what the local store holds.

use clap::{Args, Subcommand};
use jettison_engine::store::{Prune, StoredImage};
use jettison_engine::{Context, dockerfile};
use jettison_image::Reference;
use serde::Serialize;

use super::shared::{Format, FormatArgs, GlobalArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::ui::units::{bytes, count};
use crate::ui::{Table, Ui};

/// List or tidy the local store
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What is done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// List the images in the store
    List(FormatArgs),
    /// Remove names from the store
    ///
    /// What they alone refer to goes with the next `store prune`.
    Remove {
        /// Names as `store list` shows them
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Remove what no name refers to
    Prune {
        /// Remove named images and caches too
        #[arg(long)]
        all: bool,
    },
}

/// Lists, removes or prunes.
pub fn store(args: &StoreArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let context = settings::context(global, ui)?;
    match &args.command {
        StoreCommand::List(format) => list(format.format, &context, ui),
        StoreCommand::Remove { names } => remove(names, &context, ui),
        StoreCommand::Prune { all } => prune(*all, &context, ui),
    }
}

fn list(format: Format, context: &Context, ui: &Ui) -> Result<Exit, Failure> {
    let store = context.store();
    let images = store.list().map_err(Failure::new)?;
    if format == Format::Json {
        return json(&images, context, ui);
    }
    let mut table = Table::new(&[
        "name",
        "digest",
        "platform",
        ">unpacked",
        ">on the wire",
        "created",
    ]);
    let unknown = || "?".to_owned();
    for image in &images {
        table.row([
            familiar(&image.stored.name),
            image.stored.digest.short(),
            image.platform.clone().unwrap_or_else(unknown),
            image.unpacked_bytes.map_or_else(unknown, bytes),
            image.wire_bytes.map_or_else(unknown, bytes),
            image.created.clone().unwrap_or_default(),
        ]);
    }
    match images.is_empty() {
        true => ui.say(&format!("no images in {}", store.path().display())),
        false => ui.answer(&table.render())?,
    }
    Ok(Exit::Fine)
}

fn json(images: &[StoredImage], context: &Context, ui: &Ui) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Document {
        schema: &'static str,
        path: String,
        images: Vec<Row>,
    }
    #[derive(Serialize)]
    struct Row {
        name: String,
        manifest: String,
        media_type: String,
        platform: Option<String>,
        unpacked_bytes: Option<u64>,
        wire_bytes: Option<u64>,
        created: Option<String>,
    }
    let rows = images.iter().map(|image| Row {
        name: image.stored.name.clone(),
        manifest: image.stored.digest.to_string(),
        media_type: image.stored.media_type.clone(),
        platform: image.platform.clone(),
        unpacked_bytes: image.unpacked_bytes,
        wire_bytes: image.wire_bytes,
        created: image.created.clone(),
    });
    ui.document(&Document {
        schema: "jettison.store/1",
        path: context.store().path().display().to_string(),
        images: rows.collect(),
    })?;
    Ok(Exit::Fine)
}

fn remove(names: &[String], context: &Context, ui: &Ui) -> Result<Exit, Failure> {
    let store = context.store();
    // All are read first: a typing mistake removes nothing.
    let mut full = Vec::new();
    for name in names {
        let reference = Reference::parse(name).map_err(Failure::new)?;
        let reference = reference.with_default_tag().to_string();
        if store.find_ref(&reference).map_err(Failure::new)?.is_none() {
            return Err(
                Failure::new(format!("{name} is not in the store; nothing was removed"))
                    .with_hint("`jettison store list` shows what is"),
            );
        }
        full.push(reference);
    }
    for name in &full {
        if store.remove_ref(name).map_err(Failure::new)? {
            ui.answer(&format!("removed {}\n", familiar(name)))?;
        }
    }
    ui.say("`jettison store prune` frees what they alone referred to");
    Ok(Exit::Fine)
}

fn prune(all: bool, context: &Context, ui: &Ui) -> Result<Exit, Failure> {
    let what = Prune {
        all,
        ..Prune::default()
    };
    let pruned = context.store().prune(&what).map_err(Failure::new)?;
    let tidied = dockerfile::prune(&what, context).map_err(Failure::new)?;
    for name in &pruned.names {
        ui.answer(&format!("removed {}\n", familiar(name)))?;
    }
    if pruned.in_use > 0 {
        let blobs = count(pruned.in_use, "blob");
        ui.say(&format!("{blobs} stay: another jettison is using them"));
    }
    if tidied.in_use > 0 {
        let caches = count(tidied.in_use, "cache");
        ui.say(&format!("{caches} of builds stay: a build is using them"));
    }
    let of_builds = match (tidied.snapshots, tidied.caches) {
        (0, 0) => String::new(),
        (layers, caches) => format!(
            ", {}, {}",
            count(layers, "unpacked layer"),
            count(caches, "cache mount")
        ),
    };
    ui.answer(&format!(
        "freed {} ({}{of_builds}); {} of images stay\n",
        bytes(pruned.freed_bytes + tidied.freed_bytes),
        count(pruned.blobs, "blob"),
        bytes(pruned.kept_bytes)
    ))?;
    Ok(Exit::Fine)
}

/// A full name as a person writes it.
fn familiar(name: &str) -> String {
    Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}
