//! What a project is and how it is built and packed, from a listing and files
//! handed in.
//!
//! ```text
//! Project::detect(source, directory)
//!   → toolchain_probes(request)      run them, put the answers into the request
//!   → recipe(request)                run its commands; on failure: explain
//!   → artifact_path(stdout)          the program
//! ```
//!
//! Nothing here runs a command, opens a host path or reads the environment.

mod go;
mod project;
mod recipe;
mod rust;
mod source;
mod target;

pub use go::GoProject;
pub use project::{Binary, DetectError, Found, Project, RecipeError};
pub use recipe::{
    Answer, Artifact, Command, Failure, Language, PackageFacts, ProbeSubject, Recipe, Request,
    ToolchainProbe, is_build_variable,
};
pub use rust::RustProject;
pub use source::{MemorySource, Source, TEXT_BYTES, is_skipped_directory};
pub use target::{Target, UnknownTarget};
