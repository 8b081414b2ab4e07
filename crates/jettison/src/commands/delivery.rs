//! Where a result goes: names in the store, the Docker engine, files,
//! registries. Everything is read before the work begins, so that a typing
//! mistake costs no build.

use std::error::Error;
use std::fmt;

use clap::Args;
use jettison_engine::Context;
use jettison_engine::transport::{
    Attached, Document, Location, Opened, Origin, TransportError, Written,
};
use jettison_image::{Digest, Image, Reference};
use serde::Serialize;

use super::words::flag;
use crate::failure::Failure;
use crate::ui::Ui;

/// Where the result goes.
#[derive(Debug, Clone, Default, Args)]
pub struct DeliveryArgs {
    /// Keep the result under NAME in the store, and in the Docker engine
    /// where one answers; several times
    #[arg(long, short, value_name = "NAME")]
    pub tag: Vec<String>,

    /// Put the result there: oci:DIR[:TAG], oci-archive:FILE,
    /// docker-archive:FILE, docker-daemon:NAME, docker://REF; several times
    #[arg(long, short, value_name = "DEST")]
    pub output: Vec<String>,

    /// Send every tag to its registry after the proof
    #[arg(long)]
    pub push: bool,

    /// Leave the Docker engine alone
    #[arg(long)]
    pub no_load: bool,
}

/// What is asked for.
pub struct Delivery {
    names: Vec<Reference>,
    destinations: Vec<Location>,
    push: bool,
    load: bool,
}

/// One place where the result is now.
#[derive(Debug, Serialize)]
pub struct Delivered {
    /// The place in words.
    pub place: String,
    /// The names it has there.
    pub names: Vec<String>,
    /// Blobs that had to be sent or copied there.
    pub moved_blobs: usize,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Blobs that were there, or that a registry had in another repository.
    pub shared_blobs: usize,
    /// The manifest there, where the place keeps one.
    pub manifest: Option<Digest>,
    /// What had to be written differently there.
    pub conversions: Vec<String>,
    /// What was put beside it there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Attached>,
    #[serde(skip)]
    location: Option<Location>,
}

/// A document that could not be put beside an image.
#[derive(Debug)]
struct Unattached {
    place: String,
    delivered: String,
    source: TransportError,
}

impl fmt::Display for Unattached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place, delivered, ..
        } = self;
        write!(
            f,
            "plan and evidence cannot be put beside the image in {place}; \
             the image itself is delivered: {delivered}"
        )
    }
}

impl Error for Unattached {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl Delivered {
    fn new(place: String, location: Option<&Location>, written: Written) -> Self {
        Self {
            place,
            documents: Vec::new(),
            location: location.cloned(),
            names: written.names,
            moved_blobs: written.moved.blobs,
            moved_bytes: written.moved.bytes,
            shared_blobs: written.moved.already_there + written.moved.mounted,
            manifest: written.manifest_digest,
            conversions: written.conversions,
        }
    }

