//! System call filters: Docker's default profile, and the one that makes a
//! single id look like many.

mod bpf;
mod table;

pub(crate) use table::warm;

use bpf::{Check, Section};
use libc::sock_filter;

/// `CAP_SYS_CHROOT`; the only conditional part of Docker's profile that its
/// default capabilities switch on.
const SYS_CHROOT: u64 = 1 << 18;
/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const AF_VSOCK: u32 = 40;
/// Linux, UNAME26, 32 bit, both, and the one that only asks.
const PERSONALITIES: [u32; 5] = [0, 8, 0x0002_0000, 0x0002_0008, u32::MAX];

const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_I386: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;

/// An architecture that the kernel of this machine runs, with its numbers of
/// the calls whose arguments matter.
struct Numbers {
    audit: u32,
    column: usize,
    clone: u32,
    clone3: u32,
    personality: u32,
    socket: u32,
    chroot: u32,
    mknod: Option<u32>,
    mknodat: u32,
    /// chown, lchown, fchown, fchownat and everything that sets ids, with
    /// i386's second set for ids of 32 bits.
    owners: &'static [u32],
}

const X86_64: Numbers = Numbers {
    audit: AUDIT_X86_64,
    column: 0,
    clone: 56,
    clone3: 435,
    personality: 135,
    socket: 41,
    chroot: 161,
    mknod: Some(133),
    mknodat: 259,
    owners: &[92, 94, 93, 260, 105, 106, 116, 113, 114, 117, 119, 122, 123],
};
const I386: Numbers = Numbers {
    audit: AUDIT_I386,
    column: 1,
    clone: 120,
    clone3: 435,
    personality: 136,
    socket: 359,
    chroot: 61,
    mknod: Some(14),
    mknodat: 297,
    owners: &[
        182, 16, 95, 298, 23, 46, 81, 70, 71, 164, 170, 138, 139, 212, 198, 207, 213, 214, 206,
        203, 204, 208, 210, 215, 216,
    ],
};
const AARCH64: Numbers = Numbers {
    audit: AUDIT_AARCH64,
    column: 2,
    clone: 220,
    clone3: 435,
    personality: 92,
    socket: 198,
    chroot: 51,
    mknod: None,
    mknodat: 33,
    owners: &[55, 54, 146, 144, 159, 145, 143, 147, 149, 151, 152],
};

/// The architectures of this machine, its own first.
fn native() -> &'static [Numbers] {
    const ON_X86_64: [Numbers; 2] = [X86_64, I386];
    const ON_AARCH64: [Numbers; 1] = [AARCH64];
    if cfg!(target_arch = "x86_64") {
        &ON_X86_64
    } else if cfg!(target_arch = "aarch64") {
        &ON_AARCH64
    } else {
        &[]
    }
}

/// Docker's default profile for a container with these capabilities. What is
/// not allowed fails with EPERM, `clone3` with ENOSYS, so that C libraries
/// fall back to `clone`, whose flags can be looked at. On an architecture
/// without a table every call is refused.
pub(crate) fn docker_default(capabilities: u64) -> Vec<sock_filter> {
    let sections = native().iter().map(|numbers| {
        let mut checks = vec![
            (numbers.clone3, Check::Fail(libc::ENOSYS)),
            (numbers.clone, Check::NoneOf(NEW_NAMESPACES)),
            (numbers.personality, Check::OneOf(&PERSONALITIES)),
            (numbers.socket, Check::Not(AF_VSOCK)),
        ];
        if capabilities & SYS_CHROOT != 0 {
            checks.push((numbers.chroot, Check::Allow));
        }
        Section {
            audit: numbers.audit,
            checks,
            allowed: table::allowed(numbers.column),
        }
    });
    bpf::program(&sections.collect::<Vec<_>>(), libc::EPERM)
}

/// Answers changes of owner, user and group, and the making of devices, with
/// success without doing them (Charliecloud's and proot's "fake root").
pub(crate) fn pretend_ownership() -> Vec<sock_filter> {
    let sections = native().iter().map(|numbers| {
        let mut checks: Vec<_> = numbers
            .owners
            .iter()
            .map(|&number| (number, Check::Fail(0)))
            .collect();
        if let Some(mknod) = numbers.mknod {
            checks.push((mknod, Check::PretendDevice { argument: 1 }));
        }
        checks.push((numbers.mknodat, Check::PretendDevice { argument: 2 }));
        Section {
            audit: numbers.audit,
            checks,
            allowed: vec![(0, u32::MAX)],
        }
    });
    bpf::program(&sections.collect::<Vec<_>>(), libc::EPERM)
}

/// The calls of one architecture at which somebody looks.
pub(crate) struct Seen {
    pub(crate) audit: u32,
    pub(crate) numbers: Vec<u32>,
    /// One that is answered with ENOSYS.
    pub(crate) missing: u32,
    /// One of the numbers, looked at only when this argument is not null.
    pub(crate) with_pointer: (u32, u32),
    /// One of the numbers, looked at only when this argument has these bits.
    pub(crate) with_bits: (u32, u32, u32),
}

