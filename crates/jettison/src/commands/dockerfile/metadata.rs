//! `--metadata-file`: what became of the image, under buildx's keys.

use jettison_image::Image;
use serde_json::{Map, Value, json};

use crate::commands::delivery::Delivered;

/// What buildx would write of it. The digest is that of the manifest where
/// the image went, else of the one in the store.
pub(super) fn document(image: &Image, delivered: &[Delivered], names: &[String]) -> Value {
    // The store comes first; what went elsewhere may be packed otherwise.
    let elsewhere = delivered.iter().skip(1).find_map(|place| place.manifest);
    let manifest = elsewhere.unwrap_or(image.manifest_digest);
    let mut document = Map::new();
    let config = image.manifest.config.digest.to_string();
    document.insert("containerimage.config.digest".to_owned(), json!(config));
    document.insert(
        "containerimage.digest".to_owned(),
        json!(manifest.to_string()),
    );
    if manifest == image.manifest_digest {
        document.insert(
            "containerimage.descriptor".to_owned(),
            json!({
                "mediaType": image.manifest.schema.manifest(),
                "digest": manifest.to_string(),
                "size": image.manifest_bytes.len(),
            }),
        );
    }
    if !names.is_empty() {
        document.insert("image.name".to_owned(), json!(names.join(",")));
    }
    document.into()
}
