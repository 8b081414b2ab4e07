//! Texts that code refers to together with their length, as Go and Rust do:
//! their texts have no end in the data, so where one ends only the code says.
//!
//! Two forms are looked for: an address that an instruction takes relative to
//! itself with a small number near it (x86-64), and an address followed by a
//! number in the data. A number that is near by chance makes a text too many,
//! never one too few of these forms.

use memchr::memchr_iter;

use super::ElfFile;

/// Shorter is a letter, longer is no name of a program.
const LENGTHS: std::ops::RangeInclusive<u64> = 2..=40;
/// Bytes of instructions around the one that takes the address in which the
/// length is set: three or four moves.
const NEAR: usize = 28;
/// More addresses than the largest programs take.
const MOST: usize = 4 << 20;

/// True where both forms are known.
pub(crate) fn are_known(file: &ElfFile<'_>) -> bool {
    const EM_X86_64: u16 = 62;
    file.machine == EM_X86_64 && file.is_64 && file.little_endian
}

/// Every text that may be referred to so; in no order, some more than once.
pub(crate) fn constants<'d>(file: &ElfFile<'d>) -> Vec<&'d [u8]> {
    let mut found = Vec::new();
    for section in &file.sections {
        let Some(bytes) = file.section_bytes(section).filter(|_| section.address != 0) else {
            continue;
        };
        match section.name {
            b".text" => in_code(file, bytes, section.address, &mut found),
            b".gopclntab" | b".eh_frame" => {}
            _ => in_data(file, bytes, &mut found),
        }
    }
    found
}

/// `lea reg, [rip + offset]` with a number of the right size near it.
fn in_code<'d>(file: &ElfFile<'d>, code: &[u8], address: u64, found: &mut Vec<&'d [u8]>) {
    for at in memchr_iter(0x8d, code).take(MOST) {
        let Some(&[mode, a, b, c, d]) = code.get(at + 1..at + 6) else {
            break;
        };
        let is_relative = mode & 0xc7 == 0x05;
        let has_prefix = at > 0 && matches!(code[at - 1], 0x48 | 0x4c);
        if !is_relative || !has_prefix {
            continue;
        }
        let offset = i64::from(i32::from_le_bytes([a, b, c, d]));
        let next = address.wrapping_add(at as u64 + 6);
        let target = next.wrapping_add_signed(offset);
        let Some(text) = file.bytes_from(target) else {
            continue;
        };
        let around = code[at.saturating_sub(NEAR)..]
            .windows(4)
            .take(2 * NEAR + 8);
        let mut seen = 0u64;
        for window in around {
            let number = u64::from(u32::from_le_bytes([
                window[0], window[1], window[2], window[3],
            ]));
            if LENGTHS.contains(&number) && seen & (1 << number) == 0 {
                seen |= 1 << number;
                found.extend(text.get(..number as usize));
            }
        }
    }
}

/// An address and a length, one behind the other.
fn in_data<'d>(file: &ElfFile<'d>, data: &[u8], found: &mut Vec<&'d [u8]>) {
    let words = data.chunks_exact(8).map(|word| {
        let word: [u8; 8] = word.try_into().unwrap_or_default();
        u64::from_le_bytes(word)
    });
    let mut before = 0;
    for word in words {
        if LENGTHS.contains(&word) && before != 0 {
            found.extend(file.bytes_at(before, word));
        }
        before = word;
    }
}
