//! Classic BPF by hand (linux/filter.h, seccomp(2)).

use libc::sock_filter;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What decides about one call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    Allow,
    /// Fails with this errno; 0 pretends success.
    Fail(i32),
    /// Allowed when the first argument has none of these bits.
    NoneOf(u32),
    /// Allowed when the first argument is one of these.
    OneOf(&'static [u32]),
    /// Allowed when the first argument is another.
    Not(u32),
    /// Pretends success when the mode in this argument says device.
    PretendDevice {
        argument: u32,
    },
    /// Allowed when this argument is zero, in both its halves.
    Null {
        argument: u32,
    },
    /// Allowed when this argument has none of these bits.
    Lacks {
        argument: u32,
        bits: u32,
    },
}

/// The rules of one architecture.
pub(super) struct Section {
    pub(super) audit: u32,
    pub(super) checks: Vec<(u32, Check)>,
    /// First and last of every run of allowed numbers, in order.
    pub(super) allowed: Vec<(u32, u32)>,
}

/// The whole filter: a call of an architecture that is not listed, or that no
/// rule allows, fails with `otherwise`.
pub(super) fn program(sections: &[Section], otherwise: i32) -> Vec<sock_filter> {
    program_or(sections, ERRNO | otherwise as u32)
}

/// Likewise, with any action of the kernel's instead of a failure.
pub(super) fn program_or(sections: &[Section], deny: u32) -> Vec<sock_filter> {
    let mut code = vec![step(LOAD, ARCHITECTURE)];
    for section in sections {
        let body = section_code(section, deny);
        // A long jump: a section has more steps than a conditional can skip.
        code.push(branch(IF_EQUAL, section.audit, 1, 0));
        code.push(step(JUMP, length(&body)));
        code.extend(body);
    }
    code.push(step(RETURN, deny));
    code
}

fn section_code(section: &Section, deny: u32) -> Vec<sock_filter> {
    let mut code = vec![step(LOAD, NUMBER)];
    for &(number, check) in &section.checks {
        let body = check_code(check, deny);
        code.push(branch(IF_EQUAL, number, 0, body.len()));
        code.extend(body);
    }
    search(&section.allowed, deny, &mut code);
    code
}

/// Ends in a return on every path.
fn check_code(check: Check, deny: u32) -> Vec<sock_filter> {
    let (allow, deny) = (step(RETURN, ALLOW), step(RETURN, deny));
    // The lower half: all these arguments are 32 bits wide to the kernel.
    let load = |argument: u32| step(LOAD, ARGUMENTS + 8 * argument);
    match check {
        Check::Allow => vec![allow],
        Check::Fail(errno) => vec![step(RETURN, ERRNO | errno as u32)],
        Check::NoneOf(bits) => vec![load(0), branch(IF_ANY_BIT, bits, 1, 0), allow, deny],
        Check::Not(value) => vec![load(0), branch(IF_EQUAL, value, 1, 0), allow, deny],
        Check::OneOf(values) => {
            let mut code = vec![load(0)];
            for &value in values {
                code.push(branch(IF_EQUAL, value, 0, 1));
                code.push(allow);
            }
            code.push(deny);
            code
        }
        Check::Null { argument } => vec![
            load(argument),
            branch(IF_EQUAL, 0, 0, 3),
            step(LOAD, ARGUMENTS + 8 * argument + 4),
            branch(IF_EQUAL, 0, 0, 1),
            allow,
            deny,
        ],
        Check::Lacks { argument, bits } => {
            vec![load(argument), branch(IF_ANY_BIT, bits, 1, 0), allow, deny]
        }
        Check::PretendDevice { argument } => vec![
            load(argument),
            step(AND, libc::S_IFMT),
            branch(IF_EQUAL, libc::S_IFCHR, 2, 0),
            branch(IF_EQUAL, libc::S_IFBLK, 1, 0),
            allow,
            step(RETURN, ERRNO),
        ],
    }
}

/// A binary search, so that no call pays for the length of the table.
fn search(ranges: &[(u32, u32)], deny: u32, code: &mut Vec<sock_filter>) {
    match ranges {
        [] => code.push(step(RETURN, deny)),
        [(first, last)] => {
            code.push(branch(IF_AT_LEAST, *first, 0, 1));
            code.push(branch(IF_GREATER, *last, 0, 1));
            code.push(step(RETURN, deny));
            code.push(step(RETURN, ALLOW));
        }
        _ => {
            let (left, right) = ranges.split_at(ranges.len() / 2);
            let mut lower = Vec::new();
            search(left, deny, &mut lower);
            code.push(branch(IF_AT_LEAST, right[0].0, 0, 1));
            code.push(step(JUMP, length(&lower)));
            code.extend(lower);
            search(right, deny, code);
        }
    }
}

fn length(code: &[sock_filter]) -> u32 {
    u32::try_from(code.len()).expect("a filter has a few hundred steps")
}

fn step(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn branch(code: u16, k: u32, yes: usize, no: usize) -> sock_filter {
    let short = |n: usize| u8::try_from(n).expect("a check has a dozen steps");
    sock_filter {
        code,
        jt: short(yes),
        jf: short(no),
        k,
    }
}
