//! What a comparison of sizes finds, as the document of `--format json`:
//! schema `jettison.compare/1`. A field keeps its name and meaning as long as
//! the number stays; new ones may come.

use serde::Serialize;

use crate::inspect::Identity;

/// The schema's name and number.
pub const SCHEMA: &str = "jettison.compare/1";

/// Images side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The images as they were named; the first is the baseline.
    pub images: Vec<Column>,
    /// For each further image, what its packages are more or less than the
    /// baseline's.
    pub movers: Vec<Movers>,
    /// What shipping each costs.
    pub fleet: FleetRows,
    /// Which is smallest, and what it lacks.
    pub verdict: CompareVerdict,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Which image this is.
    #[serde(flatten)]
    pub image: Identity,
    /// Bytes that a pull moves: stored layers as they are, those that are
    /// stored unpacked as gzip packs them for a registry.
    pub wire_bytes: u64,
    /// The part of them that the last layer is.
    pub last_layer_wire_bytes: u64,
    /// Bytes of the visible files, hard links once.
    pub unpacked_bytes: u64,
    /// Bytes of the files that are shipped and not visible.
    pub wasted_bytes: u64,
    /// Layers.
    pub layers: u64,
    /// Visible regular files, hard links once.
    pub files: u64,
    /// Packages, from the databases of the image.
    pub packages: u64,
    /// Programs with the set-user or set-group bit.
    pub setuid: Holders,
    /// Files with capabilities of their own.
    pub capabilities: Holders,
    /// Shells, package managers and compilers.
    pub tools: Tools,
    /// The user as the config has it; `root` where it has none.
    pub user: String,
    /// How soon it answers; none where that was not asked for.
    pub start: Option<StartUp>,
    /// By how many percent it is smaller than the baseline on the wire;
    /// negative where it is larger.
    pub wire_reduction_percent: f64,
    /// Likewise, unpacked.
    pub unpacked_reduction_percent: f64,
    /// What is odd about the image or could not be read.
    pub notes: Vec<String>,
}

/// Files with a right of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Holders {
    /// How many.
    pub count: u64,
    /// The first hundred of them.
    pub paths: Vec<String>,
}

/// Programs that an intruder is glad of, one row a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tools {
    /// Shells.
    pub shells: Vec<Tool>,
    /// Package managers, of systems and of languages.
    pub package_managers: Vec<Tool>,
    /// Compilers.
    pub compilers: Vec<Tool>,
}

/// A program in a directory of the PATH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// Its name there.
    pub name: String,
    /// Its path there.
    pub path: String,
    /// The file that its links lead to.
    pub file: String,
}

/// How soon an image answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StartUp {
    /// The median of the runs, from the start of the container to the first
    /// good answer; none where there was no good answer.
    pub median_ms: Option<f64>,
    /// Every run, in their order.
    pub runs_ms: Vec<f64>,
    /// What was waited for: the probe, `port N`, `the end`.
    pub answer: Option<String>,
    /// Why there is no time, in a word: `foreign`, `no-program`,
    /// `uncontained`, `missing`, `unexecutable`, `exit-N`, `status-N`,
    /// `loopback`, `silent`, `failed`.
    pub problem: Option<String>,
    /// The same in a sentence.
    pub detail: Option<String>,
}

/// What the packages of one image are more or less than the baseline's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Movers {
    /// The image, by its place among the images.
    pub image: usize,
    /// Biggest change first, as many as were asked for.
    pub rows: Vec<Mover>,
    /// Changes that are in no row.
    pub more: u64,
    /// What those change together, unpacked.
    pub more_bytes: i64,
    /// What all of them change, unpacked: the difference of the two images.
    pub total_bytes: i64,
}

/// A package that went, came, or has another size or version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mover {
    /// `went`, `came`, `grew`, `shrank`, `changed` (the version alone).
    pub change: &'static str,
    /// `deb`, `apk`, `rpm`, `pypi`, `npm`, `gem`; none for files of no package.
    pub kind: Option<&'static str>,
    /// Its name; empty for files of no package.
    pub name: String,
    /// Its versions in the baseline.
    pub before_versions: Vec<String>,
    /// Its versions in the image.
    pub versions: Vec<String>,
    /// Its visible files' bytes in the baseline.
    pub before_bytes: u64,
    /// Its visible files' bytes in the image.
    pub bytes: u64,
    /// The difference.
    pub change_bytes: i64,
}

/// What shipping the images costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetRows {
    /// Machines that hold the image.
    pub nodes: u64,
    /// Pulls of the whole image a day, by all of them together.
    pub pulls_per_day: u64,
    /// What one machine receives.
    pub bandwidth_bits_per_second: u64,
    /// One for each image.
    pub rows: Vec<FleetRow>,
}

/// What shipping one image costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetRow {
    /// nodes × (unpacked + wasted): a node holds every layer unpacked.
    pub storage_bytes: u64,
    /// pulls × on the wire.
    pub traffic_bytes_per_day: u64,
    /// on the wire × 8 / bandwidth.
    pub pull_ms: u64,
    /// last layer on the wire: what one node pulls when nothing else changed.
    pub update_bytes: u64,
    /// nodes × last layer on the wire.
    pub update_all_bytes: u64,
}

/// Which image is smallest, and what it lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompareVerdict {
    /// The smallest on the wire, by its place; none where several are.
    pub smallest: Option<usize>,
    /// One sentence.
    pub text: String,
}
