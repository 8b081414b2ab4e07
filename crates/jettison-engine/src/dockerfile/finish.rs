//! The image of a target.

use std::sync::Arc;

use jettison_image::{History, Image, NewImage, Schema};
use jettison_recipes::rfc3339;

use super::DockerfileRequest;
use super::error::DockerfileError;
use super::stage::Stage;
use crate::Context;

/// Writes config and manifest into the store; the layers are there.
pub(crate) fn finish(
    stage: &Stage,
    request: &DockerfileRequest,
    epoch: u64,
    context: &Context,
) -> Result<Image, DockerfileError> {
    let mut config = stage.state.config.clone();
    config.created = rfc3339(epoch);
    config.run.labels.extend(request.labels.clone());
    let created = config.created.clone();
    let history = std::mem::take(&mut config.history);
    let mut image = NewImage::new(Schema::Oci, config);
    let mut layers = stage.layers.iter();
    for step in history {
        let step = History {
            created: step.created.or_else(|| created.clone()),
            ..step
        };
        let layer = match step.empty_layer {
            true => None,
            false => layers.next(),
        };
        match layer {
            Some(layer) => image.push_layer(layer.clone(), step),
            None => image.push_step(step),
        };
    }
    let image = image.finish(Arc::new(context.store_source()))?;
    context.store().put_blob(&image.config_bytes)?;
    context.store().put_blob(&image.manifest_bytes)?;
    Ok(image)
}
