//! The image config of both schemas (OCI image-spec, config.md; Docker image
//! spec v1.2, whose `Healthcheck`, `OnBuild` and `Shell` engines read from OCI
//! configs too).
//!
//! Known fields are typed, unknown ones are kept. Writing sorts all keys, so
//! that equal configs are equal bytes.

mod run;

use serde_json::{Map, Value};

use crate::json::{Fields, sorted_object};
use crate::{DiffId, Error, Limits, Platform};

pub use run::{Healthcheck, RunConfig};

/// What an image says about itself: platform, how to start it, its layers'
/// content and how they came about.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConfig {
    /// When it was made, RFC 3339 as written.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Go's GOARCH as written.
    pub architecture: String,
    /// Go's GOOS as written.
    pub os: String,
    /// The processor's variant as written.
    pub variant: Option<String>,
    /// How to start a container.
    pub run: RunConfig,
    /// The uncompressed layers, lowest first.
    pub diff_ids: Vec<DiffId>,
    /// How each layer came about, and steps that made none.
    pub history: Vec<History>,
    /// Fields this crate has no word for (`container_config`, `os.version`, …).
    pub other: Map<String, Value>,
}

/// One step of an image's history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// When, RFC 3339 as written.
    pub created: Option<String>,
    /// The command.
    pub created_by: Option<String>,
    /// Who.
    pub author: Option<String>,
    /// Anything the maker wanted to say.
    pub comment: Option<String>,
    /// True for a step that made no layer.
    pub empty_layer: bool,
    /// Fields this crate has no word for.
    pub other: Map<String, Value>,
}

impl ImageConfig {
    /// An empty config for a platform.
    pub fn new(platform: &Platform) -> Self {
        Self {
            created: None,
            author: None,
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: Some(platform.variant.clone()).filter(|variant| !variant.is_empty()),
            run: RunConfig::default(),
            diff_ids: Vec::new(),
            history: Vec::new(),
            other: Map::new(),
        }
    }

    /// Reads a config of either schema.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut fields = Fields::parse("config", bytes, limits)?;
        let history = fields.objects("history")?.unwrap_or_default();
        Ok(Self {
            created: fields.filled_text("created")?,
            author: fields.filled_text("author")?,
            architecture: fields.text("architecture")?.unwrap_or_default(),
            os: fields.text("os")?.unwrap_or_default(),
            variant: fields.filled_text("variant")?,
            run: fields
                .object("config")?
                .map(RunConfig::read)
                .transpose()?
                .unwrap_or_default(),
            diff_ids: diff_ids(&mut fields, limits)?,
            history: history
                .into_iter()
                .map(History::read)
                .collect::<Result<_, _>>()?,
            other: fields.rest(),
        })
    }

    /// The config as JSON, the same bytes for the same value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let diff_ids: Vec<Value> = self
            .diff_ids
            .iter()
            .map(|id| id.to_string().into())
            .collect();
        let mut rootfs = Map::new();
        rootfs.insert("diff_ids".to_owned(), diff_ids.into());
        rootfs.insert("type".to_owned(), "layers".into());
        let history: Vec<Value> = self.history.iter().map(History::write).collect();
        let known = vec![
            ("created", text(&self.created)),
            ("author", text(&self.author)),
            ("architecture", Some(self.architecture.clone().into())),
            ("os", Some(self.os.clone().into())),
            ("variant", text(&self.variant)),
            ("config", Some(self.run.write())),
            ("rootfs", Some(Value::Object(rootfs))),
            ("history", (!history.is_empty()).then(|| history.into())),
        ];
        sorted_object(known, &self.other).to_string().into_bytes()
    }

    /// The platform, normalised.
    pub fn platform(&self) -> Platform {
        Platform::new(
            &self.os,
            &self.architecture,
            self.variant.as_deref().unwrap_or_default(),
        )
    }

    /// The command that made each layer, lowest first; none when the history
    /// does not have exactly one step that made a layer for each of them.
    pub fn layer_history(&self) -> Option<Vec<&History>> {
        let steps: Vec<_> = self
            .history
            .iter()
            .filter(|step| !step.empty_layer)
            .collect();
        (steps.len() == self.diff_ids.len()).then_some(steps)
    }
}

impl History {
    fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            created: fields.filled_text("created")?,
            created_by: fields.filled_text("created_by")?,
            author: fields.filled_text("author")?,
            comment: fields.filled_text("comment")?,
            empty_layer: fields.flag("empty_layer")?,
            other: fields.rest(),
        })
    }

    fn write(&self) -> Value {
        let known = vec![
            ("created", text(&self.created)),
            ("created_by", text(&self.created_by)),
            ("author", text(&self.author)),
            ("comment", text(&self.comment)),
            ("empty_layer", self.empty_layer.then(|| true.into())),
        ];
        sorted_object(known, &self.other)
    }
}

fn diff_ids(fields: &mut Fields, limits: &Limits) -> Result<Vec<DiffId>, Error> {
    let Some(mut rootfs) = fields.object("rootfs")? else {
        return Ok(Vec::new());
    };
    let texts = rootfs.texts("diff_ids")?.unwrap_or_default();
    if texts.len() > limits.layers {
        return Err(Error::Limit {
            what: "config: rootfs: diff_ids".to_owned(),
            limit: limits.layers as u64,
            unit: "layers",
            flag: "layers",
        });
    }
    let parse = |(at, text): (usize, &String)| {
        text.parse().map(DiffId).map_err(|cause| {
            Error::malformed(
                format!("config: rootfs: diff_ids[{at}]"),
                format!("{cause}"),
            )
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

fn text(text: &Option<String>) -> Option<Value> {
    text.clone().map(Value::from)
}

#[cfg(test)]
mod tests;
