//! `slim`: from any image to the smallest one that answers alike.
//!
//! Read → ask the original, traced → select → filter → ask the small image,
//! traced → put back what it missed, until it misses nothing → ask the original
//! again → compare. Each step is a file of this folder; here is their order.

mod documents;
mod heal;
mod image;
mod knowledge;
mod make;
mod table;
mod why;

use std::collections::HashSet;
use std::thread;
use std::time::Instant;

use jettison_image::compression::Compression;
use jettison_image::{Digest, Image, Platform};
use jettison_plan::{Bound, Comparison, Grain, Plan, Trace, Verdict};
use jettison_select::{Memory, Wish};

use crate::Context;
use crate::build::AssembleError;
use crate::exam::{APART, ExamError, ExamRequest, Examiner, Held, Sitting, Traced};
use crate::spool::{Spool, SpoolError};
use crate::store::StoreError;
use crate::transport::{Location, TransportError};

pub use documents::{documents, keep_documents, plan_of};
pub use table::{PackageRow, Sizes};
pub use why::{PlanDiff, Why, diff, why};

use heal::Misses;
use knowledge::Knowledge;
use make::{Maker, Packed};
use table::by_package;

/// More rounds of putting back than an honest program needs; each adds what
/// the last one missed.
const MOST_ROUNDS: usize = 8;

/// What is to be made smaller, and what must keep working.
#[derive(Debug, Clone)]
pub struct SlimRequest {
    /// The image.
    pub image: Location,
    /// Which of a list of images.
    pub platform: Option<Platform>,
    /// What both images are asked.
    pub exam: ExamRequest,
    /// How much comes along with what is needed.
    pub grain: Grain,
    /// What a person wants kept.
    pub keep: Vec<Wish>,
    /// What a person wants dropped.
    pub drop: Vec<Wish>,
    /// A plan to replay.
    pub plan: Option<Plan>,
    /// Whether a layer of all that was dropped is made.
    pub complement: bool,
    /// Of the layers.
    pub compression: Compression,
}

/// What came out.
pub struct Slimmed {
    /// The original.
    pub original: Image,
    /// The small image, in the store without a name.
    pub image: Image,
    /// The small image with all that was dropped on top.
    pub with_complement: Option<Image>,
    /// What stayed and why.
    pub plan: Plan,
    /// How both answered.
    pub evidence: Comparison,
    /// The original's sizes.
    pub before: Sizes,
    /// The small image's sizes.
    pub after: Sizes,
    /// What stayed of each package, those that shrank most first.
    pub packages: Vec<PackageRow>,
    /// How often what was missed had to be put back.
    pub rounds: usize,
    /// From the first byte read to the last answer.
    pub elapsed_ms: u64,
}

/// Why nothing came out.
#[derive(Debug, thiserror::Error)]
pub enum SlimError {
    /// The image cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The image cannot be read, or the small one not written.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The original cannot be unpacked.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The small image cannot be written.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The image could not be run and asked.
    #[error(transparent)]
    Exam(#[from] ExamError),
    /// Neither ENTRYPOINT nor CMD.
    #[error("the image names no program: it has neither ENTRYPOINT nor CMD")]
    NoCommand,
    /// The result broke a law that every result obeys: a defect of ours.
    #[error("the small image is not a part of the original: {0}")]
    Law(String),
    /// No plan is kept with an image.
    #[error("no plan is kept with {image}")]
    NoPlan {
        /// The image as it was named.
        image: String,
    },
    /// A document cannot be read or written.
    #[error("a plan or evidence document is malformed")]
    Document(#[from] serde_json::Error),
}

impl SlimError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCommand => Some("say what it runs: --cmd 'PROGRAM ARG…'".to_owned()),
            Self::NoPlan { .. } => Some(
                "`jettison slim` keeps plans in the store, beside what it pushes, and in OCI layouts; \
                 a plan in a file, as beside an archive, is named with --plan FILE"
                    .to_owned(),
            ),
            Self::Law(_) => Some("please report this image as a defect of jettison".to_owned()),
            Self::Exam(error) => error.hint(),
            _ => None,
        }
    }
}

/// Slims an image.
pub fn slim(request: &SlimRequest, context: &Context) -> Result<Slimmed, SlimError> {
    let opened = context
        .transports
        .open(&request.image, request.platform.as_ref())?;
    context.transports.fetch(&opened)?;
    slim_image(&opened.image, request, context)
}

