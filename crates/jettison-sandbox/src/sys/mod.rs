//! The system calls that no safe crate offers: fork, clone, exec, signals by
//! number, seccomp. Everything else goes through rustix.
//!
//! The supervisor and its children are born by `fork` from a process that may
//! have threads. They never touch the standard library's locks (environment,
//! standard streams, thread spawning); the allocator is safe because libc's
//! own fork handlers hold it.
#![expect(
    unsafe_code,
    reason = "fork, clone, execve, signal and seccomp have no safe interface"
)]

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::Pid;

/// Forks; the child runs `body` and ends with the code that it returns, or
/// with 101 when it panics. Never returns in the child.
pub(crate) fn fork(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: `fork` has no precondition; what the child may do is kept by
    // this module's rule above.
    let pid = unsafe { libc::fork() };
    split(pid.into(), body)
}

/// Like [`fork`], into new namespaces (`CLONE_NEW*`). Only for processes with
/// a single thread: libc's fork handlers are not run.
pub(crate) fn fork_into(namespaces: u64, body: impl FnOnce() -> i32) -> io::Result<Pid> {
    let flags = namespaces | libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and with a null stack the raw call behaves as
    // fork does; the caller is single-threaded, so no lock can be held.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_u64, 0_u64, 0_u64, 0_u64) };
    split(pid, body)
}

fn split(pid: libc::c_long, body: impl FnOnce() -> i32) -> io::Result<Pid> {
    match pid {
        0 => {
            let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(101);
            // SAFETY: ends this process without running the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
        pid => match i32::try_from(pid)
            .ok()
            .and_then(|pid| (pid > 0).then_some(pid))
        {
            Some(pid) => Ok(Pid::from_raw(pid).expect("a positive number is a pid")),
            None => Err(io::Error::last_os_error()),
        },
    }
}

/// Replaces the program; returns only on failure.
pub(crate) fn exec(path: &CString, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| -> Vec<*const c_char> {
        list.iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: path and both lists are NUL-terminated and live until the call returns.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Replaces the program by an open file; returns only on failure.
pub(crate) fn exec_fd(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| -> Vec<*const c_char> {
        list.iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: the empty path and both lists are NUL-terminated and live until
    // the call returns.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Puts every signal back to its default and unblocks all: Rust's runtime
/// ignores SIGPIPE, and an ignored signal survives `execve`.
pub(crate) fn reset_signals() {
    for number in 1..=64 {
        // SAFETY: SIG_DFL is a valid handler; numbers that cannot be changed
        // are refused by the kernel without effect.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by `sigemptyset` before it is used.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Sends a signal by number, real-time signals included.
pub(crate) fn signal_pidfd(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is allowed (pidfd_send_signal(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Sends a signal to every process of a group.
pub(crate) fn signal_group(group: Pid, number: i32) {
    // SAFETY: `kill` has no memory precondition.
    unsafe { libc::kill(-group.as_raw_nonzero().get(), number) };
}

/// Marks every descriptor from `first` on close-on-exec, or closes it.
pub(crate) fn close_from(first: i32, only_on_exec: bool) {
    let flags = if only_on_exec {
        libc::CLOSE_RANGE_CLOEXEC
    } else {
        0
    };
    // SAFETY: the caller owns no descriptor from `first` on that it still
    // uses, or only marks them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    if result == 0 {
        return;
    }
    // Before Linux 5.9 (5.11 for the flag): one by one, up to the soft limit.
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    for fd in first..i32::try_from(most.unwrap_or(65_536).min(65_536)).unwrap_or(65_536) {
        // SAFETY: as above; numbers that are not open are refused.
        unsafe {
            if only_on_exec {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            } else {
                libc::close(fd);
            }
        }
    }
}

/// Closes every descriptor but the three standard streams and these, for a
/// process that is about to execute a program or to end.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) {
    let mut keep: Vec<i32> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep.into_iter().filter(|&fd| fd >= 3) {
        if fd > first {
            // SAFETY: the caller owns none of them any more.
            unsafe { libc::syscall(libc::SYS_close_range, first, fd - 1, 0) };
        }
        first = fd + 1;
    }
    close_from(first, false);
}

/// Puts `fd` at a fixed number, open across exec.
pub(crate) fn place_fd(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: dup2 onto a number that this module's callers reserve for it.
    let result = unsafe {
        if fd.as_raw_fd() == number {
            libc::fcntl(number, libc::F_SETFD, 0)
        } else {
            libc::dup2(fd.as_raw_fd(), number)
        }
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Takes over the descriptor with a fixed number.
pub(crate) fn adopt_fd(number: i32) -> std::os::fd::OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: callers placed a descriptor there and nobody else owns it.
    unsafe { std::os::fd::OwnedFd::from_raw_fd(number) }
}

/// Installs a seccomp filter for this thread and all it will start.
pub(crate) fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the program lives until the call returns; the kernel copies it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Leaves shared namespaces. Descriptors are never unshared here, which is
/// what would make it unsafe.
pub(crate) fn unshare(namespaces: rustix::thread::UnshareFlags) -> io::Result<()> {
    // SAFETY: none of the CLONE_NEW* flags touches the descriptor table.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespaces) }?)
}

/// Refers to a descriptor that stays open for the life of the process.
pub(crate) fn borrow_fd(number: i32) -> BorrowedFd<'static> {
    // SAFETY: callers pass the standard streams or the supervisor's channel,
    // which are never closed.
    unsafe { BorrowedFd::borrow_raw(number) }
}
