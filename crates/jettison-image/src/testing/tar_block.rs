//! Tar headers written by hand, field by field, with nothing checked: what a
//! well-behaved writer refuses to write.

/// A header block under construction.
#[derive(Debug, Clone)]
pub struct TarBlock([u8; 512]);

impl TarBlock {
    /// A ustar header of the given type, name and size.
    pub fn new(type_flag: u8, name: impl AsRef<[u8]>, size: u64) -> Self {
        let mut block = Self([0; 512]);
        block.0[257..265].copy_from_slice(b"ustar\x0000");
        block.0[156] = type_flag;
        block
            .field(0, 100, name)
            .field(100, 8, "0000644")
            .field(108, 8, "0000000")
            .field(116, 8, "0000000")
            .field(124, 12, format!("{size:011o}"))
            .field(136, 12, "00000000000")
    }

    /// The old GNU dialect instead of ustar.
    pub fn gnu(self) -> Self {
        self.field(257, 8, b"ustar  \0")
    }

    /// The target of a link.
    pub fn link(self, target: impl AsRef<[u8]>) -> Self {
        self.field(157, 100, target)
    }

    /// Overwrites the field of `length` bytes at `offset`; what is too long is cut.
    pub fn field(mut self, offset: usize, length: usize, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        let kept = value.len().min(length);
        self.0[offset..offset + length].fill(0);
        self.0[offset..offset + kept].copy_from_slice(&value[..kept]);
        self
    }

    /// The block with a right checksum.
    pub fn bytes(mut self) -> Vec<u8> {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|&byte| u32::from(byte)).sum();
        self.field(148, 8, format!("{sum:06o}\0 ")).0.to_vec()
    }

    /// The block, content after it, and padding.
    pub fn with(self, content: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = self.bytes();
        out.extend_from_slice(content.as_ref());
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }

    /// An extended header holding records.
    pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        Self::new(b'x', "PaxHeaders.0/x", data.len() as u64).with(data)
    }
}
