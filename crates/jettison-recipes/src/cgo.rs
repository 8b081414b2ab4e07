//! Whether and how Go may call C.

use serde::{Deserialize, Serialize};

/// `cgo` of `[build]`: `true`, `false` or `"dynamic"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "CgoText", into = "CgoText")]
pub enum Cgo {
    /// Pure Go.
    #[default]
    Off,
    /// Linked statically by the C compiler.
    Static,
    /// Linked against libraries that the image must bring: a base image's.
    Dynamic,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CgoText {
    Switch(bool),
    Way(String),
}

impl TryFrom<CgoText> for Cgo {
    type Error = String;

    fn try_from(text: CgoText) -> Result<Self, String> {
        match text {
            CgoText::Switch(false) => Ok(Self::Off),
            CgoText::Switch(true) => Ok(Self::Static),
            CgoText::Way(way) if way == "dynamic" => Ok(Self::Dynamic),
            CgoText::Way(_) => Err("cgo is true, false or \"dynamic\"".to_owned()),
        }
    }
}

impl From<Cgo> for CgoText {
    fn from(cgo: Cgo) -> Self {
        match cgo {
            Cgo::Off => Self::Switch(false),
            Cgo::Static => Self::Switch(true),
            Cgo::Dynamic => Self::Way("dynamic".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cgo;

    #[test]
    fn what_toml_says() {
        #[derive(serde::Deserialize, serde::Serialize)]
        struct Table {
            cgo: Cgo,
        }
        for (text, expected) in [
            ("cgo = true", Some(Cgo::Static)),
            ("cgo = false", Some(Cgo::Off)),
            ("cgo = 'dynamic'", Some(Cgo::Dynamic)),
            ("cgo = 'static'", None),
            ("cgo = 1", None),
        ] {
            let read = toml::from_str::<Table>(text).ok();
            assert_eq!(read.as_ref().map(|table| table.cgo), expected, "{text}");
            if let Some(table) = read {
                let again = toml::to_string(&table).expect("it is plain data");
                let again: Table = toml::from_str(&again).expect("what was written is read");
                assert_eq!(Some(again.cgo), expected, "{text}");
            }
        }
    }
}
