//! Where every byte of an image is.
//!
//! Each layer is read once and nothing is unpacked; digests are verified while
//! it is read. What belongs to which package comes from the image's own package
//! databases, whose contents are kept on the way.

pub(crate) mod counted;
mod packages;
mod rows;
mod value;

use std::sync::Arc;

use jettison_image::account::{Collect, Contents, Survey, SurveyOptions};
use jettison_image::{Error, Image, Limits};
use jettison_packages::installed;

pub use value::*;

use crate::progress::Progress;
use crate::transport::Opened;
use counted::Counted;

/// What package databases may take in memory. Those of a distribution's largest
/// desktop images have about 40 MB.
const DATABASES: Collect = Collect {
    wanted: installed::is_database,
    file_bytes: 48 << 20,
    total_bytes: 64 << 20,
};

/// How an image is inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectOptions {
    /// Rows of largest files, wasted files, duplicates, privileged programs
    /// and directories at most.
    pub rows: usize,
    /// Threads to read with.
    pub threads: usize,
}

/// Reads an image that was found under `name` and tells where its bytes are.
pub fn inspect(
    name: &str,
    opened: &Opened,
    options: &InspectOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Inspection, Error> {
    read(name, opened, options, limits, progress).map(|(inspection, _)| inspection)
}

/// Likewise, with what was read of the image.
pub(crate) fn read(
    name: &str,
    opened: &Opened,
    options: &InspectOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Inspection, Survey), Error> {
    let image = &opened.image;
    let item = progress.begin("reading layers", Some(image.layers_bytes()));
    let counted = Image {
        source: Arc::new(Counted::new(Arc::clone(&image.source), item)),
        ..image.clone()
    };
    let reading = SurveyOptions {
        contents: Contents::Fast,
        collect: Some(DATABASES),
        threads: options.threads,
    };
    let mut survey = Survey::read(&counted, &reading, limits)?;
    drop(counted);
    let (installed, notes) = packages::scan(&mut survey);
    let mut inspection = rows::inspection(image, &survey, &installed, options.rows);
    inspection.image.name = name.to_owned();
    inspection.image.found_in = opened.origin.to_string();
    inspection.notes.extend(notes);
    Ok((inspection, survey))
}
