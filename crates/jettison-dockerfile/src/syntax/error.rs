//! What BuildKit would refuse a file for. Parsing goes on after each, so that one bad line never hides the rest.

use std::ops::Range;

/// The step of BuildKit's reading in which an error arises; it reports only the first error of the first step that
/// has one, so `min_by_key(phase)` over the list is what BuildKit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Splitting the file into instructions and their words.
    Syntax,
    /// Reading a single instruction's words and flags, and putting it into a stage.
    Instruction,
    /// Looking at the whole file.
    File,
}

/// One error with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// First line (from 1) of the instruction or of the line that is wrong.
    pub line: usize,
    /// The bytes concerned.
    pub range: Range<usize>,
}

impl ParseError {
    /// The step in which BuildKit finds it.
    pub fn phase(&self) -> Phase {
        self.kind.phase()
    }
}

/// What can be wrong; the texts are BuildKit's, without its suggestions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The file has no bytes.
    #[error("the Dockerfile cannot be empty")]
    EmptyFile,
    /// Nothing but comments and blank lines.
    #[error("file with no instructions")]
    NoInstructions,
    /// A line of 64 KiB or more.
    #[error("dockerfile line greater than max allowed size of 65535")]
    LineTooLong,
    /// `# escape=` with something else than a backslash or a backtick.
    #[error("invalid escape token '{0}' does not match ` or \\")]
    InvalidEscape(String),
    /// A parser directive given twice.
    #[error("only one {0} parser directive can be used")]
    DuplicateDirective(String),
    /// `ENV a` or `LABEL a`.
    #[error("{0} must have two arguments")]
    MustHaveTwoArguments(&'static str),
    /// `ENV a=b c`.
    #[error("Syntax error - can't find = in {0}. Must be of the form: name=value")]
    MissingEquals(String),
    /// `RUN ["a", 1]`.
    #[error("when using JSON array syntax, arrays must be comprised of strings only")]
    JsonNotStrings,
    /// No line ends the heredoc.
    #[error("unterminated heredoc")]
    UnterminatedHeredoc,
    /// The word after `<<` cannot be read.
    #[error("{0}")]
    HeredocWord(crate::expand::ExpandError),
    /// A word that is no instruction.
    #[error("unknown instruction: {0}")]
    UnknownInstruction(String),
    /// `EXPOSE`, `VOLUME`, … alone.
    #[error("{0} requires at least one argument")]
    AtLeastOneArgument(&'static str),
    /// `USER`, `WORKDIR`, … alone.
    #[error("{0} requires exactly one argument")]
    ExactlyOneArgument(&'static str),
    /// COPY or ADD without a destination.
    #[error(
        "{0} requires at least two arguments, but only one was provided. Destination could not be determined"
    )]
    NoDestination(&'static str),
    /// A heredoc as the last argument of COPY or ADD.
    #[error("{0} cannot accept a heredoc as a destination")]
    HeredocDestination(&'static str),
    /// `ENV =b`.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// FROM with two or more than three words.
    #[error("FROM requires either one or three arguments")]
    FromArguments,
    /// `FROM a AS 1b`.
    #[error("invalid name for build stage: {0}, name can't start with a number or contain symbols")]
    InvalidStageName(String),
    /// `ONBUILD ONBUILD`.
    #[error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    ChainedOnbuild,
    /// `ONBUILD FROM`, `ONBUILD MAINTAINER`.
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    NotATrigger(String),
    /// SHELL that is no JSON array.
    #[error("{0} requires the arguments to be in JSON form")]
    NotJson(&'static str),
    /// `VOLUME [""]`.
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    /// `HEALTHCHECK NONE x`.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNone,
    /// `HEALTHCHECK CMD` alone.
    #[error("Missing command after HEALTHCHECK CMD")]
    HealthcheckMissingCommand,
    /// `HEALTHCHECK curl …`.
    #[error("Unknown type {0} in HEALTHCHECK (try CMD)")]
    HealthcheckType(String),
    /// A duration that is none.
    #[error("time: {0}")]
    Duration(String),
    /// A duration under a millisecond.
    #[error("Interval {0} cannot be less than 1ms")]
    IntervalTooShort(String),
    /// `--retries` that is no number.
    #[error("--retries: {0}")]
    Retries(String),
    /// `--retries=-1`.
    #[error("--retries cannot be negative ({0})")]
    NegativeRetries(i64),
    /// A flag the instruction has not.
    #[error("unknown flag: {0}")]
    UnknownFlag(String),
    /// A flag given twice.
    #[error("duplicate flag specified: {0}")]
    DuplicateFlag(String),
    /// `--chown` without a value.
    #[error("missing a value on flag: {0}")]
    FlagWithoutValue(String),
    /// `--link=x`.
    #[error("expecting boolean value for flag {flag}, not: {value}")]
    FlagNotBoolean {
        /// The flag.
        flag: String,
        /// Its value.
        value: String,
    },
    /// Does not start with two hyphens.
    #[error("arg should start with -- : {0}")]
    NotAFlag(String),
    /// `--mount` that is no comma-separated list.
    #[error("failed to parse csv mounts: {0}")]
    MountList(&'static str),
    /// A variable in `--mount=…,from=`.
    #[error("'from' doesn't support variable expansion, define alias stage instead")]
    MountFromVariable,
    /// `--device` that is no comma-separated list.
    #[error("failed to parse csv devices: {0}")]
    DeviceList(&'static str),
    /// A field of `--device` that cannot be.
    #[error("{0}")]
    Device(String),
    /// `--network=x`.
    #[error("invalid network mode {0}")]
    NetworkMode(String),
    /// `--security=x`.
    #[error("security {0} is not valid")]
    Security(String),
    /// An instruction before the first FROM that may not stand there.
    #[error("no build stage in current context")]
    NoBuildStage,
    /// No FROM in the whole file.
    #[error("dockerfile contains no stages to build")]
    NoStages,
}

impl ParseErrorKind {
    fn phase(&self) -> Phase {
        match self {
            Self::EmptyFile => Phase::Syntax,
            Self::NoInstructions
            | Self::LineTooLong
            | Self::InvalidEscape(_)
            | Self::DuplicateDirective(_)
            | Self::MustHaveTwoArguments(_)
            | Self::MissingEquals(_)
            | Self::JsonNotStrings
            | Self::UnterminatedHeredoc
            | Self::HeredocWord(_) => Phase::Syntax,
            Self::NoStages => Phase::File,
            _ => Phase::Instruction,
        }
    }
}
