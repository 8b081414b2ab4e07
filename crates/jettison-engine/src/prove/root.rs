//! An image's merged tree, written into the sandbox once.

use jettison_image::account::{Contents, Survey, SurveyOptions};
use jettison_image::{Image, Limits, Tree};
use jettison_sandbox::{Root, Sandbox};

use super::ProveError;

/// Fills a root with the image's tree.
pub(crate) fn prepare_root(
    sandbox: &Sandbox,
    image: &Image,
    limits: &Limits,
) -> Result<Root, ProveError> {
    Ok(prepare_with_tree(sandbox, image, limits)?.0)
}

/// Likewise, with the tree that is in it.
pub(crate) fn prepare_with_tree(
    sandbox: &Sandbox,
    image: &Image,
    limits: &Limits,
) -> Result<(Root, Tree), ProveError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = SurveyOptions {
        contents: Contents::Unhashed,
        threads,
        ..SurveyOptions::default()
    };
    let tree = Survey::read(image, &options, limits)?.into_tree();
    Ok((sandbox.prepare(image, &tree, limits)?, tree))
}
