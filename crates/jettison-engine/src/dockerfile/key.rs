//! What a step is known by: everything that it reads.

use jettison_image::Digest;

/// Writes down what a step reads, each part with its length, so that no two
/// steps look alike.
#[derive(Debug, Default)]
pub(crate) struct Key {
    bytes: Vec<u8>,
}

impl Key {
    /// A step of this kind above what `parent` stands for.
    pub(crate) fn new(kind: &str, parent: &Digest) -> Self {
        Self::default().with(kind).with(parent.as_bytes())
    }

    /// One part more.
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.bytes
            .extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(part);
        self
    }

    /// A list, with its length.
    pub(crate) fn with_all(mut self, parts: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        let before = self.bytes.len();
        let mut count = 0_u64;
        for part in parts {
            self = self.with(part);
            count += 1;
        }
        self.bytes.splice(before..before, count.to_le_bytes());
        self
    }

    /// The key.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_do_not_run_into_each_other() {
        let key = |lists: [&[&str]; 2]| {
            let [a, b] = lists;
            Key::default().with_all(a).with_all(b).digest()
        };
        assert_ne!(key([&["a", "b"], &[]]), key([&["a"], &["b"]]));
        assert_ne!(key([&["ab"], &[]]), key([&["a", "b"], &[]]));
        assert_eq!(key([&["a"], &["b"]]), key([&["a"], &["b"]]));
    }
}
