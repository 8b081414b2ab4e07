//! How one file leads to another.

use jettison_image::ImagePath;

/// A file that another one leads to, as it is named there: links on the way
/// are not yet followed, and nothing says that the path is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The path.
    pub to: ImagePath,
    /// How.
    pub how: How,
    /// For a person, to be read behind "needed by FILE, which …":
    /// `loads libssl.so.3`, `runs gzip`, `imports json`, `names the path`.
    pub detail: String,
}

/// How a file leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// The dynamic loader maps it at start.
    Loads,
    /// The kernel starts it first: PT_INTERP or `#!`.
    Interpreter,
    /// It is run as a program.
    Runs,
    /// A module of an interpreted language loads it.
    Imports,
    /// Its name is given to `dlopen`.
    Opens,
    /// Its path stands in the file as text.
    Names,
    /// Data that this kind of program needs without naming it.
    Companion,
    /// A directory whose files are chosen among at run time (plugins, zones):
    /// everything below it belongs together.
    Family,
    /// A directory from which anything may be chosen, where nothing shows what
    /// is: as a family, unless probes say what is used.
    Choice,
}
