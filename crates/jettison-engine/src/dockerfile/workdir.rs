//! WORKDIR: the directory is made, with those above it, where it is not there.

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::{Entry, EntryKind, Follow, ImagePath, Metadata, NewLayer, Timestamp, Tree};

use super::error::StepError;
use crate::build::assemble::store_layer;
use crate::store::Store;

/// The layer in which a directory of the stage is made; none when it is there.
pub(crate) fn make_directory(
    tree: &Tree,
    path: &str,
    owner: (u64, u64),
    time: Timestamp,
    store: &Store,
) -> Result<Option<NewLayer>, StepError> {
    let missing = missing(tree, path)?;
    if missing.is_empty() {
        return Ok(None);
    }
    let options = EncoderOptions::new(Compression::None);
    let layer = store_layer(store, &options, |writer| {
        for path in missing {
            let (uid, gid) = owner;
            let entry = Entry {
                path,
                kind: EntryKind::Directory,
                metadata: Metadata {
                    mode: 0o755,
                    uid,
                    gid,
                    mtime: time,
                    ..Metadata::default()
                },
            };
            writer.append_empty(&entry)?;
        }
        Ok(())
    })?;
    Ok(Some(NewLayer::from(&layer)))
}

/// The directories to make, links on the way followed.
fn missing(tree: &Tree, path: &str) -> Result<Vec<ImagePath>, StepError> {
    let not_a_directory =
        |path: &ImagePath| StepError::Source(format!("{}: not a directory", path.display()));
    let mut at = ImagePath::root();
    let mut missing = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        at = at
            .join(name.as_bytes())
            .map_err(|error| StepError::Source(error.to_string()))?;
        if !missing.is_empty() {
            missing.push(at.clone());
            continue;
        }
        match tree.resolve(&at, Follow::All) {
            Ok(node) if node.is_directory() => at = node.path(),
            Ok(_) => return Err(not_a_directory(&at)),
            Err(_) if tree.get(&at).is_some() => return Err(not_a_directory(&at)),
            Err(_) => missing.push(at.clone()),
        }
    }
    Ok(missing)
}
