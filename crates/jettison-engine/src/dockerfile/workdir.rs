//! WORKDIR: the directory is made, with those above it, where it is not there.

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::{
    Entry, EntryKind, ImagePath, Metadata, NewLayer, Timestamp, Tree, names_ahead,
};

use super::error::StepError;
use crate::build::assemble::store_layer;
use crate::store::Store;

/// Links on one way; the kernel follows forty.
const LINKS: usize = 40;

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

/// The directories to make, links on the way followed: also those that lead to
/// nothing yet, as BuildKit does.
fn missing(tree: &Tree, path: &str) -> Result<Vec<ImagePath>, StepError> {
    let wrong = |path: &ImagePath, problem: &str| {
        StepError::Source(format!("{}: {problem}", path.display()))
    };
    let mut ahead: Vec<&[u8]> = names_ahead(path.as_bytes()).collect();
    let mut at = ImagePath::root();
    let mut missing = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == b".." {
            missing.pop();
            at = at.parent().unwrap_or(at);
            continue;
        }
        let next = at
            .join(name)
            .map_err(|error| StepError::Source(error.to_string()))?;
        match tree.get(next.as_bytes()) {
            None => {
                missing.push(next.clone());
                at = next;
            }
            Some(node) if node.is_directory() => at = next,
            Some(node) => {
                let target = node
                    .link_target()
                    .ok_or_else(|| wrong(&next, "not a directory"))?;
                links += 1;
                if links > LINKS {
                    return Err(wrong(&next, "too many links"));
                }
                if target.starts_with(b"/") {
                    at = ImagePath::root();
                }
                ahead.extend(names_ahead(target));
            }
        }
    }
    Ok(missing)
}
