//! Perl, Ruby, PHP, Java class paths, and smaller languages in [`rows`]: readers
//! of the text, without a grammar. They see what is written out, with the usual
//! ways to say "beside this file"; what is put together otherwise is taken as
//! the directory it begins with. Comments at the start of a line do not count,
//! those behind code and strings that look like code do: in doubt a thing is
//! needed.

mod class;
pub mod java;
pub mod perl;
pub mod php;
pub mod rows;
pub mod ruby;
pub(crate) mod text;
mod zip;

use jettison_image::{ImagePath, Node};

use crate::scripts::{Reader, shebang};
use crate::{Edge, World};

/// What a script leads to: what its first line names, and what `read` finds.
fn script(
    world: &World,
    node: Node,
    data: &[u8],
    read: impl FnOnce(&mut Reader, Option<&ImagePath>, &[u8]),
) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    shebang::edges(&mut reader, data);
    read(&mut reader, Some(&node.path()), data);
    reader.into_edges()
}

/// The directory that a script lies in; for a text of the command line, the
/// one it is run in.
fn home(reader: &Reader, path: Option<&ImagePath>) -> ImagePath {
    path.and_then(ImagePath::parent)
        .unwrap_or_else(|| reader.world.working_directory.clone())
}

#[cfg(test)]
mod tests;
