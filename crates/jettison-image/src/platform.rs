//! Platforms and how one is chosen from an index (OCI image-spec,
//! image-index.md, "platform"; containerd's platforms package).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::json::{Fields, object};
use crate::{Error, escape};

/// An operating system on a processor, in Go's words (`linux/arm64/v8`).
/// Held normalised: `x86_64` becomes `amd64`, `arm64/v8` becomes `arm64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Go's GOOS.
    pub os: String,
    /// Go's GOARCH.
    pub architecture: String,
    /// The processor's variant; empty for the usual one.
    pub variant: String,
    /// Version of the operating system, Windows images only.
    pub os_version: Option<String>,
    /// Features of the operating system that are required.
    pub os_features: Vec<String>,
    /// Fields this crate has no word for.
    pub other: Map<String, Value>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: write OS/ARCHITECTURE[/VARIANT], as in linux/amd64")]
pub struct PlatformParseError(String);

impl Platform {
    /// A platform from its three words, normalised.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normalise(architecture, variant);
        Self {
            os: normalise_os(os),
            architecture,
            variant,
            os_version: None,
            os_features: Vec::new(),
            other: Map::new(),
        }
    }

    /// The Linux platform of the machine this was compiled for: what an image
    /// must be for its programs to start here.
    pub fn host() -> Self {
        Self::new("linux", std::env::consts::ARCH, "")
    }

    /// True for the `unknown/unknown` under which BuildKit lists attestations.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// How well an image of platform `offered` runs where `self` is wanted:
    /// 0 is exact, higher is further away, none is not at all. The same order
    /// as containerd's `platforms.Only`: older variants of the same processor,
    /// then its 32-bit mode.
    pub fn distance(&self, offered: &Platform) -> Option<usize> {
        if self.os != offered.os {
            return None;
        }
        compatible(&self.architecture, &self.variant)
            .iter()
            .position(|(architecture, variant)| {
                *architecture == offered.architecture && *variant == offered.variant
            })
    }

    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        let os = fields.text("os")?.unwrap_or_default();
        let architecture = fields.text("architecture")?.unwrap_or_default();
        let variant = fields.text("variant")?.unwrap_or_default();
        Ok(Self {
            os_version: fields.filled_text("os.version")?,
            os_features: fields.texts("os.features")?.unwrap_or_default(),
            other: fields.rest(),
            ..Self::new(&os, &architecture, &variant)
        })
    }

    pub(crate) fn write(&self) -> Value {
        let known = vec![
            ("architecture", Some(self.architecture.clone().into())),
            ("os", Some(self.os.clone().into())),
            ("os.version", self.os_version.clone().map(Value::from)),
            (
                "os.features",
                (!self.os_features.is_empty()).then(|| self.os_features.clone().into()),
            ),
            (
                "variant",
                (!self.variant.is_empty()).then(|| self.variant.clone().into()),
            ),
        ];
        object(known, &self.other)
    }
}

/// Architectures and variants that run on the given one, best first.
fn compatible(architecture: &str, variant: &str) -> Vec<(String, String)> {
    let pair = |a: &str, v: &str| (a.to_owned(), v.to_owned());
    let mut found = vec![pair(architecture, variant)];
    match architecture {
        "amd64" => {
            let level = variant
                .strip_prefix('v')
                .and_then(|v| v.parse().ok())
                .unwrap_or(1u8);
            found.extend(
                (2..level.min(9))
                    .rev()
                    .map(|v| ("amd64".to_owned(), format!("v{v}"))),
            );
            if level > 1 {
                found.push(pair("amd64", ""));
            }
            found.push(pair("386", ""));
        }
        "arm64" => {
            if !variant.is_empty() {
                found.push(pair("arm64", ""));
            }
            found.extend(["v8", "v7", "v6", "v5"].map(|v| pair("arm", v)));
        }
        "arm" => {
            let level = variant
                .strip_prefix('v')
                .and_then(|v| v.parse().ok())
                .unwrap_or(7u8);
            found.extend(
                (5..level.min(9))
                    .rev()
                    .map(|v| ("arm".to_owned(), format!("v{v}"))),
            );
        }
        _ => {}
    }
    found
}

fn normalise_os(os: &str) -> String {
    match os.to_ascii_lowercase().as_str() {
        "macos" => "darwin".to_owned(),
        os => os.to_owned(),
    }
}

/// containerd platforms, `normalizeArch`.
fn normalise(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (
        architecture.to_ascii_lowercase(),
        variant.to_ascii_lowercase(),
    );
    let (architecture, variant) = match architecture.as_str() {
        "i386" | "i686" => ("386", ""),
        "x86" => ("386", ""),
        "x86_64" | "x86-64" | "amd64" => ("amd64", if variant == "v1" { "" } else { &variant }),
        "aarch64" | "arm64" => (
            "arm64",
            if matches!(variant.as_str(), "8" | "v8" | "v8.0") {
                ""
            } else {
                &variant
            },
        ),
        "armhf" => ("arm", "v7"),
        "armel" => ("arm", "v6"),
        "arm" => match variant.as_str() {
            "" | "7" => ("arm", "v7"),
            "5" => ("arm", "v5"),
            "6" => ("arm", "v6"),
            "8" => ("arm", "v8"),
            _ => ("arm", variant.as_str()),
        },
        other => (other, variant.as_str()),
    };
    (architecture.to_owned(), variant.to_owned())
}

impl FromStr for Platform {
    type Err = PlatformParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let well_formed = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        if !parts.iter().all(well_formed) {
            return Err(PlatformParseError(escape(text)));
        }
        match parts[..] {
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err(PlatformParseError(escape(text))),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", escape(&self.os), escape(&self.architecture))?;
        if !self.variant.is_empty() {
            write!(f, "/{}", escape(&self.variant))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn normalised_as_containerd_does() {
        let check = |text: &str, expected| assert_eq!(platform(text).to_string(), expected);
        check("linux/x86_64", "linux/amd64");
        check("linux/amd64/v1", "linux/amd64");
        check("linux/amd64/v3", "linux/amd64/v3");
        check("linux/aarch64", "linux/arm64");
        check("linux/arm64/v8", "linux/arm64");
        check("linux/arm", "linux/arm/v7");
        check("linux/armhf", "linux/arm/v7");
        check("linux/arm/6", "linux/arm/v6");
        check("Linux/AMD64", "linux/amd64");
        check("linux/riscv64", "linux/riscv64");
    }

    #[test]
    fn what_is_no_platform() {
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "linux/amd 64",
            "linux/\u{1b}[2J",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_runs_where() {
        let check = |wanted, offered, expected| {
            assert_eq!(
                platform(wanted).distance(&platform(offered)),
                expected,
                "{wanted} {offered}"
            );
        };
        check("linux/amd64", "linux/amd64", Some(0));
        check("linux/amd64", "linux/386", Some(1));
        check("linux/amd64", "linux/amd64/v2", None);
        check("linux/amd64/v3", "linux/amd64/v2", Some(1));
        check("linux/amd64/v3", "linux/amd64", Some(2));
        check("linux/arm64", "linux/arm64/v8", Some(0));
        check("linux/arm64", "linux/arm/v7", Some(2));
        check("linux/arm/v7", "linux/arm/v6", Some(1));
        check("linux/arm/v6", "linux/arm/v7", None);
        check("linux/amd64", "windows/amd64", None);
        check("linux/amd64", "linux/arm64", None);
    }
}