/// Slims an image whose blobs are at hand, whatever the request names.
pub fn slim_image(
    original: &Image,
    request: &SlimRequest,
    context: &Context,
) -> Result<Slimmed, SlimError> {
    let begin = Instant::now();
    if original.config.run.argv().is_empty() && request.exam.commands.is_empty() {
        return Err(SlimError::NoCommand);
    }
    let spool = Spool::open(original, context)?;
    let knowledge = Knowledge::of(&spool, &original.config, request);

    let examiner = Examiner::open(request.exam.clone(), context)?;
    let whole = examiner.admit_read(spool.image(), spool.tree(), &spool)?;
    let traced = match request.plan {
        Some(_) => Traced::No,
        None => Traced::Yes,
    };
    let (schedule, before) = examiner.discover(&whole, traced)?;
    // Said at once: a person may rather mend the probe than wait for the verdict.
    for doubt in examiner.doubts(&schedule, &whole, &before) {
        context.progress.note(&doubt);
    }

    let mut maker = Maker {
        request,
        knowledge: &knowledge,
        spool: &spool,
        original,
        traces: owned(&before),
        misses: Misses::default(),
        grain: request.grain,
        memory: Memory::default(),
        context,
    };
    // The original is asked once more while there is something else to do.
    let ask_again = || examiner.sit(&whole, &schedule, traced);
    let (small, again) = at_once(|| maker.make(), ask_again)?;
    let mut small = Some(small?);
    let mut rounds = 0;
    let mut originals = vec![before, again?];
    let mut tried = Vec::new();
    loop {
        let small = match small.take() {
            Some(small) => small,
            None => maker.make()?,
        };
        tried.push(small.image.clone());
        let candidate = examiner.admit_read(&small.image, small.tree(), small.contents())?;
        let seen = examiner.sit(&candidate, &schedule, Traced::Yes)?;
        let traces = owned(&seen);
        if maker.misses.find(&traces, spool.tree(), small.tree()) > 0 && rounds < MOST_ROUNDS {
            rounds += 1;
            continue;
        }
        let held = Held {
            originals: &mut originals,
            candidate: Some(seen),
        };
        let evidence = examiner.compare(&schedule, &whole, &candidate, held)?;
        let suspects = Misses::suspects(&traces, spool.tree(), small.tree());
        if evidence.verdict == Verdict::Differs
            && rounds < MOST_ROUNDS
            && maker.be_more_generous(&suspects)
        {
            context.progress.note(&keeping_more(&evidence));
            rounds += 1;
            continue;
        }
        // What is not delivered need not be packed.
        let compression = match evidence.verdict {
            Verdict::Whole => request.compression,
            _ => Compression::None,
        };
        let small = maker.pack(small, suspects, compression)?;
        let evidence = judged(evidence, &small, &maker.traces);
        let kept = [Some(&small.image), small.with_complement.as_ref()];
        let kept = kept.into_iter().flatten();
        discard(
            &tried,
            kept.filter(|_| evidence.verdict == Verdict::Whole),
            context,
        )?;
        return Ok(Slimmed {
            evidence,
            original: original.clone(),
            before: Sizes::of(original, spool.tree()),
            after: small.after,
            packages: by_package(spool.tree(), &small.keep, &knowledge.installed),
            image: small.image,
            with_complement: small.with_complement,
            plan: small.plan,
            rounds,
            elapsed_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// Makes the first small image while the original is asked again, which is
/// begun late enough for a clock to go on.
fn at_once<M, A: Send>(
    make: impl FnOnce() -> M,
    ask: impl FnOnce() -> A + Send,
) -> Result<(M, A), ExamError> {
    thread::scope(|scope| {
        let again = scope.spawn(|| {
            thread::sleep(APART);
            ask()
        });
        let made = make();
        Ok((made, again.join().map_err(|_| ExamError::Broken)?))
    })
}

/// Takes out of the store what was tried and is not the result.
fn discard<'i>(
    tried: &[Image],
    kept: impl Iterator<Item = &'i Image>,
    context: &Context,
) -> Result<(), SlimError> {
    let mut blobs: HashSet<Digest> = tried.iter().flat_map(blobs).collect();
    for image in kept {
        for blob in self::blobs(image) {
            blobs.remove(&blob);
        }
    }
    Ok(context.store().discard(&blobs)?)
}

fn blobs(image: &Image) -> impl Iterator<Item = Digest> {
    let layers = image.layers.iter().map(|layer| layer.descriptor.digest);
    layers.chain([image.manifest.config.digest, image.manifest_digest])
}

/// Why another round is due, for a person who waits.
fn keeping_more(evidence: &Comparison) -> String {
    let first = evidence.first_difference();
    let first = first.and_then(|(start, probe)| Some((start, probe, probe.differences.first()?)));
    match first {
        Some((start, probe, difference)) => format!(
            "keeping more, since an answer differs: {}, {}, {}: `{}` instead of `{}`",
            start.label, probe.probe, difference.part, difference.candidate, difference.original
        ),
        None => "keeping more, since an answer differs".to_owned(),
    }
}

fn owned(sitting: &Sitting) -> Vec<(String, Trace)> {
    let traces = sitting.traces();
    traces
        .map(|(probe, trace)| (probe.to_owned(), trace.clone()))
        .collect()
}

/// The evidence about the image that is delivered: the one that was asked has
/// the same layers, not packed, and so another digest. What agrees is whole
/// only when no event was lost and something bounds every program's reach.
fn judged(mut evidence: Comparison, small: &Packed, traces: &[(String, Trace)]) -> Comparison {
    evidence.candidate.manifest = small.image.manifest_digest.to_string();
    evidence
        .original
        .manifest
        .clone_from(&small.plan.image.manifest);
    if evidence.verdict != Verdict::Whole {
        return evidence;
    }
    let lost: u64 = traces.iter().map(|(_, trace)| trace.lost).sum();
    if lost > 0 {
        let note = format!("{lost} events were lost while the original was traced");
        evidence.notes.push(note);
        evidence.verdict = Verdict::CouldNotTell;
    }
    let unbounded = small
        .plan
        .reach
        .iter()
        .filter(|reach| reach.bound == Bound::Nothing);
    for reach in unbounded {
        let note = format!(
            "nothing bounds what {} reaches: {}",
            reach.program, reach.because
        );
        evidence.notes.push(note);
        evidence.verdict = Verdict::CouldNotTell;
    }
    evidence
}
