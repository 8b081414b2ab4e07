//! The table of system calls that name a path, and what each does with it.
//!
//! The one place to add a call: a row has its numbers for x86-64, i386 and
//! arm64 (`-` where an architecture lacks it) and how its arguments are read.
//! Calls that only use what is open already (`read`, `mmap`, `fstat`) are not
//! here and cost nothing.

use std::sync::LazyLock;

use jettison_plan::Touch;

pub(super) const AUDIT_X86_64: u32 = 0xc000_003e;
pub(super) const AUDIT_I386: u32 = 0x4000_0003;
pub(super) const AUDIT_AARCH64: u32 = 0xc000_00b7;
/// Set in the number of a call of the x32 interface (asm/unistd.h).
const X32: u32 = 0x4000_0000;

/// Which argument holds what; 0 is the first.
type Argument = u8;

/// How one call is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    /// Looks up one or two paths.
    Look(&'static [Look]),
    Open {
        directory: Option<Argument>,
        path: Argument,
        flags: Flags,
    },
    Execute {
        directory: Option<Argument>,
        path: Argument,
        argv: Argument,
        flags: Option<Argument>,
    },
    /// Acts on an open file.
    Descriptor(Argument, Touch),
    /// Makes an open directory the current one.
    Enter(Argument),
    /// Names a socket: address, its length, what is done.
    Address(Argument, Argument, Touch),
    /// i386: the call and its arguments are in memory.
    Multiplexed,
    /// Changes what the tree looks like to a process; may look up a path.
    View(&'static [Look]),
    /// Changes what the thread may do.
    Rights,
    /// Opens a file without naming it.
    Handle,
    /// Wants to see the calls of others, as we do.
    Listen,
    /// Wants to be or have a debugger.
    Debugger,
}

/// Where the flags of an opening are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flags {
    In(Argument),
    Creat,
    /// `struct open_how` (openat2).
    How(Argument),
}

