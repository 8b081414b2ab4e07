//! Bounds on everything that is read from outside.

/// What one image may make us read, hold or write. The defaults let every
/// honest image pass; each has a flag of the same name for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries in all layers together. The largest honest images seen have
    /// about 500 000.
    pub entries: u64,
    /// Bytes of one path; Linux' `PATH_MAX`.
    pub path_bytes: usize,
    /// Components of one path. `PATH_MAX` allows 2 048; nothing honest nests so deep.
    pub path_depth: usize,
    /// Bytes of all paths, link targets and extended attributes together,
    /// which are held in memory. Half a million honest entries have about 50 MB.
    pub name_bytes: u64,
    /// Decompressed bytes of all layers together.
    pub unpacked_bytes: u64,
    /// Bytes of a manifest, config or index; registries refuse manifests over
    /// 4 MiB (OCI distribution-spec, "Pushing Manifests").
    pub json_bytes: u64,
    /// Bytes of all PAX records or GNU long names in front of one entry.
    pub pax_bytes: u64,
    /// Layers of one image; engines refuse more than 127, the spec sets no bound.
    pub layers: usize,
    /// Manifests in one index.
    pub manifests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 600_000,
            path_bytes: 4096,
            path_depth: 256,
            name_bytes: 128 << 20,
            unpacked_bytes: 100_000_000_000,
            json_bytes: 4 << 20,
            pax_bytes: 1 << 20,
            layers: 512,
            manifests: 1024,
        }
    }
}
