//! The program itself: its environment, its directory, where it is found.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::io::Errno;
use rustix::process::chdir;

use super::user::User;
use crate::spec::Profile;
use crate::sys;
use crate::tier::Tier;
use crate::trace::Hook;
use crate::wire::{Channel, Failure, FailureKind, StartRequest};

/// Docker's default (moby, `oci/defaults.go`).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that is still needed when the container is set up.
pub(super) struct Program<'a> {
    pub(super) args: &'a [OsString],
    pub(super) env: Vec<OsString>,
    pub(super) working_dir: &'a OsStr,
    pub(super) user: &'a User,
    /// None: nothing is given up.
    pub(super) profile: Option<&'a Profile>,
    pub(super) tier: Tier,
    pub(super) supervisor: &'a Channel,
    /// The way to the tracer, if it is traced.
    pub(super) hook: Option<&'a Hook>,
    pub(super) stdio: [OwnedFd; 3],
}

/// What is handed to the kernel to start it.
pub(super) struct Start {
    /// The paths to try, in this order.
    pub(super) attempts: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
}

/// What docker adds (PATH, HOSTNAME, TERM, HOME), under what the image or the
/// person sets, under what a further command sets.
pub(super) fn environment(
    request: &StartRequest,
    user: &User,
    on_top: &[OsString],
) -> Vec<OsString> {
    let mut env: Vec<OsString> = Vec::new();
    let contained = request.root.is_some();
    if contained {
        env.push(format!("PATH={PATH}").into());
        env.push(format!("HOSTNAME={}", request.hostname).into());
        if request.terminal.is_some() {
            env.push("TERM=xterm".into());
        }
    }
    for pair in request.env.iter().chain(on_top) {
        let name = name_of(pair);
        match env.iter_mut().find(|old| name_of(old) == name) {
            Some(old) => old.clone_from(pair),
            None => env.push(pair.clone()),
        }
    }
    if contained && !env.iter().any(|pair| name_of(pair) == b"HOME") {
        env.push(format!("HOME={}", user.home).into());
    }
    env
}

fn name_of(pair: &OsString) -> &[u8] {
    pair.as_bytes()
        .split(|&b| b == b'=')
        .next()
        .unwrap_or_default()
}

impl Program<'_> {
    pub(super) fn enter_working_dir(&self) -> Result<(), Failure> {
        if self.working_dir.is_empty() {
            return Ok(());
        }
        let entered = chdir(self.working_dir).and_then(|()| {
            // A container can replace the directory by a link into /proc,
            // and that may lead out of it (CVE-2024-21626).
            let here = rustix::process::getcwd(Vec::new())?;
            let inside = here.as_bytes().starts_with(b"/");
            inside.then_some(()).ok_or(Errno::XDEV)
        });
        entered.map_err(|e| {
            let shown = self.working_dir.to_string_lossy();
            Failure::step(format!("entering the working directory {shown}"), e)
        })
    }

    /// Which paths are to be tried, and with what.
    pub(super) fn start(&self) -> Result<Start, Failure> {
        let Some(name) = self.args.first() else {
            return Err(self.failed("", io::Error::from_raw_os_error(libc::ENOENT)));
        };
        let (Some(args), Some(env)) = (c_strings(self.args), c_strings(&self.env)) else {
            let invalid = io::Error::from_raw_os_error(libc::EINVAL);
            return Err(self.failed(&name.to_string_lossy(), invalid));
        };
        let attempts = if name.as_bytes().contains(&b'/') {
            vec![args[0].clone()]
        } else {
            let path = self
                .env
                .iter()
                .find_map(|pair| pair.as_bytes().strip_prefix(b"PATH="));
            let directories = path.unwrap_or(PATH.as_bytes()).split(|&b| b == b':');
            let candidates = directories.filter_map(|directory| {
                let mut candidate = directory.to_vec();
                if !candidate.is_empty() {
                    candidate.push(b'/');
                }
                candidate.extend_from_slice(name.as_bytes());
                c_string(&OsString::from_vec(candidate))
            });
            candidates.collect()
        };
        Ok(Start {
            attempts,
            args,
            env,
        })
    }

    /// Becomes the program; returns only why it could not.
    pub(super) fn execute(&self, start: &Start) -> Failure {
        // As execvp does it: a directory that has it but does not let us
        // execute it is only remembered.
        let shown = self.args.first().map(|name| name.to_string_lossy());
        let shown = shown.unwrap_or_default();
        let is_looked_for = !shown.contains('/');
        let mut denied = None;
        for path in &start.attempts {
            let error = sys::exec(path, &start.args, &start.env);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if is_looked_for => {}
                Some(libc::EACCES) if is_looked_for => denied = Some(error),
                _ => return self.failed(&shown, error),
            }
        }
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        self.failed(&shown, denied.unwrap_or_else(missing))
    }

    fn failed(&self, program: &str, error: io::Error) -> Failure {
        Failure::with(FailureKind::Program, program, error)
    }
}

fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

pub(crate) fn c_strings(list: &[OsString]) -> Option<Vec<CString>> {
    list.iter().map(|text| c_string(text)).collect()
}
