//! Which ignore file counts, and its bytes.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use jettison_dockerfile::ignore::Ignore;

use super::{ContextError, open};
use crate::files::{open_named, read_bounded};

/// The largest ignore files that people write have a few thousand lines.
const MOST_BYTES: u64 = 4 << 20;

/// `<dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context.
pub(super) fn read(
    context: &Path,
    directory: &OwnedFd,
    dockerfile: Option<&Path>,
) -> Result<(Ignore, Option<PathBuf>), ContextError> {
    if let Some(dockerfile) = dockerfile {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(".dockerignore");
        let own = PathBuf::from(own);
        if let Some(ignore) = parse(&own, open_named(&own))? {
            return Ok((ignore, Some(own)));
        }
    }
    let shared = context.join(".dockerignore");
    // A link here is followed nowhere: it could name any file of the host.
    match parse(&shared, open::beneath(directory, b".dockerignore"))? {
        Some(ignore) => Ok((ignore, Some(shared))),
        None => Ok((Ignore::default(), None)),
    }
}

fn parse(path: &Path, file: io::Result<std::fs::File>) -> Result<Option<Ignore>, ContextError> {
    let read = |source| ContextError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match file {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(read(error)),
    };
    let bytes = read_bounded(file, MOST_BYTES).map_err(read)?;
    let ignore = Ignore::parse(&bytes).map_err(|source| ContextError::Ignore {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(ignore))
}
