//! One 512-byte header block: fields, numbers, checksum, dialect.
//!
//! Offsets as in POSIX pax ("ustar Interchange Format"), the GNU tar manual
//! ("Basic Tar Format") and star(5).

use super::BLOCK_BYTES;

/// A header block with a right checksum.
pub(super) struct Block<'a>(&'a [u8; BLOCK_BYTES]);

/// Who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V7,
    Ustar,
    Star,
    Gnu,
}

impl<'a> Block<'a> {
    /// Checks the checksum; historic tars summed signed bytes.
    pub(super) fn new(bytes: &'a [u8; BLOCK_BYTES]) -> Result<Self, String> {
        // The checksum's own field counts as spaces.
        let field = &bytes[148..156];
        let sum = |bytes: &[u8]| bytes.iter().map(|&b| i64::from(b)).sum::<i64>();
        let high = |bytes: &[u8]| bytes.iter().filter(|&&b| b >= 0x80).count() as i64;
        let unsigned = sum(bytes) - sum(field) + 8 * i64::from(b' ');
        let signed = unsigned - 256 * (high(bytes) - high(field));
        let stated = octal(field);
        if stated != Some(unsigned) && stated != Some(signed) {
            return Err("header checksum does not match; not a tar header".into());
        }
        Ok(Self(bytes))
    }

    pub(super) fn dialect(&self) -> Dialect {
        match &self.0[257..265] {
            b"ustar\x0000" if &self.0[508..512] == b"tar\0" => Dialect::Star,
            magic if magic.starts_with(b"ustar\0") => {
                if &self.0[508..512] == b"tar\0" {
                    Dialect::Star
                } else {
                    Dialect::Ustar
                }
            }
            b"ustar  \0" => Dialect::Gnu,
            _ => Dialect::V7,
        }
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// The name, with the prefix where the dialect has one.
    pub(super) fn name(&self) -> Vec<u8> {
        let prefix = match self.dialect() {
            Dialect::Ustar => text(&self.0[345..500]),
            Dialect::Star => text(&self.0[345..476]),
            Dialect::Gnu if !self.has_gnu_times() && self.0[345..500].is_ascii() => {
                text(&self.0[345..500])
            }
            Dialect::Gnu | Dialect::V7 => b"",
        };
        let name = text(&self.0[..100]);
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    /// Go before 1.8 wrote a prefix where the GNU dialect has access and
    /// change time (golang.org/issue/12594): recognised, as Go does, by times
    /// that are no numbers.
    fn has_gnu_times(&self) -> bool {
        [&self.0[345..357], &self.0[357..369]]
            .into_iter()
            .all(|field| field[0] == 0 || number(field).is_some())
    }

    pub(super) fn link_name(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn size(&self) -> Result<i64, String> {
        self.number("size", 124..136)
    }

    pub(super) fn mode(&self) -> Result<i64, String> {
        self.number("mode", 100..108)
    }

    pub(super) fn uid(&self) -> Result<i64, String> {
        self.number("uid", 108..116)
    }

    pub(super) fn gid(&self) -> Result<i64, String> {
        self.number("gid", 116..124)
    }

    pub(super) fn mtime(&self) -> Result<i64, String> {
        self.number("mtime", 136..148)
    }

    pub(super) fn user_name(&self) -> &'a [u8] {
        if self.dialect() == Dialect::V7 {
            b""
        } else {
            text(&self.0[265..297])
        }
    }

    pub(super) fn group_name(&self) -> &'a [u8] {
        if self.dialect() == Dialect::V7 {
            b""
        } else {
            text(&self.0[297..329])
        }
    }

    /// Major and minor device numbers; zero where the dialect has none.
    pub(super) fn device(&self) -> Result<(i64, i64), String> {
        if self.dialect() == Dialect::V7 {
            return Ok((0, 0));
        }
        Ok((
            self.number("major number", 329..337)?,
            self.number("minor number", 337..345)?,
        ))
    }

    /// The GNU dialect's apparent size of a sparse file.
    pub(super) fn sparse_size(&self) -> Result<i64, String> {
        self.number("sparse size", 483..495)
    }

    /// The GNU dialect's first four stretches and whether more blocks follow.
    pub(super) fn sparse_map(&self) -> &'a [u8] {
        &self.0[386..483]
    }

    fn number(&self, what: &str, at: std::ops::Range<usize>) -> Result<i64, String> {
        number(&self.0[at]).ok_or_else(|| format!("{what} is not a number, or too large"))
    }
}

/// Bytes up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// Octal, or base-256 where the first bit is set (GNU tar manual, "Extensions").
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 == 0 {
        return octal(field);
    }
    let invert = if first & 0x40 == 0 { 0 } else { 0xff };
    let mut value = u64::from((first ^ invert) & 0x7f);
    for &byte in rest {
        if value >> 56 != 0 {
            return None;
        }
        value = value << 8 | u64::from(byte ^ invert);
    }
    let value = i64::try_from(value).ok()?;
    Some(if invert == 0 { value } else { !value })
}

/// Octal digits between spaces and NULs; a field of nothing else is zero.
fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_padding(byte)) else {
        return Some(0);
    };
    let end = field
        .iter()
        .rposition(|byte| !is_padding(byte))
        .map_or(0, |at| at + 1);
    let digits = text(&field[start..end]);
    digits.iter().try_fold(0_i64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        fn check(field: &[u8], expected: Option<i64>) {
            assert_eq!(number(field), expected, "{field:x?}");
        }
        check(b"", None);
        check(b"0000644\0", Some(0o644));
        check(b"   644 \0", Some(0o644));
        check(b"\0\0\0\0\0\0\0\0", Some(0));
        check(b"\x00000644 ", Some(0o644));
        check(b"644\0junk", Some(0o644));
        check(b"0000648\0", None);
        check(b"-1      ", None);
        check(b"77777777777777777777777", None);
        check(b"\x80\0\0\0\0\0\0\x01", Some(1));
        check(b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None);
        check(b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None);
        check(b"\x80\0\0\0\x01\0\0\0\0\0\0\0", Some(1 << 56));
        check(b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1));
        check(b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2));
    }
}
