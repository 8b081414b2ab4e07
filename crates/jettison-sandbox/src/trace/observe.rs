//! From a system call that is about to happen to the paths it touches.
//!
//! The outcome of the call is not awaited: what it will find is looked up in
//! the moment before it is let go, with the rights of who makes it.

use jettison_plan::{Touch, Trace};

use super::program::{self, Binary};
use super::raw::Event;
use super::record::Record;
use super::resolve::{End, Looked, Resolver, Start};
use super::table::{self, Call, Empty, Flags, Follow, Look, Meaning, Purpose};
use super::task::{Task, Unread};

const CREATE: u64 = libc::O_CREAT as u64;
const RESOLVE_IN_ROOT: u64 = 0x10;
/// Interpreters of interpreters: the kernel's own bound, and the loader.
const INTERPRETERS: usize = 6;

/// A process of ours that is about to become the container's program. It
/// cannot be looked into, so it has said what it will do.
#[derive(Debug)]
pub(super) struct Newborn {
    pub(super) pid: i32,
    /// Addresses and texts of the paths that it will try.
    pub(super) attempts: Vec<(u64, Vec<u8>)>,
    pub(super) argv: Vec<String>,
    /// Its current directory, inside the container.
    pub(super) current: Box<[u8]>,
}

impl Newborn {
    /// Whether this call shows that it has become the program.
    pub(super) fn has_become(&self, event: &Event) -> bool {
        let (meaning, _) = table::meaning(event.audit, event.number);
        // Giving up rights is the last that it does before.
        let before = matches!(meaning, Meaning::Call(Call::Execute { .. } | Call::Rights));
        event.pid != self.pid || !before
    }
}

#[derive(Debug)]
pub(super) struct Observer {
    resolver: Resolver,
    record: Record,
    path: Vec<u8>,
}

/// What a look is for, with what the caller found out about it.
struct Want {
    touch: Touch,
    /// Rights on the file: read 4, write 2, execute 1.
    rights: u32,
    /// The real user counts.
    really: bool,
    /// What a missing name means, when it is created then.
    created: Option<Touch>,
    /// The directory has to be writable.
    names: bool,
}

impl Want {
    fn new(touch: Touch, rights: u32) -> Self {
        Self {
            touch,
            rights,
            really: false,
            created: None,
            names: false,
        }
    }
}

impl Observer {
    pub(super) fn new(resolver: Resolver, record: Record) -> Self {
        Self {
            resolver,
            record,
            path: Vec::new(),
        }
    }

