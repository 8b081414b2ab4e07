//! Examinations: the same questions to several images, and how the answers
//! compare. `verify` holds any two images against each other with it, `slim`
//! traces, heals and proves with it.
//!
//! ```text
//! let examiner = Examiner::open(request, context)?;
//! let original = examiner.admit(&image)?;               unpacked once
//! let (schedule, first) = examiner.discover(&original, Traced::Yes)?;
//! let again = examiner.sit(&original, &schedule, Traced::Yes)?;
//! let result = examiner.compare(&schedule, &original, &candidate, …)?;
//! ```
//!
//! Images run *as shipped*: their own user and groups, Docker's capabilities
//! and system call filter, a private network, volumes as copies. Nothing here
//! runs where nothing contains a stranger's program.

mod abreast;
mod compare;
mod crawl;
mod discover;
mod files;
mod hold;
mod life;
mod noise;
mod patience;
mod questions;
mod reply;
mod schedule;
mod settle;
mod sit;
mod talk;
mod vary;
mod verdict;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jettison_image::{FileContents, Image, Node, RunConfig, Tree};
use jettison_plan::{Comparison, Probe, Subject, words};
use jettison_sandbox::{Container, Options, Profile, Root, Sandbox, Tracing};

use crate::Context;
use crate::build::{exposed_ports, healthcheck_argv};
use crate::prove::{
    Companions, PreparedServices, ProveError, RunError, SandboxRunner, container_spec, foreign,
    read_tree, stop_signal,
};
use crate::surroundings::Surroundings;
pub(crate) use compare::APART;
pub use compare::Held;
use life::Facts;
pub use schedule::{Question, Schedule, Start, Variation, Words};
use sit::Sat;
pub use sit::Sitting;
use vary::Premises;

/// What a person wants examined.
#[derive(Debug, Clone)]
pub struct ExamRequest {
    /// What must be answered; none: what we find.
    pub probes: Vec<Probe>,
    /// Further commands, each in the place of CMD and each a start of its own.
    pub commands: Vec<Vec<String>>,
    /// The text of a script that runs inside the container once it is ready.
    pub script: Option<String>,
    /// What the program needs around it.
    pub surroundings: Surroundings,
    /// From a start to the last good answer.
    pub timeout: Duration,
}

impl ExamRequest {
    /// True when a person says what is asked.
    pub fn is_told(&self) -> bool {
        !self.probes.is_empty() || !self.commands.is_empty() || self.script.is_some()
    }
}

/// Whether a sitting records what is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Why an examination could not be held.
#[derive(Debug, thiserror::Error)]
pub enum ExamError {
    /// A sandbox, an image or a companion failed.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// Something could not be run for a reason of our own.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No strong sandbox is possible here.
    #[error("no sandbox for other people's programs: {0}")]
    Uncontained(String),
    /// The image is for other machines.
    #[error("the image cannot be run here: {0}")]
    Foreign(String),
    /// A thread of ours came to no end of its own: a defect.
    #[error("the examination broke off")]
    Broken,
    /// The image says nothing to start.
    #[error("the image has neither ENTRYPOINT nor CMD")]
    NoProgram,
    /// A script was given, and the image has nothing that runs it.
    #[error("the probe script cannot be run: {0}")]
    NoShell(String),
    /// A script does not fit on a command line.
    #[error("the probe script has {0} bytes, more than the {1} that fit on a command line")]
    LongScript(usize, usize),
}

