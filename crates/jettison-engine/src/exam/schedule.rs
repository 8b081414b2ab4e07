//! What an examination consists of: the ways in which the program is started,
//! and what is asked each time. Made once, on the original; carried out on
//! every image that is held against it.

use std::ops::Range;
use std::time::Duration;

use jettison_image::RunConfig;
use jettison_plan::Probe;

use super::reply::Shape;

/// Everything that will be asked, in order.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// The ways in which the program is started.
    pub starts: Vec<Start>,
    /// What was left out and why, and what a person should know; one sentence each.
    pub notes: Vec<String>,
}

/// One start of the program, from pristine files.
#[derive(Debug, Clone)]
pub struct Start {
    /// What sets it apart, in words.
    pub label: String,
    /// What is started.
    pub words: Words,
    /// What is changed around it.
    pub variation: Variation,
    /// What is asked; the first question is always the start itself.
    pub questions: Vec<Question>,
    /// It starts on the volumes that the plain start left.
    pub(crate) on_volumes: bool,
    /// It asks the program about itself (`--help`): no proof that it works.
    pub(crate) is_about_itself: bool,
    /// It ends by itself, and is waited for.
    pub(crate) ends: bool,
    /// Ports that it opens.
    pub(crate) ports: Vec<u16>,
    /// How long the original took until it was ready, or had ended.
    pub(crate) took: Duration,
    /// How long it is left alone between that and the first question.
    pub(crate) pause: Duration,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// ENTRYPOINT and CMD as the image has them.
    Own,
    /// These in the place of CMD.
    Command(Vec<String>),
}

/// What is changed around the program, against the plain start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variation {
    /// Variables set on top of all others.
    pub env: Vec<(String, String)>,
    /// In the place of the image's user.
    pub user: Option<String>,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is asked.
    pub probe: Probe,
    /// The form of the original's answer: what a slow start is waited for.
    pub(crate) expected: Shape,
}

impl Schedule {
    /// The number of questions in all starts.
    pub fn len(&self) -> usize {
        self.starts.iter().map(|start| start.questions.len()).sum()
    }

    /// The starts that belong to the wanted ones: what a start leaves in its
    /// volumes is needed by the one that starts on them.
    pub(crate) fn needed(&self, wanted: impl Fn(usize) -> bool) -> Vec<bool> {
        let starts = self.starts.iter().enumerate();
        let mut needed: Vec<bool> = starts.map(|(number, _)| wanted(number)).collect();
        for number in 1..needed.len() {
            needed[number - 1] |= needed[number] && self.starts[number].on_volumes;
        }
        needed
    }

    /// The starts that follow upon each other: one, and those on the volumes
    /// that it leaves.
    pub(crate) fn chains(&self) -> Vec<Range<usize>> {
        let mut chains: Vec<Range<usize>> = Vec::new();
        for (number, start) in self.starts.iter().enumerate() {
            match chains.last_mut().filter(|_| start.on_volumes) {
                Some(chain) => chain.end = number + 1,
                None => chains.push(number..number + 1),
            }
        }
        chains
    }

    /// True when nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Start {
    /// One of which nothing is asked yet.
    pub(super) fn new(label: String, words: Words) -> Self {
        Self {
            label,
            words,
            variation: Variation::default(),
            questions: Vec::new(),
            on_volumes: false,
            is_about_itself: false,
            ends: false,
            ports: Vec::new(),
            took: Duration::ZERO,
            pause: Duration::ZERO,
        }
    }

    /// Program and arguments for an image with this configuration.
    pub fn argv(&self, run: &RunConfig) -> Vec<String> {
        self.words.argv(run)
    }

    /// True when at least one question was answered at all.
    pub(crate) fn is_answered(&self) -> bool {
        let mut expected = self.questions.iter().map(|question| question.expected);
        expected.any(Shape::is_an_answer)
    }
}

impl Words {
    pub(crate) fn argv(&self, run: &RunConfig) -> Vec<String> {
        match self {
            Self::Own => run.argv(),
            Self::Command(words) => run.entrypoint.iter().chain(words).cloned().collect(),
        }
    }
}

impl Variation {
    /// In words; empty when nothing is changed.
    pub fn label(&self) -> String {
        let env = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let user = self.user.iter().map(|user| format!("user {user}"));
        env.chain(user).collect::<Vec<_>>().join(" ")
    }
}