/// One path of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) directory: Option<Argument>,
    pub(super) path: Argument,
    /// Whether a link as the last component is followed.
    pub(super) follow: Follow,
    pub(super) purpose: Purpose,
    /// What no path, or an empty one, means.
    pub(super) empty: Empty,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Follow {
    Yes,
    No,
    Unless(Argument, u32),
    If(Argument, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// An error.
    Nothing,
    /// The open file, when this argument has AT_EMPTY_PATH.
    If(Argument),
    /// The open file, always (readlinkat, utimensat).
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Ask,
    /// Ask, with the rights in this argument.
    Access(Argument),
    /// Become the current directory or root.
    Enter,
    Open,
    /// Change what is about the file: mode, owner, times, attributes.
    Change,
    /// Change its content.
    Write,
    Create,
    Remove,
}

const NOFOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW as u32;
const FOLLOW: u32 = libc::AT_SYMLINK_FOLLOW as u32;

const fn at(directory: Argument, path: Argument, follow: Follow, purpose: Purpose) -> Look {
    let directory = Some(directory);
    Look {
        directory,
        path,
        follow,
        purpose,
        empty: Empty::Nothing,
    }
}

const fn here(path: Argument, follow: Follow, purpose: Purpose) -> Look {
    Look {
        directory: None,
        path,
        follow,
        purpose,
        empty: Empty::Nothing,
    }
}

/// The form of the newer calls: directory, path, and flags with
/// AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
const fn flagged(flags: Argument, purpose: Purpose) -> Look {
    Look {
        empty: Empty::If(flags),
        ..at(0, 1, Follow::Unless(flags, NOFOLLOW), purpose)
    }
}

const fn always(look: Look) -> Look {
    Look {
        empty: Empty::Always,
        ..look
    }
}

const NONE: u32 = u32::MAX;

use Call::{
    Address, Debugger, Descriptor, Execute, Handle, Listen, Multiplexed, Open, Rights, View,
};
use Follow::{If, No, Unless, Yes};
use Purpose::{Access, Ask, Change, Create, Enter, Remove, Write};

macro_rules! look {
    ($($look:expr),*) => { Call::Look(const { &[$($look),*] }) };
}

const fn open(directory: Option<Argument>, path: Argument, flags: Flags) -> Call {
    Open {
        directory,
        path,
        flags,
    }
}

/// Numbers on x86-64, i386 and arm64.
static ROWS: &[(u32, u32, u32, Call)] = &[
    // Opening.
    (2, 5, NONE, open(None, 0, Flags::In(1))),
    (85, 8, NONE, open(None, 0, Flags::Creat)),
    (257, 295, 56, open(Some(0), 1, Flags::In(2))),
    (437, 437, 437, open(Some(0), 1, Flags::How(2))),
    (134, 86, NONE, look![here(0, Yes, Purpose::Open)]), // uselib
    (304, 342, 265, Handle),                             // open_by_handle_at
    // Executing.
    (59, 11, 221, execute(None, 0, 1, None)),
    (322, 358, 281, execute(Some(0), 1, 2, Some(4))),
    // Asking.
    (4, 106, NONE, look![here(0, Yes, Ask)]),        // stat
    (6, 107, NONE, look![here(0, No, Ask)]),         // lstat
    (NONE, 195, NONE, look![here(0, Yes, Ask)]),     // stat64
    (NONE, 196, NONE, look![here(0, No, Ask)]),      // lstat64
    (NONE, 18, NONE, look![here(0, Yes, Ask)]),      // oldstat
    (NONE, 84, NONE, look![here(0, No, Ask)]),       // oldlstat
    (262, 300, 79, look![flagged(3, Ask)]),          // newfstatat, fstatat64
    (332, 383, 291, look![flagged(2, Ask)]),         // statx
    (21, 33, NONE, look![here(0, Yes, Access(1))]),  // access
    (269, 307, 48, look![at(0, 1, Yes, Access(2))]), // faccessat
    (
        439,
        439,
        439,
        look![Look {
            empty: Empty::If(3),
            ..at(0, 1, Unless(3, NOFOLLOW), Access(2))
        }],
    ), // faccessat2
    (89, 85, NONE, look![here(0, No, Ask)]),         // readlink
    (267, 305, 78, look![always(at(0, 1, No, Ask))]), // readlinkat
    (80, 12, 49, look![here(0, Yes, Enter)]),        // chdir
    (81, 133, 50, Call::Enter(0)),                   // fchdir
    (137, 99, 43, look![here(0, Yes, Ask)]),         // statfs
    (NONE, 268, NONE, look![here(0, Yes, Ask)]),     // statfs64
    (
        254,
        292,
        27,
        look![here(1, Unless(2, libc::IN_DONT_FOLLOW), Ask)],
    ), // inotify_add_watch
    (301, NONE, 263, look![at(3, 4, Yes, Ask)]),     // fanotify_mark
    (NONE, 339, NONE, look![at(4, 5, Yes, Ask)]),
    (
        303,
        341,
        264,
        look![Look {
            empty: Empty::If(4),
            ..at(0, 1, If(4, FOLLOW), Ask)
        }],
    ), // name_to_handle_at
    (191, 229, 8, look![here(0, Yes, Ask)]),  // getxattr
    (192, 230, 9, look![here(0, No, Ask)]),   // lgetxattr
    (194, 232, 11, look![here(0, Yes, Ask)]), // listxattr
    (195, 233, 12, look![here(0, No, Ask)]),  // llistxattr
    (464, 464, 464, look![flagged(2, Ask)]),  // getxattrat
    (465, 465, 465, look![flagged(2, Ask)]),  // listxattrat
    (468, 468, 468, look![flagged(4, Ask)]),  // file_getattr
    // Listing.
    (78, 141, NONE, Descriptor(0, Touch::LISTED)), // getdents
    (217, 220, 61, Descriptor(0, Touch::LISTED)),  // getdents64
    (NONE, 89, NONE, Descriptor(0, Touch::LISTED)), // readdir
    // Changing what is there.
    (90, 15, NONE, look![here(0, Yes, Change)]),  // chmod
    (91, 94, 52, Descriptor(0, Touch::CHANGED)),  // fchmod
    (268, 306, 53, look![at(0, 1, Yes, Change)]), // fchmodat
    (452, 452, 452, look![flagged(3, Change)]),   // fchmodat2
    (92, 182, NONE, look![here(0, Yes, Change)]), // chown
    (94, 16, NONE, look![here(0, No, Change)]),   // lchown
    (93, 95, 55, Descriptor(0, Touch::CHANGED)),  // fchown
    (260, 298, 54, look![flagged(4, Change)]),    // fchownat
    (NONE, 212, NONE, look![here(0, Yes, Change)]), // chown32
    (NONE, 198, NONE, look![here(0, No, Change)]), // lchown32
    (NONE, 207, NONE, Descriptor(0, Touch::CHANGED)), // fchown32
    (132, 30, NONE, look![here(0, Yes, Change)]), // utime
    (235, 271, NONE, look![here(0, Yes, Change)]), // utimes
    (261, 299, NONE, look![always(at(0, 1, Yes, Change))]), // futimesat
    (280, 320, 88, look![always(flagged(3, Change))]), // utimensat
    (NONE, 412, NONE, look![always(flagged(3, Change))]), // utimensat_time64
    (188, 226, 5, look![here(0, Yes, Change)]),   // setxattr
    (189, 227, 6, look![here(0, No, Change)]),    // lsetxattr
    (190, 228, 7, Descriptor(0, Touch::CHANGED)), // fsetxattr
    (197, 235, 14, look![here(0, Yes, Change)]),  // removexattr
    (198, 236, 15, look![here(0, No, Change)]),   // lremovexattr
    (199, 237, 16, Descriptor(0, Touch::CHANGED)), // fremovexattr
    (463, 463, 463, look![flagged(2, Change)]),   // setxattrat
    (466, 466, 466, look![flagged(2, Change)]),   // removexattrat
    (469, 469, 469, look![flagged(4, Change)]),   // file_setattr
    (76, 92, 45, look![here(0, Yes, Write)]),     // truncate
    (NONE, 193, NONE, look![here(0, Yes, Write)]), // truncate64
    (163, 51, 89, look![here(0, Yes, Write)]),    // acct
    // Changing what is where.
    (83, 39, NONE, look![here(0, No, Create)]),  // mkdir
    (258, 296, 34, look![at(0, 1, No, Create)]), // mkdirat
    (133, 14, NONE, look![here(0, No, Create)]), // mknod
    (259, 297, 33, look![at(0, 1, No, Create)]), // mknodat
    (88, 83, NONE, look![here(1, No, Create)]),  // symlink
    (266, 304, 36, look![at(1, 2, No, Create)]), // symlinkat
    (86, 9, NONE, look![here(0, No, Ask), here(1, No, Create)]), // link
    (
        265,
        303,
        37,
        look![
            Look {
                empty: Empty::If(4),
                ..at(0, 1, If(4, FOLLOW), Ask)
            },
            at(2, 3, No, Create)
        ],
    ), // linkat
    (84, 40, NONE, look![here(0, No, Remove)]),  // rmdir
    (87, 10, NONE, look![here(0, No, Remove)]),  // unlink
    (263, 301, 35, look![at(0, 1, No, Remove)]), // unlinkat
    (
        82,
        38,
        NONE,
        look![here(0, No, Remove), here(1, No, Create)],
    ), // rename
    (
        264,
        302,
        38,
        look![at(0, 1, No, Remove), at(2, 3, No, Create)],
    ), // renameat
    (
        316,
        353,
        276,
        look![at(0, 1, No, Remove), at(2, 3, No, Create)],
    ), // renameat2
    // Sockets.
    (42, 362, 203, Address(1, 2, Touch::ASKED)), // connect
    (49, 361, 200, Address(1, 2, Touch::CHANGED)), // bind
    (SENDTO[0], SENDTO[1], SENDTO[2], Address(4, 5, Touch::ASKED)),
    (NONE, 102, NONE, Multiplexed),
    // What the tree looks like.
    (161, 61, 51, View(const { &[here(0, Yes, Enter)] })), // chroot
    (165, 21, 40, View(const { &[here(1, Yes, Ask)] })),   // mount
    (NONE, 22, NONE, View(const { &[here(0, Yes, Ask)] })), // umount
    (166, 52, 39, View(const { &[here(0, Unless(1, 8), Ask)] })), // umount2, UMOUNT_NOFOLLOW
    (
        155,
        217,
        41,
        View(const { &[here(0, Yes, Ask), here(1, Yes, Ask)] }),
    ), // pivot_root
    (308, 346, 268, View(&[])),                            // setns
    (428, 428, 428, View(const { &[flagged(2, Purpose::Open)] })), // open_tree
    (467, 467, 467, View(const { &[flagged(2, Purpose::Open)] })), // open_tree_attr
    (
        429,
        429,
        429,
        View(const { &[always(at(0, 1, No, Ask)), always(at(2, 3, No, Ask))] }),
    ), // move_mount
    (442, 442, 442, View(const { &[flagged(2, Ask)] })),   // mount_setattr
    // Who it is.
    (105, 23, 146, Rights),    // setuid
    (106, 46, 144, Rights),    // setgid
    (113, 70, 145, Rights),    // setreuid
    (114, 71, 143, Rights),    // setregid
    (116, 81, 159, Rights),    // setgroups
    (117, 164, 147, Rights),   // setresuid
    (119, 170, 149, Rights),   // setresgid
    (122, 138, 151, Rights),   // setfsuid
    (123, 139, 152, Rights),   // setfsgid
    (NONE, 213, NONE, Rights), // setuid32
    (NONE, 214, NONE, Rights), // setgid32
    (NONE, 203, NONE, Rights), // setreuid32
    (NONE, 204, NONE, Rights), // setregid32
    (NONE, 206, NONE, Rights), // setgroups32
    (NONE, 208, NONE, Rights), // setresuid32
    (NONE, 210, NONE, Rights), // setresgid32
    (NONE, 215, NONE, Rights), // setfsuid32
    (NONE, 216, NONE, Rights), // setfsgid32
    (126, 185, 91, Rights),    // capset
    (272, 310, 97, Rights),    // unshare
    // Others who look on.
    (SECCOMP[0], SECCOMP[1], SECCOMP[2], Listen),
    (101, 26, 117, Debugger),
];

/// `sendto`, seen only with an address.
pub(super) const SENDTO: [u32; 3] = [44, 369, 206];
/// `seccomp`, seen only when a listener is asked for.
pub(super) const SECCOMP: [u32; 3] = [317, 354, 277];
/// `io_uring_setup`, which is not there while we trace: what a ring opens
/// goes past every filter.
pub(super) const RING: u32 = 425;

const fn execute(
    directory: Option<Argument>,
    path: Argument,
    argv: Argument,
    flags: Option<Argument>,
) -> Call {
    Execute {
        directory,
        path,
        argv,
        flags,
    }
}

/// The architectures that this machine's kernel runs, with their columns.
pub(super) fn native() -> &'static [(u32, usize)] {
    if cfg!(target_arch = "x86_64") {
        &[(AUDIT_X86_64, 0), (AUDIT_I386, 1)]
    } else if cfg!(target_arch = "aarch64") {
        &[(AUDIT_AARCH64, 2)]
    } else {
        &[]
    }
}

