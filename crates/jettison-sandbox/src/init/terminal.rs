//! A terminal for the program, from the container's own `/dev/pts`.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::mount::mount_bind;
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::spec::TerminalSize;
use crate::wire::Failure;

/// The three standard streams: those handed in, or a new terminal, whose
/// other end comes first. `console`: it is also `/dev/console`.
pub(super) fn streams(
    size: Option<TerminalSize>,
    given: [&OwnedFd; 3],
    console: bool,
) -> Result<(Option<OwnedFd>, [OwnedFd; 3]), Failure> {
    let failed = |e: std::io::Error| Failure::step("opening a terminal", e);
    let copy = |fd: &OwnedFd| fd.try_clone().map_err(failed);
    let Some(size) = size else {
        return Ok((None, [copy(given[0])?, copy(given[1])?, copy(given[2])?]));
    };
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Not /dev/ptmx: that name may be anything where /dev is the image's own.
    let master =
        rustix::fs::open("/dev/pts/ptmx", flags, Mode::empty()).map_err(|e| failed(e.into()))?;
    unlockpt(&master).map_err(|e| failed(e.into()))?;
    let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(&master, peer).map_err(|e| failed(e.into()))?;
    let window = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, window).map_err(|e| failed(e.into()))?;
    if console {
        let create = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::open("/dev/console", create, Mode::from_raw_mode(0o620));
        if node.is_ok()
            && let Ok(name) = rustix::pty::ptsname(&master, Vec::new())
        {
            let _ = mount_bind(name, "/dev/console");
        }
    }
    ioctl_tiocsctty(&slave).map_err(|e| failed(e.into()))?;
    let all = [copy(&slave)?, copy(&slave)?, copy(&slave)?];
    Ok((Some(master), all))
}
