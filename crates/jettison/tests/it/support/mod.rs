//! Running the binary, and images to run it on.

mod image;
mod mask;
mod run;

pub(crate) use image::TestImage;
pub(crate) use mask::masked;
pub(crate) use run::Jettison;
