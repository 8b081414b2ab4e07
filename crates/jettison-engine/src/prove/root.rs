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
    let tree = read_tree(image, limits)?;
    Ok(sandbox.prepare(image, &tree, limits)?)
}

/// The merged tree of an image, for a root of it.
pub(crate) fn read_tree(image: &Image, limits: &Limits) -> Result<Tree, ProveError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = SurveyOptions {
        contents: Contents::Unhashed,
        threads,
        ..SurveyOptions::default()
    };
    Ok(Survey::read(image, &options, limits)?.into_tree())
}
