//! Images side by side: what each costs, what is in it, how soon it answers.
//!
//! Every image is read once and started a few times, one after the other. What
//! is compared is what a pull moves and a node holds, not how the image happens
//! to lie here: layers that are stored unpacked count as a registry would get
//! them. Nothing is judged beyond that; whether two images do the same is the
//! question of `exam`.

mod approaches;
mod fleet;
mod movers;
mod start;
mod tools;
mod value;
mod verdict;
mod wire;

use std::num::NonZero;
use std::time::Duration;

use jettison_image::account::{PrivilegedRow, Survey};
use jettison_image::{Image, Platform};
use jettison_plan::Probe;

pub use approaches::{
    APPROACHES_SCHEMA, Approach, Approaches, ApproachesError, ApproachesRequest, BuildTimes,
    approaches,
};
pub use fleet::Fleet;
pub use value::*;

use crate::Context;
use crate::inspect::{InspectOptions, Inspection, read};
use crate::surroundings::Surroundings;
use crate::transport::{Location, Opened, TransportError};
use start::Starter;

/// Programs of a kind that are named in the document.
const NAMED: usize = 100;

/// What is to be compared, and how.
#[derive(Debug, Clone)]
pub struct CompareRequest {
    /// The images by the words that name them; the first is the baseline.
    pub images: Vec<(String, Location)>,
    /// Which of several; this machine's when not given.
    pub platform: Option<Platform>,
    /// How the images are started; none: not at all.
    pub start: Option<StartRequest>,
    /// Rows of movers of each image at most.
    pub rows: usize,
    /// What the images are shipped to.
    pub fleet: Fleet,
}

/// How images are started.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// The first of them that asks something says when a start is over.
    pub probes: Vec<Probe>,
    /// What the programs need around them.
    pub surroundings: Surroundings,
    /// The time that one start is given.
    pub timeout: Duration,
}

/// Why images could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// An image cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An image cannot be read.
    #[error("{name} cannot be read")]
    Image {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: jettison_image::Error,
    },
}

/// Reads and starts every image and puts them side by side.
pub fn compare(request: &CompareRequest, context: &Context) -> Result<Compared, CompareError> {
    // What is not there or cannot be fetched costs least before anything runs.
    let mut opened = Vec::with_capacity(request.images.len());
    for (name, location) in &request.images {
        let image = context
            .transports
            .open(location, request.platform.as_ref())?;
        context.transports.fetch(&image)?;
        opened.push((name.clone(), image));
    }
    compare_opened(&opened, request, context)
}

/// The same with images that are open; those of the request are not looked at.
fn compare_opened(
    opened: &[(String, Opened)],
    request: &CompareRequest,
    context: &Context,
) -> Result<Compared, CompareError> {
    let starter = request
        .start
        .as_ref()
        .map(|start| Starter::open(start, context));
    let mut images = Vec::with_capacity(opened.len());
    let mut inspections = Vec::with_capacity(opened.len());
    for (name, opened) in opened {
        let (column, inspection) =
            column(name, opened, starter.as_ref(), context).map_err(|source| {
                CompareError::Image {
                    name: name.clone(),
                    source,
                }
            })?;
        images.push(column);
        inspections.push(inspection);
    }
    reduce(&mut images);
    let movers = movers::movers(&inspections, request.rows);
    let verdict = verdict::verdict(&images);
    Ok(Compared {
        schema: SCHEMA,
        fleet: fleet::arithmetic(request.fleet, &images),
        images,
        movers,
        verdict,
    })
}

/// Everything about one image, the reduction aside.
fn column(
    name: &str,
    opened: &Opened,
    starter: Option<&Starter<'_>>,
    context: &Context,
) -> Result<(Column, Inspection), jettison_image::Error> {
    let image = &opened.image;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let options = InspectOptions { rows: 0, threads };
    let progress = &*context.progress;
    let (inspection, survey) = read(name, opened, &options, context.limits(), progress)?;
    let wire = wire::packed_bytes(image, threads, progress)?;
    let mut notes = inspection.notes.clone();
    if image.layers.iter().any(wire::is_plain) {
        notes.push(
            "its layers are stored unpacked; on the wire they are counted as gzip packs them \
             on the way into a registry"
                .to_owned(),
        );
    }
    let start = starter.map(|starter| starter.measure(image, survey.tree()));
    let totals = &inspection.totals;
    let column = Column {
        image: inspection.image.clone(),
        wire_bytes: wire.iter().sum(),
        last_layer_wire_bytes: wire.last().copied().unwrap_or_default(),
        unpacked_bytes: totals.unpacked_bytes,
        wasted_bytes: totals.wasted_bytes,
        layers: totals.layers,
        files: totals.files,
        packages: totals.packages,
        setuid: holders(&survey, |row| row.mode & 0o6000 != 0),
        capabilities: holders(&survey, |row| row.capabilities),
        tools: tools::tools(survey.tree(), &image.config.run.env),
        user: user(image),
        start,
        wire_reduction_percent: 0.0,
        unpacked_reduction_percent: 0.0,
        notes,
    };
    Ok((column, inspection))
}

fn holders(survey: &Survey, which: impl Fn(&PrivilegedRow) -> bool) -> Holders {
    let rows: Vec<PrivilegedRow> = survey.privileged().into_iter().filter(which).collect();
    let paths = rows.iter().take(NAMED);
    Holders {
        count: rows.len() as u64,
        paths: paths.map(|row| row.path.display().to_string()).collect(),
    }
}

/// The config's own word; it says nothing for root.
fn user(image: &Image) -> String {
    match image.config.run.user.as_str() {
        "" => "root".to_owned(),
        user => user.to_owned(),
    }
}

/// Against the first image, as tables of such comparisons have their baseline
/// in the first row.
fn reduce(images: &mut [Column]) {
    let Some((wire, unpacked)) = images
        .first()
        .map(|first| (first.wire_bytes, first.unpacked_bytes))
    else {
        return;
    };
    for image in images {
        image.wire_reduction_percent = reduction(wire, image.wire_bytes);
        image.unpacked_reduction_percent = reduction(unpacked, image.unpacked_bytes);
    }
}

/// By how many percent `bytes` are fewer than those of the baseline; negative
/// where they are more.
fn reduction(baseline: u64, bytes: u64) -> f64 {
    if baseline == 0 {
        return 0.0;
    }
    let percent = (1.0 - bytes as f64 / baseline as f64) * 100.0;
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::reduction;

    #[test]
    fn reductions() {
        for (baseline, bytes, expected) in [
            (1000, 1000, 0.0),
            (1000, 19, 98.1),
            (1000, 1500, -50.0),
            (0, 5, 0.0),
            (3, 2, 33.33),
            (3, 0, 100.0),
        ] {
            assert_eq!(reduction(baseline, bytes), expected, "{baseline} {bytes}");
        }
    }
}
