//! The small image: the original's config over filtered layers.
//!
//! Everything that the config says stays (entry point, environment, user,
//! volumes, labels, health check, fields that we do not know), so that whoever
//! runs it sees no other image. The time of creation stays as well: same
//! original, same selection, same digest.

use std::sync::Arc;

use jettison_image::compression::{Compression, EncoderOptions, Level};
use jettison_image::filter::{Filter, GROUPS, Selection, complement};
use jettison_image::{Digest, History, Image, NewImage, NewLayer, Schema, Tree};

use crate::Context;
use crate::build::AssembleError;
use crate::build::assemble::store_layer;
use crate::spool::Spool;

/// A layer in the store, with what its step in the history says.
#[derive(Debug, Clone)]
pub(crate) struct SlimLayer {
    /// The layer.
    pub(crate) layer: NewLayer,
    /// What it is.
    pub(crate) created_by: String,
}

/// Filters the original's layers into the store, rarely changed ones first.
pub(crate) fn write_layers(
    spool: &Spool,
    selection: &Selection,
    compression: Compression,
    context: &Context,
) -> Result<Vec<SlimLayer>, AssembleError> {
    let filter = Filter::new(spool.tree(), spool, selection)?;
    let layers = filter.groups().into_iter().map(|group| {
        let what = GROUPS.get(usize::from(group)).unwrap_or(&"files");
        let item = context.progress.begin("writing a layer", None);
        item.say(what);
        let layer = store_layer(context.store(), &options(compression), |writer| {
            Ok(filter.write(group, writer)?)
        })?;
        Ok(SlimLayer {
            layer: NewLayer::from(&layer),
            created_by: format!("jettison slim: {what}"),
        })
    });
    layers.collect()
}

/// Writes the layer that makes `small` the original again into the store.
pub(crate) fn write_complement(
    spool: &Spool,
    small: &Tree,
    compression: Compression,
    context: &Context,
) -> Result<SlimLayer, AssembleError> {
    let _item = context.progress.begin("writing the complement", None);
    let layer = store_layer(context.store(), &options(compression), |writer| {
        Ok(complement(spool.tree(), small, spool, writer)?)
    })?;
    Ok(SlimLayer {
        layer: NewLayer::from(&layer),
        created_by: "jettison slim: complement".to_owned(),
    })
}

/// An image of these layers that is otherwise the original, kept in the store.
pub(crate) fn assemble(
    original: &Image,
    layers: &[SlimLayer],
    context: &Context,
) -> Result<Image, AssembleError> {
    let created = &original.config.created;
    let schema = original.manifest.schema;
    let mut image = NewImage::new(schema, original.config.clone());
    for SlimLayer { layer, created_by } in layers {
        let step = History {
            created: created.clone(),
            created_by: Some(created_by.clone()),
            ..History::default()
        };
        image.push_layer(layer.clone(), step);
    }
    let mut image = image.finish(Arc::new(context.store_source()))?;
    let annotations = &original.manifest.annotations;
    // Docker's own manifests have none.
    if schema == Schema::Oci && !annotations.is_empty() {
        image.manifest.annotations.clone_from(annotations);
        image.manifest_bytes = image.manifest.to_bytes();
        image.manifest_digest = Digest::of(&image.manifest_bytes);
    }
    context.store().put_blob(&image.config_bytes)?;
    context.store().put_blob(&image.manifest_bytes)?;
    Ok(image)
}

fn options(compression: Compression) -> EncoderOptions {
    EncoderOptions {
        compression,
        level: Level::default(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(test)]
mod tests {
    use jettison_image::filter::laws;

    use super::*;
    use crate::spool::tests::{context, image, layer};

    #[test]
    fn small_and_complement_are_the_original() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let below = [
            ("big", vec![1; 200_000]),
            ("etc/conf", b"one".to_vec()),
            ("usr/doc", vec![2; 9_000]),
        ];
        let above = [("etc/conf", b"two".to_vec()), (".wh.none", vec![])];
        let layers = vec![
            layer(context.store(), Compression::Gzip, &below, &["big-again"]),
            layer(context.store(), Compression::Zstd, &above, &[]),
        ];
        let mut original = image(&context, layers);
        original.config.run.entrypoint = vec!["/big".to_owned()];
        original.config.created = Some("2020-02-02T02:02:02Z".to_owned());
        let spool = Spool::open(&original, &context).unwrap();
        let tree = spool.tree();
        let mut selection = Selection::new(tree);
        for path in ["big-again", "etc/conf"] {
            selection.keep(tree.get(path).unwrap());
        }
        selection.rewrite(tree.get("etc/conf").unwrap(), b"three".to_vec());
        let make = || write_layers(&spool, &selection, Compression::Gzip, &context).unwrap();
        let mut layers = make();
        let small = assemble(&original, &layers, &context).unwrap();
        assert_eq!(small.config.run, original.config.run);
        assert_eq!(small.config.created, original.config.created);
        let history: Vec<_> = small
            .layers
            .iter()
            .map(|l| l.created_by.as_deref())
            .collect();
        assert_eq!(history, [Some("jettison slim: runtime")]);
        let again = assemble(&original, &make(), &context).unwrap();
        assert_eq!(again.manifest_digest, small.manifest_digest);
        let small = Spool::open(&small, &context).unwrap();
        let rewritten = |path: &jettison_image::ImagePath| path.as_bytes() == b"etc/conf";
        assert_eq!(laws::check(tree, small.tree(), &rewritten), []);
        assert_eq!(small.tree().len(), 4);
        let top = write_complement(&spool, small.tree(), Compression::Gzip, &context).unwrap();
        layers.push(top);
        let whole = assemble(&original, &layers, &context).unwrap();
        let whole = Spool::open(&whole, &context).unwrap();
        assert_eq!(laws::differences(tree, whole.tree()), []);
    }
}