/// The numbers of one architecture, sorted.
pub(super) fn numbers(column: usize) -> Vec<u32> {
    let numbers = ROWS.iter().map(|row| [row.0, row.1, row.2][column]);
    let mut numbers: Vec<u32> = numbers.filter(|&number| number != NONE).collect();
    numbers.sort_unstable();
    numbers
}

/// What a number means to an interface of the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    Call(Call),
    /// Names no path.
    Nothing,
    /// Of an interface without a table.
    Unknown,
}

/// Looks a call up; second, the size of its pointers in bytes.
pub(super) fn meaning(audit: u32, number: u32) -> (Meaning, usize) {
    static BY_NUMBER: LazyLock<[Vec<Option<Call>>; 3]> = LazyLock::new(|| {
        [0, 1, 2].map(|column| {
            let mut calls = vec![None; 512];
            for row in ROWS {
                let number = [row.0, row.1, row.2][column];
                if let Some(slot) = calls.get_mut(number as usize) {
                    *slot = Some(row.3);
                }
            }
            calls
        })
    });
    let (column, number, pointer) = match audit {
        AUDIT_X86_64 if number & X32 != 0 => match number & !X32 {
            // The calls that x32 has of its own (syscall_64.tbl).
            520 => (0, 59, 4),
            545 => (0, 322, 4),
            number => (0, number, 4),
        },
        AUDIT_X86_64 => (0, number, 8),
        AUDIT_I386 => (1, number, 4),
        AUDIT_AARCH64 => (2, number, 8),
        _ => return (Meaning::Unknown, 8),
    };
    let call = BY_NUMBER[column].get(number as usize).copied().flatten();
    (call.map_or(Meaning::Nothing, Meaning::Call), pointer)
}

/// Reads the table before a fork, whose child then finds it read.
pub(super) fn warm() {
    let _ = meaning(AUDIT_X86_64, 0);
}
