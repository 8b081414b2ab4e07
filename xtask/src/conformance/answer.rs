//! What came of a build, in the form that is kept in `expected.json`: a failure and its words, or the image's config and what its
//! file system has that its base has not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bases::Base;
use super::failure::Class;
use super::layout::Layout;
use super::tree::{Facts, Listing};
use crate::Problem;

/// What a builder answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Failed { fails: Class, said: String },
    Built(Box<Image>),
}

/// An image in terms of its base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// The base that its layers begin with.
    pub(crate) base: Option<String>,
    pub(crate) platform: String,
    pub(crate) author: Option<String>,
    pub(crate) config: BTreeMap<String, Value>,
    /// Layers over the base's. Not compared.
    pub(crate) layers: usize,
    /// Steps over the base's, a `-` before those without a layer. Not compared.
    pub(crate) history: Vec<String>,
    /// Paths of the base that are gone.
    pub(crate) gone: Vec<String>,
    /// Paths that the base has not, or has otherwise.
    pub(crate) tree: Listing,
}

impl Image {
    /// Reads a builder's layout.
    pub(crate) fn read(folder: &Path, bases: &[Base], times: &[String]) -> Result<Self, Problem> {
        let layout = Layout::read(folder)?;
        let diff_ids = layout.diff_ids()?;
        let base = bases
            .iter()
            .filter(|base| diff_ids.starts_with(&base.diff_ids))
            // All begin as the smallest one does; bases of the same layers differ in their config alone.
            .max_by_key(|base| (base.diff_ids.len(), std::cmp::Reverse(base.name)));
        let below = base
            .map(|base| base.tree.listing(times))
            .unwrap_or_default();
        let mut tree = layout.tree()?.listing(times);
        let gone = below
            .keys()
            .filter(|path| !tree.contains_key(*path))
            .cloned()
            .collect();
        tree.retain(|path, facts| below.get(path) != Some(facts));
        let layers_below = base.map_or(0, |base| base.diff_ids.len());
        let text = |key: &str| layout.config[key].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            base: base.map(|base| base.name.to_owned()),
            platform: format!("{}/{}", text("os"), text("architecture")),
            author: layout.config["author"].as_str().map(str::to_owned),
            config: said(&layout.config["config"]),
            layers: diff_ids.len() - layers_below,
            history: history(&layout.config["history"], layers_below),
            gone,
            tree,
        })
    }

    /// The whole file system, with the base's part of it.
    pub(crate) fn whole(&self, bases: &[Base], times: &[String]) -> Result<Listing, Problem> {
        let mut whole = match &self.base {
            None => Listing::new(),
            Some(name) => bases
                .iter()
                .find(|base| base.name == name)
                .ok_or_else(|| format!("no base is called {name}"))?
                .tree
                .listing(times),
        };
        self.gone.iter().for_each(|path| drop(whole.remove(path)));
        whole.extend(
            self.tree
                .iter()
                .map(|(path, facts)| (path.clone(), facts.clone())),
        );
        Ok(whole)
    }
}

/// What a config says: null, empty lists and absence are one. `ArgsEscaped` means nothing on Linux.
fn said(config: &Value) -> BTreeMap<String, Value> {
    let fields = config.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| *key != "ArgsEscaped" && !is_nothing(value))
        .map(|(key, value)| (key.clone(), sorted(value)))
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect();
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn history(steps: &Value, layers_below: usize) -> Vec<String> {
    let mut layers = 0;
    let mut lines = Vec::new();
    for step in steps.as_array().into_iter().flatten() {
        let is_empty = step["empty_layer"] == true;
        let is_of_the_base = layers < layers_below;
        layers += usize::from(!is_empty);
        if !is_of_the_base {
            let by = step["created_by"].as_str().unwrap_or_default();
            lines.push(format!("{}{by}", if is_empty { "- " } else { "" }));
        }
    }
    lines
}

impl Answer {
    /// Changes what people read and nothing compares: messages and history.
    pub(crate) fn in_other_words(mut self, change: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Failed { said, .. } => *said = change(said),
            Self::Built(image) => image
                .history
                .iter_mut()
                .for_each(|step| *step = change(step)),
        }
        self
    }

    pub(crate) fn load(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join("expected.json");
        let text = std::fs::read(&path).map_err(|_| "the judge has not been asked (--judge)")?;
        serde_json::from_slice(&text).map_err(|error| format!("expected.json: {error}").into())
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), Problem> {
        Ok(std::fs::write(folder.join("expected.json"), self.text()?)?)
    }

    /// JSON with a line for each path, so that a change can be read.
    pub(crate) fn text(&self) -> Result<String, Problem> {
        let image = match self {
            Self::Failed { .. } => return Ok(serde_json::to_string_pretty(self)? + "\n"),
            Self::Built(image) => image,
        };
        let rest = Image {
            tree: Listing::new(),
            ..(**image).clone()
        };
        let mut text = serde_json::to_string_pretty(&rest)?;
        let lines: Vec<String> = image
            .tree
            .iter()
            .map(|(path, facts)| {
                Ok(format!(
                    "    {}: {}",
                    serde_json::to_string(path)?,
                    line(facts)?
                ))
            })
            .collect::<Result<_, Problem>>()?;
        if !lines.is_empty() {
            let empty = "\"tree\": {}";
            let at = text.rfind(empty).ok_or("the tree is the last field")?;
            text.truncate(at);
            write!(text, "\"tree\": {{\n{}\n  }}\n}}", lines.join(",\n"))?;
        }
        Ok(text + "\n")
    }
}

fn line(facts: &Facts) -> Result<String, Problem> {
    const ORDER: &[&str] = &[
        "kind", "mode", "owner", "size", "target", "same_as", "sha256", "text",
    ];
    let mut keys: Vec<&String> = facts.keys().collect();
    keys.sort_by_key(|key| {
        ORDER
            .iter()
            .position(|name| name == key)
            .unwrap_or(ORDER.len())
    });
    let fields: Vec<String> = keys
        .into_iter()
        .map(|key| {
            Ok(format!(
                "{}: {}",
                serde_json::to_string(key)?,
                serde_json::to_string(&facts[key])?
            ))
        })
        .collect::<Result<_, Problem>>()?;
    Ok(format!("{{ {} }}", fields.join(", ")))
}
