//! The words that ask for a composed system:
//! `debian:SUITE?packages=a,b&variant=minbase`.

use std::fmt;

use jettison_image::escape;
use jettison_packages::solve::Variant;

/// Packages that one system may be asked for by name.
const PACKAGES: usize = 1000;

/// A system to be composed of Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemSpec {
    /// The release; the machine's own where none is named.
    pub suite: Option<String>,
    /// Packages by name, in the order in which they were named.
    pub packages: Vec<String>,
    /// What it begins with.
    pub variant: Variant,
}

impl SystemSpec {
    /// Whether a text asks for one: no image's name holds a question mark.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("debian:") && text.contains('?') || text.starts_with("debian?")
    }

    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let suite = name.strip_prefix("debian").unwrap_or(name);
        let suite = suite.strip_prefix(':').unwrap_or(suite);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !suite.bytes().all(is_plain) || suite.starts_with(['.', '-']) {
            return Err(format!("`{}` is no release", escape(suite)));
        }
        let mut spec = Self {
            suite: Some(suite.to_owned()).filter(|suite| !suite.is_empty()),
            ..Self::default()
        };
        for field in query.split('&').filter(|field| !field.is_empty()) {
            match field.split_once('=') {
                Some(("packages", names)) => {
                    for name in names.split(',').filter(|name| !name.is_empty()) {
                        let is_name = name
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
                        if !is_name {
                            return Err(format!("`{}` is no package's name", escape(name)));
                        }
                        if !spec.packages.iter().any(|known| known == name) {
                            spec.packages.push(name.to_owned());
                        }
                    }
                }
                Some(("variant", name)) => {
                    spec.variant = Variant::parse(name).ok_or_else(|| {
                        format!(
                            "`{}` is no variant; there are minbase, essential and custom",
                            escape(name)
                        )
                    })?;
                }
                _ => {
                    return Err(format!(
                        "`{}` is neither packages=NAME,… nor variant=NAME",
                        escape(field)
                    ));
                }
            }
        }
        if spec.packages.len() > PACKAGES {
            return Err(format!("more than {PACKAGES} packages"));
        }
        if spec.packages.is_empty() && spec.variant == Variant::Custom {
            return Err("variant=custom needs packages=NAME,…".to_owned());
        }
        Ok(spec)
    }
}

impl fmt::Display for SystemSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("debian")?;
        if let Some(suite) = &self.suite {
            write!(f, ":{suite}")?;
        }
        write!(f, "?packages={}", self.packages.join(","))?;
        match self.variant {
            Variant::Minbase => Ok(()),
            other => write!(f, "&variant={}", other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SystemSpec;

    #[test]
    fn words() {
        for (text, expected) in [
            (
                "debian:trixie?packages=gcc,make,gcc",
                Ok("debian:trixie?packages=gcc,make"),
            ),
            ("debian?packages=gcc", Ok("debian?packages=gcc")),
            ("debian:trixie?", Ok("debian:trixie?packages=")),
            (
                "debian:trixie?packages=libc6&variant=custom",
                Ok("debian:trixie?packages=libc6&variant=custom"),
            ),
            ("debian:../x?packages=gcc", Err("release")),
            ("debian:trixie?packages=../x", Err("package's name")),
            ("debian:trixie?variant=buildd", Err("variant")),
            ("debian:trixie?mirror=x", Err("neither")),
            ("debian:trixie?variant=custom", Err("needs packages")),
        ] {
            match (SystemSpec::parse(text), expected) {
                (Ok(spec), Ok(expected)) => assert_eq!(spec.to_string(), expected),
                (Err(problem), Err(part)) => assert!(problem.contains(part), "{text}: {problem}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        assert!(SystemSpec::is_meant("debian:trixie?packages=a"));
        assert!(!SystemSpec::is_meant("debian:trixie"));
    }
}