    pub(super) fn take(&mut self) -> Trace {
        self.record.take()
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    pub(super) fn inside(&self, link: &[u8]) -> Option<Box<[u8]>> {
        self.resolver.inside(link).map(Into::into)
    }

    /// Takes note of a call. Fails when something was hidden from us.
    pub(super) fn see(&mut self, event: &Event, newborn: Option<&Newborn>) -> Result<(), Unread> {
        let (meaning, pointer) = table::meaning(event.audit, event.number);
        let task = Task { pid: event.pid };
        match meaning {
            Meaning::Nothing => Ok(()),
            Meaning::Unknown => {
                self.record
                    .note("a program made system calls of an interface that is not known");
                Err(Unread::Refused)
            }
            Meaning::Call(call) => self.call(call, event, task, pointer, newborn),
        }
    }

    fn call(
        &mut self,
        call: Call,
        event: &Event,
        task: Task,
        pointer: usize,
        newborn: Option<&Newborn>,
    ) -> Result<(), Unread> {
        let argument = |index: u8| event.args.get(usize::from(index)).copied().unwrap_or(0);
        match call {
            Call::Look(looks) => self.looks(looks, event, task),
            Call::View(looks) => {
                let seen = self.looks(looks, event, task);
                self.resolver.vary();
                seen
            }
            Call::Open {
                directory,
                path,
                flags,
            } => {
                let (flags, resolve) = match flags {
                    Flags::In(index) => (argument(index), 0),
                    Flags::Creat => (CREATE | (libc::O_WRONLY | libc::O_TRUNC) as u64, 0),
                    Flags::How(index) => {
                        let how = task.bytes::<24>(argument(index));
                        let Some(how) = done(how)? else { return Ok(()) };
                        let word = |at: usize| {
                            let word = how[at..at + 8].try_into();
                            word.map_or(0, u64::from_ne_bytes)
                        };
                        (word(0), word(16))
                    }
                };
                let start = start(directory.map(argument));
                if done(task.path(argument(path), &mut self.path))?.is_none() {
                    return Ok(());
                }
                self.open(task, &start, flags, resolve)
            }
            Call::Execute {
                directory,
                path,
                argv,
                flags,
            } => {
                let flags = flags.map_or(0, argument);
                self.resolver.threads().leave(task);
                if let Some(newborn) = newborn.filter(|newborn| newborn.pid == task.pid) {
                    let at = argument(path);
                    let known = newborn.attempts.iter().find(|(address, _)| *address == at);
                    if let Some((_, text)) = known {
                        self.path.clone_from(text);
                        let start = Start::At(newborn.current.clone());
                        return self.execute(task, &start, 0, || newborn.argv.clone());
                    }
                }
                let start = start(directory.map(argument));
                if done(task.path(argument(path), &mut self.path))?.is_none() {
                    return Ok(());
                }
                let argv = argument(argv);
                self.execute(task, &start, flags, || task.arguments(argv, pointer))
            }
            Call::Descriptor(index, touch) => {
                self.descriptor(task, argument(index) as i32, touch);
                Ok(())
            }
            Call::Enter(index) => {
                self.descriptor(task, argument(index) as i32, Touch::ASKED);
                self.resolver.threads().move_on();
                Ok(())
            }
            Call::Address(at, length, touch) => {
                self.address(task, argument(at), argument(length), touch)
            }
            Call::Multiplexed => {
                let word = |index: u64| {
                    let bytes = task.bytes::<4>(argument(1).saturating_add(4 * index));
                    bytes.map(|bytes| u64::from(u32::from_ne_bytes(bytes)))
                };
                // SYS_BIND, SYS_CONNECT and SYS_SENDTO (linux/net.h).
                let (at, touch) = match argument(0) {
                    2 => (1, Touch::CHANGED),
                    3 => (1, Touch::ASKED),
                    11 => (4, Touch::ASKED),
                    _ => return Ok(()),
                };
                let (Some(address), Some(length)) = (done(word(at))?, done(word(at + 1))?) else {
                    return Ok(());
                };
                self.address(task, address, length, touch)
            }
            Call::Rights => {
                self.resolver.threads().leave(task);
                Ok(())
            }
            Call::Handle => {
                self.record
                    .note("a program opened files by handle, which have no names");
                Err(Unread::Refused)
            }
            Call::Listen => {
                self.record
                    .note("a program asked for a seccomp listener of its own");
                Ok(())
            }
            Call::Debugger => {
                // PTRACE_TRACEME, PTRACE_ATTACH and PTRACE_SEIZE.
                if matches!(argument(0), 0 | 16 | 0x4206) {
                    self.record
                        .note("a program used ptrace, which cannot see what is traced already");
                }
                Ok(())
            }
        }
    }

    fn looks(&mut self, looks: &[Look], event: &Event, task: Task) -> Result<(), Unread> {
        let argument = |index: u8| event.args.get(usize::from(index)).copied().unwrap_or(0);
        for look in looks {
            let start = start(look.directory.map(argument));
            let may_be_empty = match look.empty {
                Empty::Nothing => false,
                Empty::Always => true,
                Empty::If(flags) => argument(flags) & libc::AT_EMPTY_PATH as u64 != 0,
            };
            let at = argument(look.path);
            self.path.clear();
            // Since Linux 6.11 no path at all is as good as an empty one.
            if at != 0 && done(task.path(at, &mut self.path))?.is_none() {
                continue;
            }
            if self.path.is_empty() {
                // How many C libraries spell `fstat`: nothing is named that is
                // not open already, and to ask which file it is costs as much
                // as the rest.
                let asks = matches!(look.purpose, Purpose::Ask | Purpose::Access(_));
                if may_be_empty && !(asks && matches!(start, Start::Descriptor(_))) {
                    self.itself(task, &start, touch(look.purpose));
                }
                continue;
            }
            let follow = match look.follow {
                Follow::Yes => true,
                Follow::No => false,
                Follow::Unless(flags, bit) => argument(flags) & u64::from(bit) == 0,
                Follow::If(flags, bit) => argument(flags) & u64::from(bit) != 0,
            };
            let mut want = Want::new(touch(look.purpose), 0);
            match look.purpose {
                Purpose::Ask | Purpose::Change => {}
                Purpose::Access(mode) => {
                    want.rights = (argument(mode) & 7) as u32;
                    want.really = true;
                }
                Purpose::Enter => want.rights = 1,
                Purpose::Open => want.rights = 4,
                Purpose::Write => want.rights = 2,
                Purpose::Create => {
                    want.created = Some(Touch::CHANGED);
                    want.names = true;
                }
                Purpose::Remove => want.names = true,
            }
            let path = std::mem::take(&mut self.path);
            let looked = self.resolver.look(task, &start, &path, follow, false);
            self.path = path;
            let looked = looked.ok_or(Unread::Refused)?;
            self.keep(task, &looked, &want);
            if let End::Found(owner) = looked.end {
                let leads = matches!(owner.kind(), libc::S_IFDIR | libc::S_IFLNK);
                let moves = match look.purpose {
                    Purpose::Remove | Purpose::Change => true,
                    // A new name; only a renaming replaces what has it.
                    Purpose::Create => matches!(looks[0].purpose, Purpose::Remove),
                    _ => false,
                };
                if leads && moves {
                    self.resolver.forget(&looked.path);
                }
            }
            if look.purpose == Purpose::Enter {
                self.resolver.threads().move_on();
            }
        }
        Ok(())
    }

    fn open(&mut self, task: Task, start: &Start, flags: u64, resolve: u64) -> Result<(), Unread> {
        let has = |flag: i32| flags & flag as u64 == flag as u64;
        let mut want = Want::new(Touch::OPENED, 0);
        let mut follow = !has(libc::O_NOFOLLOW);
        if !has(libc::O_PATH) && !has(libc::O_TMPFILE) {
            let (reads, writes) = match flags as i32 & libc::O_ACCMODE {
                libc::O_RDONLY => (true, false),
                libc::O_WRONLY => (false, true),
                _ => (true, true),
            };
            let changes = writes || has(libc::O_TRUNC);
            want.rights = if reads { 4 } else { 0 } | if changes { 2 } else { 0 };
            let opened = if reads {
                Touch::OPENED
            } else {
                Touch::default()
            };
            want.touch = if changes {
                opened.with(Touch::CHANGED)
            } else {
                opened
            };
            if has(libc::O_CREAT) {
                want.created = Some(opened.with(Touch::CHANGED));
                want.touch = Touch::OPENED.with(Touch::CHANGED);
                follow &= !has(libc::O_EXCL);
            }
        }
        let path = std::mem::take(&mut self.path);
        let in_start = resolve & RESOLVE_IN_ROOT != 0;
        let looked = self.resolver.look(task, start, &path, follow, in_start);
        self.path = path;
        self.keep(task, &looked.ok_or(Unread::Refused)?, &want);
        Ok(())
    }

    fn execute(
        &mut self,
        task: Task,
        start: &Start,
        flags: u64,
        argv: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Unread> {
        let mut path = std::mem::take(&mut self.path);
        let mut binary = None;
        if path.is_empty() {
            let (true, Start::Descriptor(number)) =
                (flags & libc::AT_EMPTY_PATH as u64 != 0, start)
            else {
                return Ok(());
            };
            // A script or a program in memory has an interpreter all the same.
            binary = Binary::open_link(task, *number);
            if let Some(name) = self.resolver.of_link(task, &format!("fd/{number}")) {
                path = [b"/", &*name].concat();
            }
        }
        let follow = flags & libc::AT_SYMLINK_NOFOLLOW as u64 == 0;
        if !path.is_empty() {
            let looked = self.resolver.look(task, start, &path, follow, false);
            let looked = looked.ok_or(Unread::Refused)?;
            let runs = self.keep(task, &looked, &Want::new(Touch::EXECUTED, 1));
            if !runs {
                self.path = path;
                return Ok(());
            }
            self.record.started(&looked.path, argv);
            binary = binary.or_else(|| Binary::open(task, &looked));
        }
        self.path = path;
        let from = match start {
            Start::At(_) => start.clone(),
            _ => Start::Current,
        };
        for _ in 0..INTERPRETERS {
            let Some(next) = binary.as_ref().and_then(program::interpreter) else {
                break;
            };
            let looked = self.resolver.look(task, &from, &next.path, true, false);
            let looked = looked.ok_or(Unread::Refused)?;
            if !self.keep(task, &looked, &Want::new(Touch::EXECUTED, 1)) || next.is_loader {
                break;
            }
            binary = Binary::open(task, &looked);
        }
        Ok(())
    }

    /// Something done with an open file.
    fn descriptor(&mut self, task: Task, number: i32, touch: Touch) {
        if let Some(path) = self.resolver.of_link(task, &format!("fd/{number}")) {
            self.record.touch(&path, touch);
        }
    }

    /// Something done with the directory, or file, where a lookup starts.
    fn itself(&mut self, task: Task, start: &Start, touch: Touch) {
        match start {
            Start::Descriptor(number) => self.descriptor(task, *number, touch),
            _ => {
                if let Ok(Some(path)) = self.resolver.current(task) {
                    self.record.touch(&path, touch);
                }
            }
        }
    }

    /// A socket's name: `struct sockaddr_un`.
    fn address(&mut self, task: Task, at: u64, length: u64, touch: Touch) -> Result<(), Unread> {
        let length = usize::try_from(length & 0xffff_ffff).unwrap_or(0).min(110);
        if at == 0 || length <= 2 {
            return Ok(());
        }
        let Some(bytes) = done(task.up_to::<110>(at, length))? else {
            return Ok(());
        };
        let family = u16::from_ne_bytes([bytes[0], bytes[1]]);
        if i32::from(family) != libc::AF_UNIX {
            return Ok(());
        }
        let name = bytes.get(2..length).unwrap_or_default();
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        if end == 0 {
            return Ok(());
        }
        let mut want = Want::new(touch, 2);
        let binds = touch == Touch::CHANGED;
        if binds {
            want.rights = 0;
            want.created = Some(touch);
            want.names = true;
        }
        let name = name[..end].to_vec();
        let looked = self
            .resolver
            .look(task, &Start::Current, &name, !binds, false);
        self.keep(task, &looked.ok_or(Unread::Refused)?, &want);
        Ok(())
    }

    /// Writes down what a lookup found; true when it is there and allowed.
    fn keep(&mut self, task: Task, looked: &Looked, want: &Want) -> bool {
        for link in &looked.links {
            self.record.touch(link, Touch::LINK);
        }
        if looked.end == End::Nowhere {
            return false;
        }
        if self.is_denied(task, looked, want) {
            let created = want.created.filter(|_| looked.end == End::Missing(true));
            let touch = created.unwrap_or(want.touch).with(Touch::DENIED);
            self.record.touch(&looked.path, touch);
            return false;
        }
        let (touch, found) = match (looked.end, want.created) {
            (End::Found(owner), created) => {
                let mut touch = want.touch;
                if owner.kind() == libc::S_IFLNK {
                    touch = touch.with(Touch::LINK);
                }
                if created.is_some() && want.names {
                    // Already there: the call says so and does nothing, or replaces it.
                    touch = touch.with(Touch::ASKED);
                }
                (touch, true)
            }
            (End::Missing(true), Some(created)) => (created, false),
            _ => (want.touch.with(Touch::MISSING), false),
        };
        self.record.touch(&looked.path, touch);
        found
    }

    fn is_denied(&mut self, task: Task, looked: &Looked, want: &Want) -> bool {
        let file = match looked.end {
            End::Found(owner) if owner.kind() != libc::S_IFLNK => Some(owner),
            _ => None,
        };
        let creates = want.created.is_some() && matches!(looked.end, End::Missing(true));
        let changes_names = creates || want.names && matches!(looked.end, End::Found(_));
        let parent = looked.parent.as_ref().filter(|_| changes_names);
        let parent = parent.map(|dir| dir.owner());
        // Not a program for anybody, whoever asks.
        let executes = want.touch.has(Touch::EXECUTED);
        if executes && file.is_some_and(|file| file.kind() != libc::S_IFREG) {
            return true;
        }
        // What everybody may, needs no look at who it is.
        let all = want.rights | want.rights << 3 | want.rights << 6;
        let open = file.is_none_or(|file| file.mode & all == all)
            && parent.is_none_or(|dir| dir.mode & 0o222 == 0o222);
        if open && looked.closed.is_empty() {
            return false;
        }
        let Some(rights) = self.resolver.threads().rights(task) else {
            return false;
        };
        let real;
        let rights = if want.really {
            real = rights.clone().really();
            &real
        } else {
            rights
        };
        !(looked.closed.iter().all(|dir| rights.allow(dir.owner, 1))
            && file.is_none_or(|file| rights.allow(file, want.rights))
            && parent.is_none_or(|dir| rights.allow(dir, 3)))
    }
}

/// None: the call fails on its own, as its address is wrong or its text too long.
fn done<T>(read: Result<T, Unread>) -> Result<Option<T>, Unread> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Unread::Fault | Unread::TooLong) => Ok(None),
        Err(Unread::Refused) => Err(Unread::Refused),
    }
}

fn start(directory: Option<u64>) -> Start {
    // To the kernel it is an int, whatever the upper half says.
    match directory.map(|number| number as i32) {
        None | Some(libc::AT_FDCWD) => Start::Current,
        Some(number) => Start::Descriptor(number),
    }
}

fn touch(purpose: Purpose) -> Touch {
    match purpose {
        Purpose::Ask | Purpose::Access(_) | Purpose::Enter => Touch::ASKED,
        Purpose::Open => Touch::OPENED,
        Purpose::Change | Purpose::Write | Purpose::Create | Purpose::Remove => Touch::CHANGED,
    }
}
