//! Children of ours that are not contained: compilers.
#![expect(
    unsafe_code,
    reason = "what happens between fork and exec has no safe interface"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets a command be interrupted (SIGINT) when the thread that starts it ends,
/// however our process ends: a compiler must not work on for nobody. SIGINT,
/// because on it toolchains tidy their own temporary files up.
pub fn interrupt_with_us(command: &mut Command) {
    let us = rustix::process::getpid();
    let prepare = move || {
        // SAFETY: the default is a valid handler. An ignored signal would be
        // ignored by the command too.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT))?;
        // We may have ended before the kernel was told.
        match rustix::process::getppid() {
            Some(parent) if parent == us => Ok(()),
            _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    };
    // SAFETY: only system calls, none of which allocates or takes a lock.
    unsafe { command.pre_exec(prepare) };
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let start = || {
            let mut command = Command::new("sleep");
            command.arg("60").stdout(Stdio::null());
            super::interrupt_with_us(&mut command);
            command.spawn().expect("sleep")
        };
        let mut child = std::thread::spawn(start).join().expect("a child");
        assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGINT));
    }
}
