//! Reads extended attributes, of open files and of what must not be opened.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const ATTRIBUTE_BYTES: usize = 64 << 10;

/// Names of extended attributes, each with its value.
pub(crate) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// The attributes of an open file that are wanted.
pub(super) fn attributes_of(
    file: &OwnedFd,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    read_attributes(
        |buffer| rustix::fs::flistxattr(file, buffer),
        |name, buffer| rustix::fs::fgetxattr(file, name, buffer),
        wanted,
    )
}

/// The attributes of what a descriptor that is for looking only leads to.
pub(crate) fn attributes_through(
    place: &Path,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    read_attributes(
        |buffer| rustix::fs::listxattr(place, buffer),
        |name, buffer| rustix::fs::getxattr(place, name, buffer),
        wanted,
    )
}

/// The attributes of what lies at a path, and is not followed if it is a link.
pub(super) fn attributes_at(
    place: &Path,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    read_attributes(
        |buffer| rustix::fs::llistxattr(place, buffer),
        |name, buffer| rustix::fs::lgetxattr(place, name, buffer),
        wanted,
    )
}

/// Those that can be read, in the order of their names.
fn read_attributes(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    let mut small = [0; 512];
    let mut large = Vec::new();
    let names = match list(&mut small) {
        Ok(count) => &small[..count],
        Err(Errno::RANGE) => {
            large.resize(ATTRIBUTE_BYTES, 0);
            let count = list(&mut large)?;
            &large[..count]
        }
        // The file system has none.
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for name in names.split(|&byte| byte == 0) {
        if name.is_empty() || !wanted(name) {
            continue;
        }
        let mut value = vec![0; ATTRIBUTE_BYTES];
        if let Ok(count) = get(name, &mut value) {
            found.push((name.to_vec(), value[..count].to_vec()));
        }
    }
    found.sort();
    Ok(found)
}
