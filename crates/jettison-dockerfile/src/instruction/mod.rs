//! The typed view: what the words and flags of each of the eighteen instructions mean. Values are as written;
//! variables are resolved by [`Instruction::expanded`].

mod copy;
mod csv;
mod flags;
mod healthcheck;
mod mount;
mod read;
mod run;

use std::ops::Range;

pub use copy::{CopyFiles, InlineFile};
pub use healthcheck::{Healthcheck, HealthcheckTest};
pub use mount::{Expander, Mount, MountError, MountKind, Sharing};
pub use run::{Device, Network, Run, Script, Security};

use crate::syntax::{Heredoc, Lines, Node, Word};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Which one.
    pub kind: Kind,
    /// Its lines.
    pub lines: Lines,
    /// Its bytes.
    pub range: Range<usize>,
    /// What it says.
    pub body: Body,
}

/// The instructions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the instructions")]
pub enum Kind {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
    /// A word that is no instruction.
    Unknown,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// ADD.
    Add(CopyFiles),
    /// ARG.
    Arg(Vec<Argument>),
    /// CMD.
    Cmd(CommandLine),
    /// COPY.
    Copy(CopyFiles),
    /// ENTRYPOINT.
    Entrypoint(CommandLine),
    /// ENV.
    Env(Vec<Pair>),
    /// EXPOSE, in the order written.
    Expose(Vec<Word>),
    /// FROM.
    From(FromBase),
    /// HEALTHCHECK.
    Healthcheck(Healthcheck),
    /// LABEL.
    Label(Vec<Pair>),
    /// MAINTAINER.
    Maintainer(Word),
    /// ONBUILD.
    Onbuild(Onbuild),
    /// RUN.
    Run(Run),
    /// SHELL.
    Shell(Vec<Word>),
    /// STOPSIGNAL.
    Stopsignal(Word),
    /// USER.
    User(Word),
    /// VOLUME.
    Volume(Vec<Word>),
    /// WORKDIR.
    Workdir(Word),
    /// It has an error.
    Invalid,
}

/// FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromBase {
    /// Image or earlier stage.
    pub base: Word,
    /// `AS name`.
    pub name: Option<Word>,
    /// `--platform`.
    pub platform: Option<Word>,
    /// The comment above that begins with the stage's name.
    pub comment: Option<Vec<u8>>,
}

/// One name of an ARG instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name.
    pub name: Word,
    /// The default; `None` without `=`.
    pub value: Option<Word>,
    /// The comment above that begins with the name.
    pub comment: Option<Vec<u8>>,
}

/// One pair of ENV or LABEL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: Word,
    /// The value.
    pub value: Word,
    /// Written without `=`, in the deprecated form.
    pub legacy: bool,
}

/// The command of RUN, CMD or ENTRYPOINT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// The words of the exec form, or one piece of shell text, or nothing.
    pub words: Vec<Word>,
    /// The text goes to the shell.
    pub shell: bool,
}

/// ONBUILD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onbuild {
    /// The text that is stored in the image.
    pub expression: Vec<u8>,
    /// The same, read; `Body::Invalid` where it cannot be (which matters only when the image is built upon).
    pub trigger: Box<Instruction>,
}

impl Kind {
    /// All known instructions.
    pub const ALL: [Kind; 18] = [
        Kind::Add,
        Kind::Arg,
        Kind::Cmd,
        Kind::Copy,
        Kind::Entrypoint,
        Kind::Env,
        Kind::Expose,
        Kind::From,
        Kind::Healthcheck,
        Kind::Label,
        Kind::Maintainer,
        Kind::Onbuild,
        Kind::Run,
        Kind::Shell,
        Kind::Stopsignal,
        Kind::User,
        Kind::Volume,
        Kind::Workdir,
    ];

    /// Recognises a keyword in any case.
    pub fn from_keyword(keyword: &[u8]) -> Self {
        let lower = crate::text::lower(keyword);
        Self::ALL
            .into_iter()
            .find(|kind| kind.keyword().to_ascii_lowercase().as_bytes() == lower)
            .unwrap_or(Self::Unknown)
    }

    /// The keyword in capitals; empty for [`Kind::Unknown`].
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Arg => "ARG",
            Self::Cmd => "CMD",
            Self::Copy => "COPY",
            Self::Entrypoint => "ENTRYPOINT",
            Self::Env => "ENV",
            Self::Expose => "EXPOSE",
            Self::From => "FROM",
            Self::Healthcheck => "HEALTHCHECK",
            Self::Label => "LABEL",
            Self::Maintainer => "MAINTAINER",
            Self::Onbuild => "ONBUILD",
            Self::Run => "RUN",
            Self::Shell => "SHELL",
            Self::Stopsignal => "STOPSIGNAL",
            Self::User => "USER",
            Self::Volume => "VOLUME",
            Self::Workdir => "WORKDIR",
            Self::Unknown => "",
        }
    }
}

impl Instruction {
    pub(crate) fn invalid(node: &Node) -> Self {
        Self {
            kind: Kind::from_keyword(&node.keyword.value),
            lines: node.lines,
            range: node.range.clone(),
            body: Body::Invalid,
        }
    }

    pub(crate) fn from_node(node: &Node) -> (Self, Option<crate::ParseErrorKind>) {
        let mut instruction = Self::invalid(node);
        match read::body(node, &node.heredocs, instruction.kind) {
            Ok(body) => {
                instruction.body = body;
                (instruction, None)
            }
            Err(kind) => (instruction, Some(kind)),
        }
    }

    fn trigger(node: &Node, heredocs: &[Heredoc], lines: Lines) -> Self {
        let mut instruction = Self {
            lines,
            ..Self::invalid(node)
        };
        if let Ok(body) = read::body(node, heredocs, instruction.kind) {
            instruction.body = body;
        }
        instruction
    }
}
