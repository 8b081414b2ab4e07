//! Removes a directory with everything in it, however deep: programs can make
//! trees that are deeper than a path may be long or a process may have files
//! open. Never follows a link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory on the way down.
struct Level {
    /// In the directory above.
    name: OsString,
    /// Which one it is.
    inode: (u64, u64),
    /// Directories in it that are still there.
    below: Vec<OsString>,
}

/// Removes `path`. One that is not there is removed already.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let top = match openat(CWD, path, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        result => result?,
    };
    let mut levels = vec![empty(OsString::new(), &top)?];
    let mut here = top;
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.below.pop() {
            here = openat(&here, &*name, DIRECTORY, Mode::empty())?;
            levels.push(empty(name, &here)?);
            continue;
        }
        let done = levels.pop();
        if let (Some(done), Some(above)) = (done, levels.last()) {
            here = openat(&here, "..", DIRECTORY, Mode::empty())?;
            // Somebody has moved it meanwhile: what is above it is not ours.
            if inode(&here)? != above.inode {
                return Err(Errno::STALE.into());
            }
            unlinkat(&here, &*done.name, AtFlags::REMOVEDIR)?;
        }
    }
    drop(here);
    std::fs::remove_dir(path)
}

/// Removes what is no directory; notes what is one.
fn empty(name: OsString, directory: &OwnedFd) -> io::Result<Level> {
    let mut below = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        if kind == FileType::Directory {
            below.push(name.to_owned());
        } else {
            unlinkat(directory, name, AtFlags::empty())?;
        }
    }
    let inode = inode(directory)?;
    Ok(Level { name, inode, below })
}

fn inode(directory: &OwnedFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_deeper_than_a_path_and_links_out_of_them() {
        let place = tempfile::tempdir().expect("a directory");
        let kept = place.path().join("kept");
        std::fs::create_dir(&kept).expect("a directory");
        std::fs::write(kept.join("file"), "x").expect("a file");
        let tree = place.path().join("tree");
        std::fs::create_dir_all(tree.join("beside/more")).expect("directories");
        std::os::unix::fs::symlink(&kept, tree.join("beside/link")).expect("a link");
        let mut here = openat(CWD, &tree, DIRECTORY, Mode::empty()).expect("it is there");
        for _ in 0..2100 {
            rustix::fs::mkdirat(&here, "d", Mode::from_raw_mode(0o700)).expect("a directory");
            here = openat(&here, "d", DIRECTORY, Mode::empty()).expect("it is there");
        }
        drop(here);
        remove_tree(&tree).expect("it can be removed");
        assert!(!tree.exists() && kept.join("file").exists());
        remove_tree(&tree).expect("it is gone already");
    }
}
