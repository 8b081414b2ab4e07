//! What a Go program says about itself: the build information that
//! `go version -m` prints, and the functions that are linked into it. Both
//! survive stripping.

mod build_info;
mod functions;
mod references;

pub use self::build_info::{GoBuild, GoModule};
pub(crate) use self::functions::GoFunctions;
pub(crate) use self::references::users;
