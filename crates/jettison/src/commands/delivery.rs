//! Where a result goes: names in the store, the Docker engine, files,
//! registries. Everything is read before the work begins, so that a typing
//! mistake costs no build.

use std::error::Error;
use std::fmt;
use std::io::{self, BufWriter};

use clap::Args;
use jettison_engine::Context;
use jettison_engine::export::{self, ExportError, Exported};
use jettison_engine::transport::{
    Attached, Document, Location, Opened, Origin, TransportError, Written,
};
use jettison_image::{Compression, Digest, Image, Reference};
use serde::Serialize;

use super::build::LayerCompression;
use super::output::{Destination, Output, check_stdout};
use super::shared::Format;
use super::words::flag;
use crate::failure::Failure;
use crate::ui::Ui;
use crate::ui::units::count;

/// Pieces in which an archive goes to standard output.
const STDOUT_BYTES: usize = 1 << 20;

/// Where the result goes.
#[derive(Debug, Clone, Default, Args)]
pub struct DeliveryArgs {
    /// Keep the result under NAME in the store, and in the Docker engine
    /// where one answers; several times
    #[arg(long, short, value_name = "NAME")]
    pub tag: Vec<String>,

    /// Put the result there: oci:DIR[:TAG], oci-archive:FILE,
    /// docker-archive:FILE, docker-daemon:NAME, docker://REF, or buildx's
    /// type=local|tar|oci|docker|image|registry,dest=…; several times
    ///
    /// ./DIR takes the files alone (type=local), - a tar archive of them on
    /// standard output (type=tar); a bare name is one in the local store. Where
    /// an archive goes to standard output, the report goes to standard error.
    #[arg(long, short, value_name = "DEST")]
    pub output: Vec<String>,

    /// Send every tag to its registry after the proof
    #[arg(long)]
    pub push: bool,

    /// Fail where no Docker engine takes the result, instead of saying so
    #[arg(long, conflicts_with = "no_load")]
    pub load: bool,

    /// Leave the Docker engine alone
    #[arg(long)]
    pub no_load: bool,
}

/// What is asked for.
pub struct Delivery {
    names: Vec<Reference>,
    outputs: Vec<Output>,
    push: bool,
    load: Load,
    to_stdout: bool,
}

