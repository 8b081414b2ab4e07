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
    /// Bytes of all paths, link targets, owners and extended attributes
    /// together, which are held in memory; and once more of the paths where
    /// entries come to lie, links followed. Half a million honest entries have about 50 MB.
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

impl Limits {
    /// The names under which [`Limits::set`] knows the bounds, and what each
    /// bounds, for people.
    pub const BOUNDS: [(&str, &str); 9] = [
        (
            "entries",
            "entries in all layers together; the largest honest images have about 500 000",
        ),
        ("path-bytes", "bytes of one path: Linux' `PATH_MAX`"),
        ("path-depth", "components of one path"),
        (
            "name-bytes",
            "bytes of all paths, link targets, owners and extended attributes together, which are held in memory; and of the paths where entries come to lie",
        ),
        (
            "unpacked-bytes",
            "decompressed bytes of all layers together, and of an archive that is packed as a whole",
        ),
        (
            "json-bytes",
            "bytes of a manifest, config or index; registries refuse larger manifests",
        ),
        (
            "pax-bytes",
            "bytes of the PAX records or GNU long names in front of one entry",
        ),
        (
            "layers",
            "layers of one image; engines refuse more than 127",
        ),
        ("manifests", "manifests in one index"),
    ];

    /// A bound by its name.
    pub fn get(&self, name: &str) -> Option<u64> {
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        Some(match name {
            "entries" => self.entries,
            "path-bytes" => count(self.path_bytes),
            "path-depth" => count(self.path_depth),
            "name-bytes" => self.name_bytes,
            "unpacked-bytes" => self.unpacked_bytes,
            "json-bytes" => self.json_bytes,
            "pax-bytes" => self.pax_bytes,
            "layers" => count(self.layers),
            "manifests" => count(self.manifests),
            _ => return None,
        })
    }

    /// Sets a bound by its name; false when there is none of that name.
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        let count = usize::try_from(value).unwrap_or(usize::MAX);
        match name {
            "entries" => self.entries = value,
            "path-bytes" => self.path_bytes = count,
            "path-depth" => self.path_depth = count,
            "name-bytes" => self.name_bytes = value,
            "unpacked-bytes" => self.unpacked_bytes = value,
            "json-bytes" => self.json_bytes = value,
            "pax-bytes" => self.pax_bytes = value,
            "layers" => self.layers = count,
            "manifests" => self.manifests = count,
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn every_name_sets_a_bound() {
        for (name, _) in Limits::BOUNDS {
            let mut limits = Limits::default();
            assert!(limits.set(name, 7), "{name}");
            assert_ne!(limits, Limits::default(), "{name}");
            assert_eq!(limits.get(name), Some(7), "{name}");
        }
        assert!(!Limits::default().set("nonsense", 7));
        assert_eq!(Limits::default().get("nonsense"), None);
    }
}
