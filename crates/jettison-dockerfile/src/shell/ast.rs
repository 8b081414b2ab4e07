//! The tree of a shell text. All ranges are offsets into that text; [`super::ShellScript::source_range`] turns them
//! into bytes of the Dockerfile.

use std::ops::Range;

/// Offsets into the text.
pub type Span = Range<usize>;

/// Commands one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The commands.
    pub items: Vec<AndOr>,
    /// From the first to the last.
    pub range: Span,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AndOr {
    /// The first.
    pub first: Pipeline,
    /// The others, each with what stands before it and where that stands.
    pub rest: Vec<(Connector, Span, Pipeline)>,
    /// Ends with `&`.
    pub background: bool,
    /// All of it.
    pub range: Span,
}

impl AndOr {
    /// The pipelines in order.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        std::iter::once(&self.first).chain(self.rest.iter().map(|(_, _, pipeline)| pipeline))
    }
}

/// `&&` or `||`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connector {
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// `!` in front.
    pub negated: bool,
    /// The commands.
    pub commands: Vec<Command>,
    /// All of it.
    pub range: Span,
}

/// A command with its redirections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is.
    pub kind: CommandKind,
    /// Redirections, wherever they stand.
    pub redirections: Vec<Redirection>,
    /// All of it.
    pub range: Span,
}

/// The kinds of command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandKind {
    /// `A=1 name argument …`.
    Simple {
        /// What stands before the name.
        assignments: Vec<Assignment>,
        /// The name and its arguments.
        words: Vec<ShellWord>,
    },
    /// `( … )`.
    Subshell(List),
    /// `{ …; }`.
    Group(List),
    /// `if`, `elif`, `else`.
    If {
        /// Conditions with what follows them.
        branches: Vec<(List, List)>,
        /// After `else`.
        otherwise: Option<List>,
    },
    /// `for x in …; do …; done`, and `select`.
    For {
        /// The variable.
        name: ShellWord,
        /// The words after `in`; `None` without `in`.
        words: Option<Vec<ShellWord>>,
        /// The body.
        body: List,
    },
    /// `for ((…)); do …; done`.
    ArithmeticFor {
        /// What stands between the parentheses.
        header: Span,
        /// The body.
        body: List,
    },
    /// `while` and `until`.
    While {
        /// It is `until`.
        until: bool,
        /// The condition.
        condition: List,
        /// The body.
        body: List,
    },
    /// `case x in …; esac`.
    Case {
        /// What is looked at.
        word: ShellWord,
        /// The arms.
        arms: Vec<Arm>,
    },
    /// `name() …`.
    Function {
        /// The name.
        name: ShellWord,
        /// The body.
        body: Box<Command>,
    },
    /// `[[ … ]]`, its operators among the words.
    Test(Vec<ShellWord>),
    /// `(( … ))`.
    Arithmetic(Span),
}

/// One arm of `case`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The patterns.
    pub patterns: Vec<ShellWord>,
    /// What follows.
    pub body: List,
}

/// `NAME=value`, `NAME+=value`, `NAME=(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name, a subscript included.
    pub name: Span,
    /// `+=`.
    pub append: bool,
    /// The value; for an array the words between the parentheses are in `array`.
    pub value: ShellWord,
    /// The elements of an array.
    pub array: Option<Vec<ShellWord>>,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShellWord {
    /// What it consists of.
    pub parts: Vec<Part>,
    /// All of it.
    pub range: Span,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Literal(Span),
    /// A backslash and the character it quotes.
    Escaped(Span),
    /// `'…'`, the range without the quotes.
    SingleQuoted(Span),
    /// `$'…'`, the range without the quotes.
    AnsiQuoted(Span),
    /// `"…"`.
    DoubleQuoted(Vec<Part>, Span),
    /// `$x`, `${x…}`.
    Parameter {
        /// The name.
        name: Span,
        /// What follows the name inside the braces, parsed as a word.
        operation: Option<Box<ShellWord>>,
        /// All of it.
        range: Span,
    },
    /// `$( … )` or backquotes.
    Substitution(List, Span),
    /// `<( … )`, `>( … )`.
    Process(List, Span),
    /// `$(( … ))`, with the expansions inside.
    Arithmetic(Vec<Part>, Span),
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// The number or `{name}` in front.
    pub descriptor: Option<Span>,
    /// `<`, `>>`, `<<-`, `&>`, ….
    pub operator: Span,
    /// The file, the descriptor, the heredoc's delimiter, the here-string.
    pub target: ShellWord,
    /// Index of the heredoc in [`super::ShellScript::heredocs`].
    pub heredoc: Option<usize>,
}

/// The contents of a heredoc inside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeredocBody {
    /// The contents.
    pub range: Span,
    /// The delimiter is not quoted.
    pub expand: bool,
}

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ShellError {
    /// What.
    pub kind: ShellErrorKind,
    /// Where.
    pub range: Span,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShellErrorKind {
    /// A quote, bracket or keyword that never comes.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A character that cannot stand there.
    #[error("unexpected character")]
    Unexpected,
    /// A redirection without a target, a pipe without a command, ….
    #[error("a command or word is missing")]
    Empty,
    /// More than 100 levels.
    #[error("nested too deeply")]
    TooDeep,
}
