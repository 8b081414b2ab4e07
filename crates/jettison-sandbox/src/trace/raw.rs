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
    extern "C" fn nothing(_: libc::c_int) {}
    let time = libc::timeval {
        tv_sec: milliseconds / 1000,
        tv_usec: (milliseconds % 1000) * 1000,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: the handler does nothing; both structs are initialised and live
    // until the calls return. Without SA_RESTART a waiting call returns EINTR.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
}
