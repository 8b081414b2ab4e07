//! Writes the steps of a build into a cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use jettison_image::{Digest, History, ImageConfig, NewImage, Platform, Schema};

use super::{CacheExport, LABEL, SCHEMA, Step, Steps};
use crate::Context;
use crate::transport::{Opened, Origin, TransportError};

/// Sends the steps to a cache; the most important come first. Says how many
/// had no room.
pub(crate) fn export(
    steps: &[Step],
    platform: &Platform,
    to: &CacheExport,
    context: &Context,
) -> Result<usize, TransportError> {
    let place = to.place.to_string();
    let _item = context.progress.begin(&format!("cache to {place}"), None);
    let mut config = ImageConfig::new(platform);
    let mut layers = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut known = BTreeMap::new();
    let mut without_room = 0;
    for step in steps {
        let at = match &step.layer {
            None => None,
            Some(layer) => match places.get(&layer.digest) {
                Some(at) => Some(*at),
                None if layers.len() >= context.limits().layers => {
                    without_room += 1;
                    continue;
                }
                None => {
                    places.insert(layer.digest, layers.len());
                    layers.push(layer.clone());
                    Some(layers.len() - 1)
                }
            },
        };
        known.insert(step.key.to_string(), at);
    }
    let label = serde_json::to_string(&Steps {
        schema: SCHEMA.to_owned(),
        steps: known,
    });
    let label = label.expect("numbers and digests always serialise");
    config.run.labels.insert(LABEL.to_owned(), label);
    let mut image = NewImage::new(Schema::Oci, config);
    for layer in layers {
        image.push_layer(layer, History::default());
    }
    let image = image.finish(Arc::new(context.store_source()))?;
    let transports = &context.transports;
    let (image, _) = transports.compressed(&image, to.compression, false)?;
    transports.write(&Opened::new(image, Origin::Store), &to.place, &[])?;
    Ok(without_room)
}
