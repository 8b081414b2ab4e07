//! The kernel's interfaces for looking on: memory of another process, seccomp
//! listeners, ptrace. Nothing here decides anything.
#![expect(
    unsafe_code,
    reason = "process_vm_readv, seccomp listeners and ptrace have no safe interface"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A system call that somebody is about to make.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Event {
    /// The thread, in our numbering.
    pub(crate) pid: i32,
    pub(crate) audit: u32,
    pub(crate) number: u32,
    pub(crate) args: [u64; 6],
    /// Names a notification.
    pub(crate) id: u64,
}

fn result(value: libc::c_long) -> io::Result<usize> {
    usize::try_from(value).map_err(|_| io::Error::last_os_error())
}

/// Reads another process's memory; fewer bytes where it ends.
pub(super) fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let address =
        usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: into.len(),
    };
    // SAFETY: `local` describes `into`, which lives until the call returns;
    // `remote` is an address of the other process and never dereferenced here.
    let count = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            pid,
            &raw const local,
            1_usize,
            &raw const remote,
            1_usize,
            0_usize,
        )
    };
    result(count)
}

/// Installs a filter whose notifications come out of the returned descriptor.
pub(crate) fn install_listener(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
        filter: program.as_ptr().cast_mut(),
    };
    let install = |flags: libc::c_ulong| {
        // SAFETY: the program lives until the call returns; the kernel copies it.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        let fd = i32::try_from(fd).unwrap_or(-1);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Otherwise a signal that arrives while we look makes the call start over
    // or fail with EINTR (Linux 5.19).
    match install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => install(listener),
        result => result,
    }
}

/// Lets a waker and who it wakes share a processor (Linux 6.6): they never
/// run at the same time anyway.
pub(super) fn wake_in_step(listener: BorrowedFd<'_>) {
    // SAFETY: the request takes a number, not a pointer.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
            1_u64,
        )
    };
}

/// Takes the next notification; waits while there is none.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Event> {
    /// Room for what a newer kernel appends; has to be zero beforehand.
    #[repr(C)]
    union Buffer {
        notification: libc::seccomp_notif,
        room: [u64; 64],
    }
    let mut buffer = Buffer { room: [0; 64] };
    // SAFETY: the kernel writes its `struct seccomp_notif`, for which there is room.
    let done = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut buffer,
        )
    };
    result(done.into())?;
    // SAFETY: every bit pattern is a valid `seccomp_notif`.
    let seen = unsafe { buffer.notification };
    Ok(Event {
        pid: seen.pid.cast_signed(),
        audit: seen.data.arch,
        number: seen.data.nr.cast_unsigned(),
        args: seen.data.args,
        id: seen.id,
    })
}

/// Lets the call go on.
pub(super) fn go_on(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let mut response = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: 0,
        flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    };
    // SAFETY: the kernel reads the response, which lives until the call returns.
    let done = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw mut response,
        )
    };
    result(done.into()).map(|_| ())
}

/// Whether the thread still waits for the answer.
pub(super) fn still_waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads the id, which lives until the call returns.
    let done = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const id,
        )
    };
    done == 0
}

/// Interrupts what waits, again and again: a notification can vanish, with
/// its thread, between the moment it is announced and that in which it is taken.
pub(super) fn tick(milliseconds: i64) {
    let time = libc::timeval {
        tv_sec: milliseconds / 1000,
        tv_usec: (milliseconds % 1000) * 1000,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    interrupt_at(libc::SIGALRM);
    // SAFETY: the struct is initialised and lives until the call returns.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// Interrupts what waits as soon as there is something to read here.
pub(super) fn interrupt_for(socket: BorrowedFd<'_>) {
    interrupt_at(libc::SIGIO);
    // SAFETY: the requests take numbers, and the descriptor is open.
    unsafe {
        libc::fcntl(socket.as_raw_fd(), libc::F_SETOWN, libc::getpid());
        let flags = libc::fcntl(socket.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, flags | libc::O_ASYNC);
    }
}

/// A signal that does nothing but make a waiting call return EINTR.
fn interrupt_at(signal: libc::c_int) {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: the handler does nothing; the struct is initialised and lives
    // until the call returns. It lacks SA_RESTART.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// What a traced thread has stopped for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// A call of the filter.
    Call,
    /// This signal, which it is still to get.
    Signal(i32),
    /// Stopped as a whole, until somebody continues it.
    Group,
    /// Something of ours: a new thread, an execution.
    Own,
    /// It has ended.
    Gone,
}

/// Becomes the tracer of a process and all that it will start; they do not
/// outlive us.
pub(super) fn seize(pid: i32) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SEIZE as _, pid, 0, options as usize)
}

/// Lets a stopped thread run, with this signal if it is not 0.
pub(super) fn resume(pid: i32, signal: i32) {
    let _ = ptrace(
        libc::PTRACE_CONT as _,
        pid,
        0,
        signal.unsigned_abs() as usize,
    );
}

/// Leaves a thread in its group's stop.
pub(super) fn leave_stopped(pid: i32) {
    let _ = ptrace(libc::PTRACE_LISTEN as _, pid, 0, 0);
}

/// The call for which a thread has stopped (Linux 5.3).
pub(super) fn stopped_call(pid: i32) -> io::Result<Event> {
    /// PTRACE_GET_SYSCALL_INFO and PTRACE_SYSCALL_INFO_SECCOMP (linux/ptrace.h).
    const GET: u32 = 0x420e;
    const SECCOMP: u8 = 3;
    // `struct ptrace_syscall_info` is 88 bytes: kind and architecture,
    // two pointers, number, six arguments, what the filter said.
    let mut words = [0_u64; 16];
    let at = words.as_mut_ptr().expose_provenance();
    ptrace(GET, pid, size_of_val(&words), at)?;
    let head = words[0].to_ne_bytes();
    if head[0] != SECCOMP {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut args = [0; 6];
    args.copy_from_slice(&words[4..10]);
    Ok(Event {
        pid,
        audit: u32::from_ne_bytes([head[4], head[5], head[6], head[7]]),
        number: words[3] as u32,
        args,
        id: 0,
    })
}

fn ptrace(request: u32, pid: i32, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: `data` is a number, or the address of a buffer of `address`
    // bytes that lives until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_ptrace, request as usize, pid, address, data) };
    result(done).map(|_| ())
}

/// The next thread that has stopped or ended, if there is one. Waits for it
/// on request, until it is interrupted.
pub(super) fn next_stop(waits: bool) -> Option<(i32, Stop)> {
    let flags = libc::__WALL | if waits { 0 } else { libc::WNOHANG };
    let mut status = 0;
    let pid = loop {
        // SAFETY: `status` lives until the call returns.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        let interrupted = || io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
        if pid >= 0 || waits || !interrupted() {
            break pid;
        }
    };
    if pid <= 0 {
        return None;
    }
    if !libc::WIFSTOPPED(status) {
        return Some((pid, Stop::Gone));
    }
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    let stop = match event {
        0 => Stop::Signal(signal),
        libc::PTRACE_EVENT_SECCOMP => Stop::Call,
        libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Stop::Group,
        _ => Stop::Own,
    };
    Some((pid, stop))
}

/// A descriptor that is readable when a thread has stopped or ended.
pub(super) fn stops() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by `sigemptyset` before it is used and
    // lives until the calls return; the descriptor is new and ours.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        match libc::signalfd(-1, &raw const set, flags) {
            fd if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
