//! The platforms that images are built for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Linux platform that both recipes can build for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// linux/amd64.
    Amd64,
    /// linux/arm64.
    Arm64,
}

/// A platform that is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("platform `{0}` is not known: linux/amd64 and linux/arm64 are")]
pub struct UnknownTarget(String);

impl Target {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The architecture as OCI configs and GOARCH call it.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The architecture as target triples call it.
    pub fn triple_architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The platform of a processor name as `std::env::consts::ARCH`, `uname -m`
    /// or GOARCH give it.
    pub fn from_architecture(name: &str) -> Option<Self> {
        match name {
            "x86_64" | "amd64" => Some(Self::Amd64),
            "aarch64" | "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture())
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    /// `linux/amd64`, `amd64`, `linux/arm64/v8` and the kernel's names for them.
    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let architecture = text.strip_prefix("linux/").unwrap_or(text);
        let architecture = architecture.strip_suffix("/v8").unwrap_or(architecture);
        Self::from_architecture(architecture).ok_or_else(|| UnknownTarget(text.into()))
    }
}

impl TryFrom<String> for Target {
    type Error = UnknownTarget;

    fn try_from(text: String) -> Result<Self, UnknownTarget> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_docker_writes_them() {
        for (text, expected) in [
            ("linux/amd64", Some(Target::Amd64)),
            ("arm64", Some(Target::Arm64)),
            ("linux/arm64/v8", Some(Target::Arm64)),
            ("x86_64", Some(Target::Amd64)),
            ("windows/amd64", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
