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

mod cgo;
mod go;
mod labels;
mod project;
mod recipe;
mod runtime_files;
mod rust;
mod settings;
mod source;
mod target;
mod tokens;
mod upx;

pub use cgo::Cgo;
pub use go::GoProject;
pub use labels::{LabelFacts, labels, rfc3339, source_url};
pub use project::{Binary, DetectError, Found, Project, RecipeError};
pub use recipe::{
    Answer, Artifact, Command, Failure, Language, PackageFacts, ProbeSubject, Recipe, Request,
    ToolchainProbe, is_build_variable,
};
pub use runtime_files::RuntimeFile;
pub use rust::RustProject;
pub use settings::{
    BuildSettings, HealthCheck, Include, Port, ProbeTable, SETTINGS_FILE, ServiceTable, Settings,
    SettingsError,
};
pub use source::{MemorySource, Source, TEXT_BYTES, is_skipped_directory};
pub use target::{Target, UnknownTarget};
pub use upx::{PackedFigures, upx, upx_comparison};