/// What the Docker engine gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    No,
    /// What has a name, where an engine answers.
    Where,
    Must,
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

    /// Files without an image around them.
    fn files(place: String, written: Exported) -> Self {
        Self {
            place,
            names: Vec::new(),
            moved_blobs: 0,
            moved_bytes: written.bytes,
            shared_blobs: 0,
            manifest: None,
            conversions: vec![format!(
                "the files alone are there: {}",
                count(written.entries as u64, "path")
            )],
            documents: Vec::new(),
            location: None,
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
        let outputs = args.output.iter().filter(|text| !text.is_empty());
        let outputs: Vec<Output> = outputs
            .map(|text| Output::parse(text))
            .collect::<Result<_, _>>()?;
        let nameless = outputs.iter().find(|output| {
            let pushes = matches!(output.to, Destination::Names { push: true, .. });
            pushes && output.names.is_empty() && names.is_empty()
        });
        if nameless.is_some() {
            return Err(
                Failure::new("--output: type=registry needs a name to push to")
                    .with_hint("add name=REGISTRY/NAME:TAG, or -t REGISTRY/NAME:TAG"),
            );
        }
        if args.push && names.is_empty() {
            return Err(Failure::new("--push needs a name to push to")
                .with_hint("add -t REGISTRY/NAME:TAG"));
        }
        Ok(Self {
            to_stdout: check_stdout(&outputs)?,
            names,
            outputs,
            push: args.push,
            load: match (args.load, args.no_load) {
                (true, _) => Load::Must,
                (false, true) => Load::No,
                (false, false) => Load::Where,
            },
        })
    }

    /// Where an archive takes standard output, the report goes elsewhere.
    pub fn clear_stdout(&self, format: Format, ui: &Ui) -> Result<(), Failure> {
        match (self.to_stdout, format) {
            (true, Format::Json) => Err(Failure::new(
                "--output: the archive and the document of --format json both want standard output",
            )
            .with_hint("give the archive a file: dest=FILE")),
            (true, Format::Text) => {
                ui.leave_stdout();
                Ok(())
            }
            (false, _) => Ok(()),
        }
    }

    /// True when files are asked for and no image.
    pub fn is_files_only(&self) -> bool {
        let mut outputs = self.outputs.iter();
        let is_named = self.push || self.load == Load::Must || !self.names.is_empty();
        !is_named && !self.outputs.is_empty() && outputs.all(Output::is_files)
    }

    /// All names that the result is given, in full.
    pub fn all_names(&self) -> Vec<String> {
        let own = self.outputs.iter().flat_map(|output| &output.names);
        let mut names: Vec<String> = Vec::new();
        for name in self.names.iter().chain(own) {
            let name = name.clone().with_default_tag().to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// How new layers are packed, so that as few destinations as possible
    /// have to pack them again.
    pub fn compression(&self, default: LayerCompression) -> LayerCompression {
        let mut wanted: Vec<Compression> = Vec::new();
        if self.push {
            wanted.push(default.into());
        }
        for output in self.outputs.iter().filter(|output| output.is_packed()) {
            let own = output.packing.and_then(|packing| packing.compression);
            wanted.push(own.unwrap_or_else(|| default.into()));
        }
        wanted.dedup();
        match wanted.as_slice() {
            [Compression::Gzip] => LayerCompression::Gzip,
            [Compression::Zstd] => LayerCompression::Zstd,
            _ => LayerCompression::None,
        }
    }

    /// Puts the image everywhere it was asked for; in the store it has the
    /// default name where none was given.
    pub fn carry_out(
        &self,
        image: &Image,
        default: Reference,
        compression: LayerCompression,
        context: &Context,
        ui: &Ui,
    ) -> Result<Vec<Delivered>, Failure> {
        let transports = &context.transports;
        let opened = Opened::new(image.clone(), Origin::Store);
        let mut delivered = Vec::new();
        let named = self.outputs.iter().filter_map(|output| match output.to {
            Destination::Names { .. } => Some(&output.names),
            _ => None,
        });
        let mut kept = self.names.clone();
        kept.extend(named.flatten().cloned());
        let loaded = kept.clone();
        // Whoever asks for files has not asked for another image of that name.
        if kept.is_empty() && !self.is_files_only() {
            kept.push(default);
        }
        let written = transports.keep(&opened, &kept).map_err(Failure::new)?;
        delivered.push(Delivered::new("local store".to_owned(), None, written));
        let must = self.outputs.iter().any(Output::is_load) || self.load == Load::Must;
        let loaded = match must {
            true => &kept,
            false => &loaded,
        };
        if must || (self.load == Load::Where && !loaded.is_empty()) {
            match transports.engine() {
                Ok(host) => {
                    let written = transports.load(image, loaded);
                    let written = written.map_err(Failure::new)?;
                    let place = format!("engine at {host}");
                    delivered.push(Delivered::new(place, None, written));
                }
                Err(error) if must => {
                    return Err(Failure::new(error).with_hint(
                        "start one, or write an archive for it: -o docker-archive:FILE",
                    ));
                }
                Err(error) => ui.say(&format!("no Docker engine has it: {error}")),
            }
        }
        for output in &self.outputs {
            self.write(
                output,
                &opened,
                compression.into(),
                context,
                ui,
                &mut delivered,
            )?;
        }
        if self.push {
            push(&opened, &self.names, &[], context, &mut delivered)?;
        }
        Ok(delivered)
    }

    fn write(
        &self,
        output: &Output,
        opened: &Opened,
        default: Compression,
        context: &Context,
        ui: &Ui,
        delivered: &mut Vec<Delivered>,
    ) -> Result<(), Failure> {
        let transports = &context.transports;
        let names = match output.names.is_empty() {
            true => &self.names,
            false => &output.names,
        };
        let (packed, said) = match output.packing {
            Some(packing) => {
                let compression = packing.compression.unwrap_or(default);
                let packed = transports.compressed(&opened.image, compression, packing.is_forced);
                let (image, said) = packed.map_err(Failure::new)?;
                (Opened::new(image, Origin::Store), said)
            }
            None => (opened.clone(), Vec::new()),
        };
        let image = &packed.image;
        let exported = |exported: Result<Exported, ExportError>| exported.map_err(Failure::new);
        match &output.to {
            Destination::Place(place) => {
                let written = transports.write(&packed, place, names);
                let mut written = written.map_err(Failure::new)?;
                written.conversions.extend(said);
                delivered.push(Delivered::new(place.to_string(), Some(place), written));
            }
            Destination::Stdout(place) => {
                let sink = BufWriter::with_capacity(STDOUT_BYTES, io::stdout().lock());
                let written = transports.write_to(image, place, names, sink);
                let mut written = written.map_err(Failure::new)?;
                written.conversions.extend(said);
                delivered.push(Delivered::new("standard output".to_owned(), None, written));
            }
            Destination::Directory(path) => {
                let written = exported(export::directory(image, path, context))?;
                if written.left_out > 0 {
                    ui.warn(&format!(
                        "{}: {} left out, a directory gets none",
                        path.display(),
                        count(written.left_out as u64, "device node")
                    ));
                }
                delivered.push(Delivered::files(path.display().to_string(), written));
            }
            Destination::Tar(Some(path)) => {
                let written = exported(export::tar_file(image, path, context))?;
                delivered.push(Delivered::files(path.display().to_string(), written));
            }
            Destination::Tar(None) => {
                let sink = BufWriter::with_capacity(STDOUT_BYTES, io::stdout().lock());
                let written = exported(export::tar(image, sink, context))?;
                delivered.push(Delivered::files("standard output".to_owned(), written));
            }
            Destination::Names { push: false, .. } => {}
            Destination::Names { push: true, .. } => {
                push(&packed, names, &said, context, delivered)?;
            }
        }
        Ok(())
    }
}

/// Sends an image to the registries of its names.
fn push(
    opened: &Opened,
    names: &[Reference],
    said: &[String],
    context: &Context,
    delivered: &mut Vec<Delivered>,
) -> Result<(), Failure> {
    for names in by_repository(names) {
        let place = format!("registry {}", names[0].domain());
        let written = context.transports.push(opened, &names);
        let mut written = written.map_err(Failure::new)?;
        written.conversions.extend(said.iter().cloned());
        let location = Location::Registry(names[0].clone());
        delivered.push(Delivered::new(place, Some(&location), written));
    }
    Ok(())
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
