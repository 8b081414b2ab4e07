//! `.cargo/config.toml` of the project: the flags and linkers that a static
//! build has to live with. Flags given for a target hide those given for all
//! (`target.*.rustflags` over `build.rustflags`), so what would be hidden is
//! carried along.

use crate::source::{self, Source};

/// What the project's cargo configuration says, nearest file first.
#[derive(Debug, Clone, Default)]
pub(super) struct CargoConfig {
    tables: Vec<toml::Table>,
}

impl CargoConfig {
    pub(super) fn read(source: &dyn Source, directory: &str) -> Self {
        let mut tables = Vec::new();
        for above in source::ancestors(directory) {
            for name in [".cargo/config.toml", ".cargo/config"] {
                let path = if above.is_empty() {
                    name.to_owned()
                } else {
                    format!("{above}/{name}")
                };
                if !source::has(source, &path) {
                    continue;
                }
                // A file that does not parse stops cargo with a better message than ours.
                if let Some(table) =
                    source::read_text(source, &path).and_then(|text| text.parse().ok())
                {
                    tables.push(table);
                }
                break;
            }
        }
        Self { tables }
    }

    /// `build.rustflags` that a flag for the target would hide: none when the
    /// project has flags for a target itself, which hide them already.
    pub(super) fn hidden_flags(&self, triple: &str) -> Vec<String> {
        if self
            .targets(triple)
            .any(|target| target.get("rustflags").is_some())
        {
            return Vec::new();
        }
        // Arrays of several files are joined, the nearest last.
        self.tables
            .iter()
            .rev()
            .filter_map(|table| table.get("build")?.as_table()?.get("rustflags"))
            .flat_map(flags)
            .collect()
    }

    /// The linker the project chose for a target.
    pub(super) fn linker<'a>(&'a self, triple: &'a str) -> Option<&'a str> {
        self.targets(triple)
            .find_map(|target| target.get("linker")?.as_str())
    }

    /// `[target.TRIPLE]`, and every `[target.'cfg(…)']`: which of those hold
    /// is cargo's to say; all are taken as if they did.
    fn targets<'a>(&'a self, triple: &'a str) -> impl Iterator<Item = &'a toml::Table> {
        self.tables
            .iter()
            .filter_map(|table| table.get("target")?.as_table())
            .flat_map(move |targets| {
                targets
                    .iter()
                    .filter(move |(name, _)| *name == triple || name.starts_with("cfg("))
            })
            .filter_map(|(_, target)| target.as_table())
    }
}

/// A list, or one string split at spaces.
fn flags(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        toml::Value::Array(list) => list
            .iter()
            .filter_map(|flag| flag.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    #[test]
    fn flags_that_would_be_hidden_are_carried_along() {
        let config = |text: &str| {
            CargoConfig::read(&MemorySource::new([(".cargo/config.toml", text)]), "a/b")
        };
        let triple = "x86_64-unknown-linux-gnu";
        assert_eq!(
            config("[build]\nrustflags = [\"--cfg\", \"tokio_unstable\"]").hidden_flags(triple),
            ["--cfg", "tokio_unstable"]
        );
        assert_eq!(
            config("[build]\nrustflags = \"-C a -C b\"").hidden_flags(triple),
            ["-C", "a", "-C", "b"]
        );
        let hiding = "[build]\nrustflags=[\"x\"]\n[target.x86_64-unknown-linux-gnu]\nrustflags=[\"y\"]\nlinker=\"clang\"";
        assert!(config(hiding).hidden_flags(triple).is_empty());
        assert_eq!(config(hiding).linker(triple), Some("clang"));
        assert_eq!(config(hiding).linker("aarch64-unknown-linux-musl"), None);
    }
}