/// A filter that answers these calls, and those of other architectures and of
/// x32, with an action, and allows all others.
pub(crate) fn seen_program(seen: &[Seen], action: u32) -> Vec<sock_filter> {
    /// From here on the numbers are those of x32 (asm/unistd.h).
    const X32: u32 = 0x4000_0000;
    let sections = seen.iter().map(|seen| {
        let (pointer, bits) = (seen.with_pointer, seen.with_bits);
        let mut allowed = Vec::new();
        let mut next = 0;
        for &number in &seen.numbers {
            if number > next {
                allowed.push((next, number - 1));
            }
            next = number.saturating_add(1);
        }
        allowed.push((next, X32 - 1));
        Section {
            audit: seen.audit,
            checks: vec![
                (seen.missing, Check::Fail(libc::ENOSYS)),
                (
                    pointer.0,
                    Check::Null {
                        argument: pointer.1,
                    },
                ),
                (
                    bits.0,
                    Check::Lacks {
                        argument: bits.1,
                        bits: bits.2,
                    },
                ),
            ],
            allowed,
        }
    });
    bpf::program_or(&sections.collect::<Vec<_>>(), action)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel does (classic BPF, the few codes we emit).
    fn answer(program: &[sock_filter], audit: u32, number: u32, arguments: [u64; 3]) -> u32 {
        let load = |offset: u32| match offset {
            0 => number,
            4 => audit,
            offset => {
                let word = u64::from(offset - 16);
                let argument = arguments[(word / 8) as usize];
                if word % 8 == 0 {
                    argument as u32
                } else {
                    (argument >> 32) as u32
                }
            }
        };
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let step = &program[at];
            at += 1;
            let taken = match step.code {
                0x20 => {
                    accumulator = load(step.k);
                    continue;
                }
                0x54 => {
                    accumulator &= step.k;
                    continue;
                }
                0x05 => {
                    at += step.k as usize;
                    continue;
                }
                0x06 => return step.k,
                0x15 => accumulator == step.k,
                0x25 => accumulator > step.k,
                0x35 => accumulator >= step.k,
                0x45 => accumulator & step.k != 0,
                code => panic!("code {code:#x}"),
            };
            at += usize::from(if taken { step.jt } else { step.jf });
        }
    }

    const ALLOW: u32 = 0x7fff_0000;
    const fn errno(number: i32) -> u32 {
        0x0005_0000 | number as u32
    }

    #[test]
    fn the_filter_says_what_the_table_says_for_every_number() {
        for numbers in native() {
            let program = docker_default(0);
            assert!(program.len() < 4096);
            let allowed = table::allowed(numbers.column);
            for number in 0..1000 {
                if [
                    numbers.clone,
                    numbers.clone3,
                    numbers.personality,
                    numbers.socket,
                ]
                .contains(&number)
                {
                    continue;
                }
                let expected = allowed.iter().any(|&(a, b)| (a..=b).contains(&number));
                let got = answer(&program, numbers.audit, number, [0; 3]);
                assert_eq!(
                    got,
                    if expected { ALLOW } else { errno(libc::EPERM) },
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn arguments_decide_where_they_must() {
        let Some(numbers) = native().first() else {
            return;
        };
        let program = docker_default(SYS_CHROOT);
        let check = |number, argument: u64, expected: u32| {
            let got = answer(&program, numbers.audit, number, [argument, 0, 0]);
            assert_eq!(got, expected, "{number} {argument:#x}");
        };
        check(numbers.clone3, 0, errno(libc::ENOSYS));
        check(numbers.clone, 0x0100_0011, ALLOW);
        for flag in [0x2_0000, 0x0200_0000, 0x0400_0000, 0x1000_0000, 0x4000_0000] {
            check(numbers.clone, flag | 0x11, errno(libc::EPERM));
        }
        check(numbers.personality, 0xffff_ffff, ALLOW);
        check(numbers.personality, 0x0004_0000, errno(libc::EPERM));
        check(numbers.socket, 2, ALLOW);
        check(numbers.socket, 40, errno(libc::EPERM));
        // The kernel looks at the lower half only, and so do we.
        check(numbers.socket, 40 | 1 << 32, errno(libc::EPERM));
        check(numbers.chroot, 0, ALLOW);
        let strict = docker_default(0);
        assert_eq!(
            answer(&strict, numbers.audit, numbers.chroot, [0; 3]),
            errno(libc::EPERM)
        );
        assert_eq!(answer(&strict, 0x1234, 0, [0; 3]), errno(libc::EPERM));
    }

    #[test]
    fn a_single_id_is_told_that_it_changed_owners() {
        let Some(numbers) = native().first() else {
            return;
        };
        let program = pretend_ownership();
        for &number in numbers.owners {
            assert_eq!(answer(&program, numbers.audit, number, [0; 3]), errno(0));
        }
        let device = u64::from(libc::S_IFCHR | 0o666);
        let pipe = u64::from(libc::S_IFIFO | 0o666);
        assert_eq!(
            answer(&program, numbers.audit, numbers.mknodat, [0, 0, device]),
            errno(0)
        );
        assert_eq!(
            answer(&program, numbers.audit, numbers.mknodat, [0, 0, pipe]),
            ALLOW
        );
        assert_eq!(answer(&program, numbers.audit, 0, [0; 3]), ALLOW);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_table_agrees_with_the_c_library() {
        let allowed = table::allowed(0);
        let has = |number: libc::c_long| {
            allowed
                .iter()
                .any(|&(a, b)| (i64::from(a)..=i64::from(b)).contains(&number))
        };
        for number in [
            libc::SYS_read,
            libc::SYS_openat2,
            libc::SYS_ptrace,
            libc::SYS_statx,
        ] {
            assert!(has(number), "{number}");
        }
        for number in [
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_keyctl,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_userfaultfd,
            libc::SYS_open_by_handle_at,
            libc::SYS_chroot,
        ] {
            assert!(!has(number), "{number}");
        }
    }
}
