//! Passes connections to a socket of the machine on: the container connects
//! to one of ours, with the owner and mode that were asked for, and whoever
//! listens at the other end sees us. An SSH agent answers its own user only.
//!
//! A process of its own, which ends with its container.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;

use super::enter::below;
use super::{Role, Supervisor};
use crate::spec::MountSource;
use crate::sys;
use crate::wire::{Failure, StartRequest};

/// Connections at a time; more wait until one ends.
const MOST: usize = 64;
/// What one side has said and the other has not yet taken.
const BUFFER_BYTES: usize = 64 << 10;

/// The socket that stands for a mount of a container.
pub(crate) fn socket_path(container: &Path, mount: usize) -> PathBuf {
    container.with_extension(format!("socket{mount}"))
}

impl Supervisor<'_> {
    /// Starts the relays that a container's mounts ask for.
    pub(super) fn relay(
        &mut self,
        request: &StartRequest,
        directory: &Path,
    ) -> Result<(), Failure> {
        for (number, mount) in request.mounts.iter().enumerate() {
            let MountSource::HostSocket {
                path,
                mode,
                uid,
                gid,
            } = &mount.source
            else {
                continue;
            };
            let failed = |e: io::Error| {
                Failure::step(format!("passing the socket {} on", path.display()), e)
            };
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let target = rustix::fs::open(below(&self.layout.host, path), flags, Mode::empty())
                .map_err(|e| failed(e.into()))?;
            let stat = fstat(&target).map_err(|e| failed(e.into()))?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
                return Err(failed(Errno::NOTSOCK.into()));
            }
            let place = socket_path(directory, number);
            let listener = UnixListener::bind(&place).map_err(failed)?;
            // With a single id everything is root's.
            let _ = std::os::unix::fs::chown(&place, Some(*uid), Some(*gid));
            let mode = std::fs::Permissions::from_mode(mode & 0o777);
            std::fs::set_permissions(&place, mode).map_err(failed)?;
            let pid = sys::fork_into(0, || {
                // Among the others are the ends of the container's streams.
                sys::close_all_but(&[listener.as_fd(), target.as_fd()]);
                i32::from(serve(&listener, &target).is_err())
            })
            .map_err(|e| Failure::step("starting a relay", e))?;
            self.adopt(pid, Role::Relay(request.container), None, None)?;
        }
        Ok(())
    }

    /// Ends the relays of a container.
    pub(super) fn end_relays(&mut self, container: u64, directory: &Path, mounts: usize) {
        let relays = self.processes.iter();
        for relay in relays.filter(|process| process.role == Role::Relay(container)) {
            let _ = sys::signal_pidfd(relay.pidfd.as_fd(), libc::SIGKILL);
        }
        for number in 0..mounts {
            let _ = std::fs::remove_file(socket_path(directory, number));
        }
    }
}

/// Two connections, and what is on its way between them.
struct Pair {
    sides: [UnixStream; 2],
    /// What side 0, side 1 has said.
    said: [Vec<u8>; 2],
    /// Whether side 0, side 1 says no more.
    silent: [bool; 2],
}

fn serve(listener: &UnixListener, target: &OwnedFd) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let address = format!("/proc/self/fd/{}", target.as_raw_fd());
    let mut pairs: Vec<Pair> = Vec::new();
    loop {
        // A side of which nothing is wanted would only repeat that it is gone.
        let waiting = |pair: &Pair| [0, 1].map(|side| pair.wants(side));
        let mut fds = Vec::new();
        for pair in &pairs {
            for (side, flags) in waiting(pair).into_iter().enumerate() {
                if !flags.is_empty() {
                    fds.push(PollFd::new(&pair.sides[side], flags));
                }
            }
        }
        if pairs.len() < MOST {
            fds.push(PollFd::new(listener, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let new = pairs.len() < MOST && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        pairs.retain_mut(|pair| pair.pass().is_ok_and(|open| open));
        if new
            && let Ok((one, _)) = listener.accept()
            && let Ok(other) = UnixStream::connect(&address)
            && one.set_nonblocking(true).is_ok()
            && other.set_nonblocking(true).is_ok()
        {
            pairs.push(Pair {
                sides: [one, other],
                said: [Vec::new(), Vec::new()],
                silent: [false, false],
            });
        }
    }
}

impl Pair {
    /// What to wait for at a side.
    fn wants(&self, side: usize) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.silent[side] && self.said[side].is_empty() {
            flags |= PollFlags::IN;
        }
        if !self.said[1 - side].is_empty() {
            flags |= PollFlags::OUT;
        }
        flags
    }

    /// Moves what can be moved; false at the end.
    fn pass(&mut self) -> io::Result<bool> {
        for side in 0..2 {
            if self.silent[side] || !self.said[side].is_empty() {
                continue;
            }
            let mut buffer = vec![0; BUFFER_BYTES];
            match self.sides[side].read(&mut buffer) {
                Ok(0) => {
                    self.silent[side] = true;
                    let _ = self.sides[1 - side].shutdown(std::net::Shutdown::Write);
                }
                Ok(count) => {
                    buffer.truncate(count);
                    self.said[side] = buffer;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        for side in 0..2 {
            let other = 1 - side;
            while !self.said[side].is_empty() {
                match self.sides[other].write(&self.said[side]) {
                    Ok(count) => drop(self.said[side].drain(..count)),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
        }
        let done = |side: usize| self.silent[side] && self.said[side].is_empty();
        Ok(!(done(0) && done(1)))
    }
}