    /// Place, names and manifest.
    fn in_words(&self) -> String {
        let mut text = self.place.clone();
        if !self.names.is_empty() {
            text.push_str(&format!(": {}", self.names.join(", ")));
        }
        if let Some(manifest) = &self.manifest {
            text.push_str(&format!(" ({manifest})"));
        }
        text
    }
}

/// Puts an image to one place, without a name of its own.
pub fn write(image: &Image, place: &Location, context: &Context) -> Result<Delivered, Failure> {
    let opened = Opened::new(image.clone(), Origin::Store);
    let written = context.transports.write(&opened, place, &[]);
    Ok(Delivered::new(
        place.to_string(),
        Some(place),
        written.map_err(Failure::new)?,
    ))
}

/// Puts documents about the image beside it, wherever it went. One place where
/// that fails does not keep them from the others.
pub fn attach(
    delivered: &mut [Delivered],
    documents: &[Document],
    context: &Context,
) -> Result<(), Failure> {
    let words: Vec<String> = delivered.iter().map(Delivered::in_words).collect();
    let mut outcome = Ok(());
    for place in delivered {
        let Some(location) = &place.location else {
            continue;
        };
        match context
            .transports
            .attach(location, place.manifest, documents)
        {
            Ok(attached) => {
                place.documents = attached;
            }
            Err(source) => {
                outcome = outcome.and(Err(Failure::new(Unattached {
                    place: place.place.clone(),
                    delivered: words.join("; "),
                    source,
                })));
            }
        }
    }
    outcome
}

impl Delivery {
    /// Reads the flags.
    pub fn read(args: &DeliveryArgs) -> Result<Self, Failure> {
        let names = args.tag.iter().map(|name| Reference::parse(name));
        let names: Vec<Reference> = names.collect::<Result<_, _>>().map_err(flag("--tag"))?;
        let destinations = args.output.iter().map(|text| Location::parse(text));
        let destinations: Vec<Location> = destinations
            .collect::<Result<_, _>>()
            .map_err(flag("--output"))?;
        if args.push && names.is_empty() {
            return Err(Failure::new("--push needs a name to push to")
                .with_hint("add -t REGISTRY/NAME:TAG"));
        }
        Ok(Self {
            names,
            destinations,
            push: args.push,
            load: !args.no_load,
        })
    }

    /// True when it goes where layers are compressed.
    pub fn is_packed(&self) -> bool {
        self.push || self.destinations.iter().any(Location::is_packed)
    }

    /// Puts the image everywhere it was asked for; in the store it has the
    /// default name where none was given.
    pub fn carry_out(
        &self,
        image: &Image,
        default: Reference,
        context: &Context,
        ui: &Ui,
    ) -> Result<Vec<Delivered>, Failure> {
        let transports = &context.transports;
        let opened = Opened::new(image.clone(), Origin::Store);
        let mut delivered = Vec::new();
        let default = [default];
        let kept = if self.names.is_empty() {
            &default[..]
        } else {
            &self.names
        };
        let written = transports.keep(&opened, kept).map_err(Failure::new)?;
        delivered.push(Delivered::new("local store".to_owned(), None, written));
        if self.load && !self.names.is_empty() {
            match transports.engine() {
                Ok(host) => {
                    let written = transports.load(image, &self.names);
                    let written = written.map_err(Failure::new)?;
                    let place = format!("engine at {host}");
                    delivered.push(Delivered::new(place, None, written));
                }
                Err(error) => ui.say(&format!("no Docker engine has it: {error}")),
            }
        }
        for destination in &self.destinations {
            let written = transports.write(&opened, destination, &self.names);
            let written = written.map_err(Failure::new)?;
            let place = destination.to_string();
            delivered.push(Delivered::new(place, Some(destination), written));
        }
        if self.push {
            for names in by_repository(&self.names) {
                let place = format!("registry {}", names[0].domain());
                let written = transports.push(&opened, &names).map_err(Failure::new)?;
                let location = Location::Registry(names[0].clone());
                delivered.push(Delivered::new(place, Some(&location), written));
            }
        }
        Ok(delivered)
    }
}

/// `NAME:latest` in the store, so that the next command has something to call
/// the result by.
pub fn default_name(program: &str) -> Reference {
    let plain: String = program
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = plain.trim_matches(['-', '.', '_']);
    Reference::parse(name)
        .or_else(|_| Reference::parse("app"))
        .expect("`app` is a reference")
        .with_default_tag()
}

/// Names of one repository travel together.
fn by_repository(names: &[Reference]) -> Vec<Vec<Reference>> {
    let mut groups: Vec<Vec<Reference>> = Vec::new();
    for name in names {
        let same = |group: &&mut Vec<Reference>| {
            group[0].domain() == name.domain() && group[0].path() == name.path()
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(name.clone()),
            None => groups.push(vec![name.clone()]),
        }
    }
    groups
}
