//! Overlay mounts: any number of directories, lowest first, with or without
//! one above that takes what is written.
//!
//! mount(2) takes a page of options, so the directories get short names:
//! links in a directory of ours that is the current one while the kernel
//! reads them. No character of a path has to be escaped that way.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::chdir;

use crate::error::MOUNTING_OVERLAY;
use crate::tier::Tier;
use crate::wire::Failure;

/// An overlay to be mounted.
pub(crate) struct Overlay<'a> {
    /// Lowest first.
    pub(crate) layers: &'a [PathBuf],
    /// Takes what is written, and the directory in which the kernel prepares it.
    pub(crate) upper: Option<(&'a Path, &'a Path)>,
    /// An existing directory of ours, in which names are made and, at
    /// `merged`, the overlay is mounted.
    pub(crate) scratch: &'a Path,
    pub(crate) tier: Tier,
}

/// Every overlay of ours is complete in its own directories: no renamed
/// directory points elsewhere, no file is without its content.
const WHOLE: &str = "redirect_dir=nofollow,index=off,metacopy=off";

impl Overlay<'_> {
    /// Mounts it at `scratch/merged`; returns its root, opened.
    pub(crate) fn mount(&self) -> Result<OwnedFd, Failure> {
        let failed = |e: io::Error| Failure::step("preparing the overlay", e);
        let merged = self.scratch.join("merged");
        std::fs::create_dir(&merged).map_err(failed)?;
        let names = self.scratch.join("layers");
        std::fs::create_dir(&names).map_err(failed)?;
        let mut lower = Vec::new();
        for (number, layer) in self.layers.iter().rev().enumerate() {
            let name = number.to_string();
            std::os::unix::fs::symlink(layer, names.join(&name)).map_err(failed)?;
            lower.push(name);
        }
        // The kernel wants one directory below another, or two without one.
        if lower.is_empty() || (lower.len() < 2 && self.upper.is_none()) {
            std::fs::create_dir(names.join("none")).map_err(failed)?;
            lower.push("none".to_owned());
        }
        let mut options = format!("lowerdir={},{WHOLE}", lower.join(":"));
        if let Some((upper, work)) = self.upper {
            std::os::unix::fs::symlink(upper, names.join("upper")).map_err(failed)?;
            std::os::unix::fs::symlink(work, names.join("work")).map_err(failed)?;
            options.push_str(",upperdir=upper,workdir=work");
        }
        if self.tier.has_user_namespace() {
            options.push_str(",userxattr");
        }
        chdir(&names).map_err(|e| failed(e.into()))?;
        // What fails half-way is thrown away as a whole, so nothing has to be
        // written to the disk before the overlay ends (Linux 5.10).
        let mounted = match self.upper {
            Some(_) => match mount_options(&merged, &format!("{options},volatile")) {
                Err(Errno::INVAL) => mount_options(&merged, &options),
                result => result,
            },
            None => mount_options(&merged, &options),
        };
        let _ = chdir("/");
        mounted.map_err(|e| Failure::step(MOUNTING_OVERLAY, e))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&merged, flags, Mode::empty())
            .map_err(|e| Failure::step("opening the overlay", e))
    }
}

fn mount_options(merged: &Path, options: &str) -> Result<(), Errno> {
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount(
        "overlay",
        merged,
        "overlay",
        MountFlags::NODEV,
        options.as_c_str(),
    )
}
