//! Which functions of a Go program call a given one or take its address: one
//! pass over the machine code that looks at direct calls and at addresses
//! formed relative to the program counter. What it cannot see (another
//! processor, a call through a variable or an interface) it says, so that the
//! caller can assume the worst.

use std::collections::BTreeSet;

use memchr::memmem;

use super::functions::GoFunctions;
use crate::elf::ElfFile;

const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// Names of the functions that call `function` directly, or bind a method to
/// its receiver (`method_value` is then `T.m-fm`, whose address the closure
/// begins with). None when that cannot be known, as of a function that has no
/// code of its own, or whose address lies in the data: in a function value, in
/// the method table of an interface.
pub(crate) fn users<'d>(
    file: &ElfFile<'d>,
    functions: &GoFunctions<'d>,
    function: &str,
    method_value: Option<&str>,
) -> Option<BTreeSet<&'d str>> {
    let text = file.section(b".text")?;
    let code = file.section_bytes(text)?;
    // Offsets in the table count from Go's own code; with C code linked in
    // front of it the two begin apart.
    let shift = functions.text_address?.checked_sub(text.address)?;
    let called = functions.address(function);
    let taken = method_value.and_then(|name| functions.address(name));
    if (called.is_none() && taken.is_none())
        || called.is_some_and(|address| is_in_data(file, address))
    {
        return None;
    }

    let mut users = BTreeSet::new();
    let mut note = |at: usize| {
        let offset = u64::try_from(at)
            .ok()
            .and_then(|at| at.checked_sub(shift))
            .and_then(|at| u32::try_from(at).ok());
        if let Some(offset) = offset {
            users.insert(functions.at(offset));
        }
    };
    match file.machine {
        EM_X86_64 => amd64(code, text.address, called, taken, &mut note),
        EM_AARCH64 => arm64(code, text.address, called, taken, &mut note),
        _ => return None,
    }
    // A function that has grown its stack jumps to its own start.
    users.remove(function);
    Some(users)
}

/// True when the loaded data hold this address. Method tables of types hold
/// offsets, so a method that is merely there is not meant.
fn is_in_data(file: &ElfFile<'_>, address: u64) -> bool {
    /// One is enough; of so many outside the data something is wrong.
    const OCCURRENCES: usize = 4096;
    const SHT_NOBITS: u32 = 8;
    let bytes = if file.little_endian {
        address.to_le_bytes()
    } else {
        address.to_be_bytes()
    };
    let is_loaded_data = |at: usize| {
        let at = at as u64;
        file.sections.iter().any(|section| {
            section.address != 0
                && section.kind != SHT_NOBITS
                && !matches!(section.name, b".text" | b".gopclntab")
                && at >= section.offset
                && at - section.offset < section.size_bytes
        })
    };
    memmem::find_iter(file.data, &bytes)
        .enumerate()
        .any(|(count, at)| count >= OCCURRENCES || is_loaded_data(at))
}

/// `CALL rel32` (E8), the `JMP rel32` (E9) of a promoted method, and any instruction whose last four bytes are a
/// displacement from its own end (LEA, MOV).
fn amd64(
    code: &[u8],
    address: u64,
    called: Option<u64>,
    taken: Option<u64>,
    note: &mut impl FnMut(usize),
) {
    for at in 1..code.len().saturating_sub(3) {
        let displacement = i32::from_le_bytes([code[at], code[at + 1], code[at + 2], code[at + 3]]);
        let target = address
            .wrapping_add(at as u64 + 4)
            .wrapping_add_signed(displacement.into());
        let is_call = matches!(code[at - 1], 0xe8 | 0xe9) && called == Some(target);
        if is_call || taken == Some(target) {
            note(at);
        }
    }
}

/// `BL` and `B`, and `ADRP` with the `ADD` or `LDR` of the same register that follows it.
fn arm64(
    code: &[u8],
    address: u64,
    called: Option<u64>,
    taken: Option<u64>,
    note: &mut impl FnMut(usize),
) {
    /// The assembler may put other instructions between the two.
    const NEAR: usize = 8;
    let words: Vec<u32> = code
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    for (index, &word) in words.iter().enumerate() {
        let here = address.wrapping_add(index as u64 * 4);
        if matches!(word >> 26, 0b10_0101 | 0b00_0101) {
            let offset = (i64::from(word & 0x03ff_ffff) << 38) >> 36;
            if called == Some(here.wrapping_add_signed(offset)) {
                note(index * 4);
            }
        } else if word & 0x9f00_0000 == 0x9000_0000 {
            let low = u64::from(word >> 29 & 3);
            let high = u64::from(word >> 5 & 0x7_ffff);
            let pages = (((high << 2 | low) << 43) as i64) >> 43;
            let page = (here & !0xfff).wrapping_add_signed(pages << 12);
            let register = word & 31;
            let follows = words[index + 1..].iter().take(NEAR).any(|&next| {
                let is_add = next & 0xffc0_0000 == 0x9100_0000;
                let is_load = next & 0xffc0_0000 == 0xf940_0000;
                let scale = if is_load { 3 } else { 0 };
                let target = page.wrapping_add(u64::from(next >> 10 & 0xfff) << scale);
                (is_add || is_load) && next >> 5 & 31 == register && taken == Some(target)
            });
            if follows {
                note(index * 4);
            }
        }
    }
}
