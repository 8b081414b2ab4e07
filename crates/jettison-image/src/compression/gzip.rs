//! Unpacks gzip (RFC 1952), as many members as follow each other.
//!
//! As strict as the gzip reader that container engines use: anything but
//! another member after a member is an error, zero padding included, and
//! checksum and length of every member are compared.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

use super::decoder::{Step, invalid};

/// A name or comment longer than this is refused; nothing writes one.
const TEXT_LIMIT: usize = 512;

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;

/// The members of a gzip stream, one after the other.
pub(super) struct GzipMembers {
    part: Part,
    inflate: Decompress,
    crc: libdeflater::Crc,
    /// Length of the member's content, modulo 2^32 as the trailer has it.
    length: u32,
    header_crc: libdeflater::Crc,
    flags: u8,
    members: u64,
}

#[derive(Clone, Copy)]
enum Part {
    /// The ten fixed bytes; `0` seen of none means between two members.
    Fixed {
        seen: usize,
    },
    ExtraLength {
        seen: usize,
        length: usize,
    },
    Extra {
        left: usize,
    },
    Name {
        length: usize,
    },
    Comment {
        length: usize,
    },
    HeaderCrc {
        seen: usize,
        value: u16,
    },
    Body,
    Trailer {
        seen: usize,
        bytes: [u8; 8],
    },
}

impl GzipMembers {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Fixed { seen: 0 },
            inflate: Decompress::new(false),
            crc: libdeflater::Crc::new(),
            length: 0,
            header_crc: libdeflater::Crc::new(),
            flags: 0,
            members: 0,
        }
    }

    /// Takes one byte of what is not compressed: header and trailer.
    fn take(&mut self, byte: u8) -> io::Result<()> {
        if !matches!(self.part, Part::HeaderCrc { .. } | Part::Trailer { .. }) {
            self.header_crc.update(&[byte]);
        }
        self.part = match self.part {
            Part::Fixed { seen } => {
                match seen {
                    0 if byte != 0x1f => return Err(self.no_member()),
                    1 if byte != 0x8b => return Err(self.no_member()),
                    2 if byte != 8 => return Err(invalid("gzip method is not deflate")),
                    3 => self.flags = byte,
                    _ => {}
                }
                if seen < 9 {
                    Part::Fixed { seen: seen + 1 }
                } else {
                    self.after_fixed()
                }
            }
            Part::ExtraLength { seen: 0, .. } => Part::ExtraLength {
                seen: 1,
                length: usize::from(byte),
            },
            Part::ExtraLength { length, .. } => match length | usize::from(byte) << 8 {
                0 => self.after_extra(),
                left => Part::Extra { left },
            },
            Part::Extra { left: 1 } => self.after_extra(),
            Part::Extra { left } => Part::Extra { left: left - 1 },
            Part::Name { .. } if byte == 0 => self.after_name(),
            Part::Comment { .. } if byte == 0 => self.after_comment(),
            Part::Name { length } | Part::Comment { length } if length >= TEXT_LIMIT => {
                return Err(invalid("gzip header has an endless name or comment"));
            }
            Part::Name { length } => Part::Name { length: length + 1 },
            Part::Comment { length } => Part::Comment { length: length + 1 },
            Part::HeaderCrc { seen: 0, .. } => Part::HeaderCrc {
                seen: 1,
                value: u16::from(byte),
            },
            Part::HeaderCrc { value, .. } => {
                // RFC 1952, 2.3.1: the lower half of the header's CRC-32.
                let value = value | u16::from(byte) << 8;
                if u32::from(value) != self.header_crc.sum() & 0xffff {
                    return Err(invalid("gzip header does not have the checksum it says"));
                }
                self.body()
            }
            Part::Trailer { seen, mut bytes } => {
                bytes[seen] = byte;
                if seen < 7 {
                    Part::Trailer {
                        seen: seen + 1,
                        bytes,
                    }
                } else {
                    self.end_member(bytes)?;
                    Part::Fixed { seen: 0 }
                }
            }
            Part::Body => Part::Body,
        };
        Ok(())
    }

    fn no_member(&self) -> io::Error {
        match self.members {
            0 => invalid("not gzip"),
            _ => invalid("something that is not gzip follows the gzip data"),
        }
    }

    fn after_fixed(&mut self) -> Part {
        match self.flags & FLAG_EXTRA {
            0 => self.after_extra(),
            _ => Part::ExtraLength { seen: 0, length: 0 },
        }
    }

    fn after_extra(&mut self) -> Part {
        match self.flags & FLAG_NAME {
            0 => self.after_name(),
            _ => Part::Name { length: 0 },
        }
    }

    fn after_name(&mut self) -> Part {
        match self.flags & FLAG_COMMENT {
            0 => self.after_comment(),
            _ => Part::Comment { length: 0 },
        }
    }

    fn after_comment(&mut self) -> Part {
        match self.flags & FLAG_HEADER_CRC {
            0 => self.body(),
            _ => Part::HeaderCrc { seen: 0, value: 0 },
        }
    }

    fn body(&mut self) -> Part {
        self.inflate.reset(false);
        self.crc = libdeflater::Crc::new();
        self.length = 0;
        Part::Body
    }

    fn end_member(&mut self, trailer: [u8; 8]) -> io::Result<()> {
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return Err(invalid("gzip data does not have the checksum it says"));
        }
        if u32::from_le_bytes([e, f, g, h]) != self.length {
            return Err(invalid("gzip data does not have the length it says"));
        }
        self.members += 1;
        self.header_crc = libdeflater::Crc::new();
        Ok(())
    }
}

impl Step for GzipMembers {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let mut consumed = 0;
        while !matches!(self.part, Part::Body) {
            let Some(&byte) = input.get(consumed) else {
                return Ok((consumed, 0));
            };
            self.take(byte)?;
            consumed += 1;
        }
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(&input[consumed..], output, FlushDecompress::None)
            .map_err(|_| invalid("gzip data is damaged"))?;
        consumed += (self.inflate.total_in() - before_in) as usize;
        let produced = (self.inflate.total_out() - before_out) as usize;
        self.crc.update(&output[..produced]);
        self.length = self.length.wrapping_add(produced as u32);
        if status == Status::StreamEnd {
            self.part = Part::Trailer {
                seen: 0,
                bytes: [0; 8],
            };
        }
        Ok((consumed, produced))
    }

    fn is_complete(&self) -> bool {
        self.members > 0 && matches!(self.part, Part::Fixed { seen: 0 })
    }
}