impl ExamError {
    /// True where this machine contains nobody's program, so that nothing was
    /// asked and nothing can be told.
    pub fn is_for_want_of_a_sandbox(&self) -> bool {
        let sandbox = match self {
            Self::Uncontained(_) => return true,
            Self::Prove(ProveError::Sandbox(error)) => error,
            _ => return false,
        };
        matches!(sandbox, jettison_sandbox::Error::Unavailable { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prove(error) => error.hint(),
            Self::Uncontained(_) => {
                Some("jettison doctor says what this machine allows".to_owned())
            }
            Self::NoProgram => Some("say what to start with --cmd 'PROGRAM ARG…'".to_owned()),
            Self::NoShell(_) => Some(
                "a script needs a shell inside the image; ask from outside with --probe /path, \
                 or run a program of the image with --probe 'exec:PROGRAM ARG…'"
                    .to_owned(),
            ),
            Self::Foreign(_) | Self::Run(_) | Self::LongScript(..) | Self::Broken => None,
        }
    }
}

/// The kernel's MAX_ARG_STRLEN: 32 pages.
const SCRIPT_BYTES: usize = (128 << 10) - 1;

/// Holds examinations: one sandbox, one set of companions, any number of images.
pub struct Examiner {
    request: ExamRequest,
    context: Context,
    services: PreparedServices,
    // Dropped last: everything above lives in it.
    sandbox: Sandbox,
}

/// An image that was unpacked for any number of sittings.
pub struct Examinee {
    root: Root,
    run: RunConfig,
    facts: Facts,
    premises: Premises,
    /// Which image it is.
    pub subject: Subject,
}

impl Examiner {
    /// Opens a sandbox and fetches the images of companions.
    pub fn open(request: ExamRequest, context: &Context) -> Result<Self, ExamError> {
        if let Some(script) = &request.script
            && script.len() > SCRIPT_BYTES
        {
            return Err(ExamError::LongScript(script.len(), SCRIPT_BYTES));
        }
        let options = Options {
            scratch_dir: context.scratch().ok(),
            ..Options::default()
        };
        let sandbox = Sandbox::open(&options).map_err(ProveError::Sandbox)?;
        if !sandbox.tier().contains_strangers() {
            let reason = format!("only {} is possible here", sandbox.tier());
            return Err(ExamError::Uncontained(reason));
        }
        let services = PreparedServices::prepare(&sandbox, &request.surroundings, context)?;
        Ok(Self {
            request,
            context: context.clone(),
            services,
            sandbox,
        })
    }

    /// Unpacks an image, whose blobs are at hand.
    pub fn admit(&self, image: &Image) -> Result<Examinee, ExamError> {
        let _item = self.context.progress.begin("reading layers", None);
        let tree = read_tree(image, self.context.limits())?;
        self.admit_read(image, &tree, &Unread)
    }

    /// Unpacks an image that was read already.
    pub(crate) fn admit_read(
        &self,
        image: &Image,
        tree: &Tree,
        contents: &dyn FileContents,
    ) -> Result<Examinee, ExamError> {
        let platform = image.config.platform();
        if let Some(reason) = foreign(&platform) {
            return Err(ExamError::Foreign(reason));
        }
        let _item = self.context.progress.begin("preparing the container", None);
        let limits = self.context.limits();
        let root = self.sandbox.prepare(image, tree, limits);
        let root = root.map_err(ProveError::Sandbox)?;
        Ok(Examinee {
            root,
            run: image.config.run.clone(),
            facts: Facts {
                exposed: exposed_ports(&image.config),
                healthcheck: healthcheck_argv(&image.config),
            },
            premises: Premises::of(tree, contents, &image.config.run),
            subject: Subject {
                manifest: image.manifest_digest.to_string(),
                platform: platform.to_string(),
            },
        })
    }

    /// Finds out, on the original, everything that can be asked, and how it
    /// answers: its first sitting.
    pub fn discover(
        &self,
        original: &Examinee,
        traced: Traced,
    ) -> Result<(Schedule, Sitting), ExamError> {
        let progress = &self.context.progress;
        let item = progress.begin("looking what can be asked", None);
        let (schedule, mut starts) = discover::discover(self, original, traced, item.as_ref())?;
        drop(item);
        if starts.iter().any(Option::is_none) {
            let is_left = |number: usize| starts[number].is_none();
            let rest = self.sit_some(original, &schedule, traced, is_left)?;
            for (known, sat) in starts.iter_mut().zip(rest.starts) {
                *known = known.take().or(sat);
            }
        }
        let ended = Instant::now();
        Ok((schedule, Sitting { starts, ended }))
    }

    /// Asks an image everything, with companions that know of nothing yet.
    pub fn sit(
        &self,
        examinee: &Examinee,
        schedule: &Schedule,
        traced: Traced,
    ) -> Result<Sitting, ExamError> {
        self.sit_some(examinee, schedule, traced, |_| true)
    }

