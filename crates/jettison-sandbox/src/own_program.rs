//! Keeps our own program file out of the reach of containers.
//!
//! A process on its way into a container still runs our program, and a script
//! whose interpreter is `/proc/self/exe` runs it there again: `/proc/PID/exe`
//! then leads from the container to the file on the machine, whatever is
//! mounted there. Root of a container could change its mode, its owner, or
//! write to it once nobody runs it (CVE-2019-5736).

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

use crate::{init, sys};

/// Replaces this process by one that runs an anonymous, unchangeable copy of
/// its program, with these arguments and this environment; does nothing in
/// such a process. For programs that run strangers' containers, to be called
/// before anything else: it returns only there, or when it failed.
///
/// # Errors
/// When the machine does not let memory be executed.
pub fn shield_own_program(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> io::Result<()> {
    let mut own = File::open("/proc/self/exe")?;
    if fcntl_get_seals(&own).is_ok_and(|seals| seals.contains(SealFlags::WRITE)) {
        // Or it would be called by the number of a descriptor.
        let _ = rustix::thread::set_name(c"jettison");
        return Ok(());
    }
    let copy = anonymous()?;
    let mut copy = File::from(copy);
    io::copy(&mut own, &mut copy)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&copy, seals)?;
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let args: Vec<OsString> = args.into_iter().collect();
    let pair = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    let env: Vec<OsString> = env.into_iter().map(pair).collect();
    let args = init::c_strings(&args).ok_or_else(invalid)?;
    let env = init::c_strings(&env).ok_or_else(invalid)?;
    Err(sys::exec_fd(copy.as_fd(), &args, &env))
}

fn anonymous() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Where executing memory has to be asked for (Linux 6.3) it is.
    match memfd_create("jettison", flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => Ok(memfd_create("jettison", flags)?),
        result => Ok(result?),
    }
}
