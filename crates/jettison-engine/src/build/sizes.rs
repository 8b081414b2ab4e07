//! Where every byte of a built image is, component by component.

use std::collections::HashMap;

use jettison_image::account::{Contents, Survey, SurveyOptions};
use jettison_image::{Error, Image, ImagePath};
use serde::Serialize;

use crate::Context;

/// One component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizeRow {
    /// Its name.
    pub component: String,
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub unpacked_bytes: u64,
    /// What they cost a pull.
    pub wire_bytes: u64,
}

/// All components; the columns add up exactly to the image's sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizeTable {
    /// Biggest first, what is no file's content last.
    pub rows: Vec<SizeRow>,
    /// Bytes of all files.
    pub unpacked_bytes: u64,
    /// Bytes of all layers, the config and the manifest.
    pub wire_bytes: u64,
}

/// What no entry of ours names lies in the base image's layers.
const BASE: &str = "base image";

impl SizeTable {
    /// Counts an image whose paths belong to these components.
    pub(crate) fn of(
        image: &Image,
        components: &[(ImagePath, String)],
        context: &Context,
    ) -> Result<Self, Error> {
        let options = SurveyOptions {
            contents: Contents::Unhashed,
            threads: 1,
            ..SurveyOptions::default()
        };
        let survey = Survey::read(image, &options, context.limits())?;
        let names: HashMap<&ImagePath, &str> = components
            .iter()
            .map(|(path, name)| (path, name.as_str()))
            .collect();
        let groups =
            survey.groups(|node| names.get(&node.path()).copied().unwrap_or(BASE).to_owned());
        let mut rows: Vec<SizeRow> = groups
            .into_iter()
            .map(|group| SizeRow {
                component: group.key,
                files: group.files,
                unpacked_bytes: group.unpacked_bytes,
                wire_bytes: group.wire_bytes,
            })
            .collect();
        let totals = survey.totals();
        let documents = (image.config_bytes.len() + image.manifest_bytes.len()) as u64;
        let mut rest = |component: &str, unpacked_bytes, wire_bytes| {
            if unpacked_bytes + wire_bytes > 0 {
                let component = component.to_owned();
                rows.push(SizeRow {
                    component,
                    files: 0,
                    unpacked_bytes,
                    wire_bytes,
                });
            }
        };
        rest(
            "shipped but not visible",
            totals.wasted_bytes,
            totals.wire_wasted_bytes,
        );
        rest("archive headers", 0, totals.wire_overhead_bytes);
        rest("config and manifest", 0, documents);
        Ok(Self {
            unpacked_bytes: totals.shipped_bytes,
            wire_bytes: totals.wire_bytes + documents,
            rows,
        })
    }
}
