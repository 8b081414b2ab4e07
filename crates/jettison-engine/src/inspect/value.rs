//! What an inspection finds, as the document of `--format json`: schema
//! `jettison.inspect/1`. A field keeps its name and meaning as long as the
//! number stays; new ones may come.

use serde::Serialize;

/// The schema's name and number.
pub const SCHEMA: &str = "jettison.inspect/1";

/// Where every byte of an image is.
///
/// *unpacked* counts the bytes of regular files, hard links once; *wire*
/// counts the bytes of the stored layers, as a pull moves them. Paths begin
/// with a slash; control characters and what is not UTF-8 in them are escaped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which image this is.
    pub image: Identity,
    /// How a container of it starts.
    pub config: ConfigSummary,
    /// The sums.
    pub totals: Totals,
    /// The layers, lowest first.
    pub layers: Vec<LayerRow>,
    /// Packages and what their visible files cost, biggest first. The one row
    /// without a package has the files of none, so that the rows add up to
    /// what is visible.
    pub packages: Vec<PackageRow>,
    /// Directories that add up to what is visible, biggest first. A row has
    /// what lies in the directory and below it and is in no row of its own.
    pub directories: Vec<DirectoryRow>,
    /// The largest visible files, as many as were asked for.
    pub largest_files: Vec<FileRow>,
    /// The largest files that are shipped and not visible, as many as were
    /// asked for.
    pub wasted_files: Vec<WastedRow>,
    /// Visible files of the same content, those that cost most first, as many
    /// as were asked for.
    pub duplicates: Vec<DuplicateRow>,
    /// Programs that run with more rights than whoever starts them, as many as
    /// were asked for.
    pub privileged: Vec<PrivilegedRow>,
    /// What is odd about the image or could not be read.
    pub notes: Vec<String>,
}

/// Which image this is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// The words that named it.
    pub name: String,
    /// Where it was found.
    pub found_in: String,
    /// Digest of the manifest.
    pub manifest_digest: String,
    /// Digest of the config, which is what `docker images` calls the id.
    pub config_digest: String,
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: String,
    /// When it was made, as written in the config.
    pub created: Option<String>,
    /// The distribution, as its os-release names itself.
    pub distribution: Option<String>,
}

/// How a container of the image starts. Of environment variables only the
/// names are shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ConfigSummary {
    /// `USER[:GROUP]`; empty is root.
    pub user: String,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// Names of environment variables.
    pub env_names: Vec<String>,
    /// `PORT[/PROTOCOL]`.
    pub ports: Vec<String>,
    /// Directories that get a volume.
    pub volumes: Vec<String>,
    /// Directory to start in; empty is `/`.
    pub working_dir: String,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Signal that asks the program to end.
    pub stop_signal: Option<String>,
    /// The health check's command as the config has it.
    pub healthcheck: Vec<String>,
}

/// The sums.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Totals {
    /// Bytes of the stored layers: visible, wasted and overhead.
    pub wire_bytes: u64,
    /// The part of them that visible files are.
    pub visible_wire_bytes: u64,
    /// The part of them that files are which nobody sees.
    pub wasted_wire_bytes: u64,
    /// The part of them that is no file's content: headers, padding, packing.
    pub overhead_wire_bytes: u64,
    /// Bytes of the visible files.
    pub unpacked_bytes: u64,
    /// Bytes of the files that are shipped and not visible.
    pub wasted_bytes: u64,
    /// Bytes that one copy of every visible content would save; not part of
    /// the wasted bytes.
    pub duplicate_bytes: u64,
    /// Layers.
    pub layers: u64,
    /// Visible regular files, hard links once.
    pub files: u64,
    /// Visible names of every kind.
    pub names: u64,
    /// Files that are shipped and not visible, empty ones aside.
    pub wasted_files: u64,
    /// Programs with more rights than whoever starts them.
    pub privileged_files: u64,
    /// Packages, those aside that are a part of another.
    pub packages: u64,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Its place, 0 the lowest.
    pub index: u64,
    /// Digest of the stored blob.
    pub digest: String,
    /// Digest of the unpacked archive.
    pub diff_id: String,
    /// The command that made it, where the history fits the layers.
    pub created_by: Option<String>,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// Bytes of the stored blob.
    pub wire_bytes: u64,
    /// The part of them that is no file's content.
    pub overhead_wire_bytes: u64,
    /// Bytes of its regular files.
    pub unpacked_bytes: u64,
    /// The part of them that the finished image shows.
    pub visible_bytes: u64,
    /// Bytes of this and lower layers that this layer hid.
    pub wasted_bytes: u64,
    /// Its regular files, whiteouts aside.
    pub files: u64,
}

/// A package, or the files of none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackageRow {
    /// `deb`, `apk`, `rpm`, `pypi`, `npm`, `gem`; none for files of no package.
    pub kind: Option<&'static str>,
    /// Its name; empty for files of no package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL.
    pub purl: Option<String>,
    /// Its visible files, hard links once.
    pub files: u64,
    /// Their bytes.
    pub unpacked_bytes: u64,
    /// What they cost on the wire.
    pub wire_bytes: u64,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DirectoryRow {
    /// Its path.
    pub path: String,
    /// Visible files, hard links once.
    pub files: u64,
    /// Their bytes.
    pub unpacked_bytes: u64,
    /// What they cost on the wire.
    pub wire_bytes: u64,
}

/// A visible file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileRow {
    /// Its first name.
    pub path: String,
    /// The layer its content is in.
    pub layer: u64,
    /// The package it belongs to.
    pub package: Option<String>,
    /// Its bytes.
    pub unpacked_bytes: u64,
    /// What it costs on the wire.
    pub wire_bytes: u64,
}

/// A file that is shipped and not visible.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WastedRow {
    /// Its name in the layer that ships it.
    pub path: String,
    /// The layer that ships it.
    pub layer: u64,
    /// The layer that hid it.
    pub hidden_by: u64,
    /// Its bytes.
    pub unpacked_bytes: u64,
    /// What it costs on the wire.
    pub wire_bytes: u64,
}

/// Visible files of the same content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DuplicateRow {
    /// The first of their names.
    pub paths: Vec<String>,
    /// How many there are.
    pub copies: u64,
    /// Bytes of one.
    pub unpacked_bytes: u64,
    /// Bytes that one copy would save.
    pub saved_bytes: u64,
}

/// A program that runs with more rights than whoever starts it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrivilegedRow {
    /// Its path.
    pub path: String,
    /// Its permission bits, octal.
    pub mode: String,
    /// Its owner.
    pub uid: u64,
    /// Its group.
    pub gid: u64,
    /// `setuid`, `setgid`, `capabilities`.
    pub rights: Vec<&'static str>,
}