    /// Likewise, but only the starts that are `wanted`, by their number.
    pub(crate) fn sit_some(
        &self,
        examinee: &Examinee,
        schedule: &Schedule,
        traced: Traced,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Sitting, ExamError> {
        let item = self
            .context
            .progress
            .begin("asking the running program", None);
        let needed = schedule.needed(wanted);
        let chain = |chain: &Range<usize>| -> Result<Vec<Option<Sat>>, ExamError> {
            if !needed[chain.start] {
                return Ok(chain.clone().map(|_| None).collect());
            }
            // What one start leaves in a database is not met by the next.
            let services = self.services.start(&self.sandbox, &self.context)?;
            let mut sats = Vec::new();
            let mut kept: Option<Arc<Container>> = None;
            for number in chain.clone().filter(|&number| needed[number]) {
                let start = &schedule.starts[number];
                item.say(&start.label);
                let mut runner = self.sitting_runner(examinee, &services, start, traced);
                runner.spec.volumes_of = kept.as_deref().map(Container::id);
                let keeps = number + 1 < chain.end && needed[number + 1];
                let timeout = self.request.timeout;
                let item = item.as_ref();
                let mut sat = sit::sit(&runner, &examinee.facts, start, timeout, item, keeps)?;
                kept = sat.kept.take();
                sats.push(Some(sat));
            }
            sats.resize_with(chain.len(), || None);
            Ok(sats)
        };
        let sats = abreast::each(&schedule.chains(), self.services.are_new_each_time(), chain)?;
        Ok(Sitting {
            starts: sats.into_iter().flatten().collect(),
            ended: Instant::now(),
        })
    }

    /// Holds another image against the original: original, candidate, original
    /// again. On a difference the candidate is given the time that it lacked,
    /// the original runs up to three times more, and the candidate up to twice.
    /// Sittings that were held already are handed in; those of the original are
    /// left behind for the next candidate.
    pub fn compare(
        &self,
        schedule: &Schedule,
        original: &Examinee,
        candidate: &Examinee,
        held: Held<'_>,
    ) -> Result<Comparison, ExamError> {
        compare::compare(self, schedule, original, candidate, held)
    }

    /// Why nothing can be told from what an original answered; empty when it can.
    pub fn doubts(
        &self,
        schedule: &Schedule,
        original: &Examinee,
        sitting: &Sitting,
    ) -> Vec<String> {
        verdict::doubts(schedule, &original.facts, sitting)
    }

    fn sitting_runner<'a>(
        &'a self,
        examinee: &'a Examinee,
        services: &Companions,
        start: &Start,
        traced: Traced,
    ) -> SandboxRunner<'a> {
        let mut runner = self.runner(examinee, services, start);
        if traced == Traced::Yes {
            runner.spec.trace = Tracing::On;
        }
        runner
    }

    fn runner<'a>(
        &'a self,
        examinee: &'a Examinee,
        services: &Companions,
        start: &Start,
    ) -> SandboxRunner<'a> {
        let mut run = examinee.run.clone();
        if let Words::Command(command) = &start.words {
            run.cmd.clone_from(command);
        }
        let mut surroundings = self.request.surroundings.clone();
        surroundings.env.extend(start.variation.env.iter().cloned());
        if let Some(user) = &start.variation.user {
            run.user.clone_from(user);
        }
        let mut spec = container_spec(&run, Profile::AS_SHIPPED, &surroundings);
        spec.hosts.extend(services.hosts.clone());
        SandboxRunner {
            sandbox: &self.sandbox,
            root: Some(&examinee.root),
            spec,
            stop_signal: stop_signal(run.stop_signal.as_deref()),
        }
    }
}

/// Stands for the contents of an image of which the names alone were read.
struct Unread;

impl FileContents for Unread {
    fn read(&self, _file: Node<'_>, _most: u64) -> Result<Cow<'_, [u8]>, jettison_image::Error> {
        Ok(Cow::Borrowed(&[]))
    }
}

/// A command line for a person.
fn shown(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| words::quote(word)).collect();
    noise::excerpt(&words.join(" "))
}
