//! What a program needs around it to start, in the words of the command line
//! and of `jettison.toml`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use jettison_plan::words;

/// Environment, volumes, names and companions of a program.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Variables that are added to the image's own, later ones win.
    pub env: Vec<(String, String)>,
    /// Host directories and files of which the container gets a copy.
    pub volumes: Vec<Volume>,
    /// Names for `/etc/hosts`.
    pub hosts: Vec<HostName>,
    /// Companions.
    pub services: Vec<Service>,
    /// Bound on the memory of each container.
    pub memory_bytes: Option<u64>,
    /// Bound on the processes of each container.
    pub processes: Option<u64>,
}

impl Surroundings {
    /// `NAME:VARIABLE=VALUE` for the companion NAME.
    ///
    /// # Errors
    /// Another form, or a companion that is not there.
    pub fn add_service_env(
        &mut self,
        word: &str,
        inherited: impl Fn(&str) -> Option<String>,
    ) -> Result<(), SurroundingsError> {
        let bad =
            || SurroundingsError::new(word, "NAME:VARIABLE=VALUE with the NAME of a --service");
        let (name, pair) = word.split_once(':').ok_or_else(bad)?;
        let service = self
            .services
            .iter_mut()
            .find(|service| service.name == name);
        service
            .ok_or_else(bad)?
            .env
            .extend(parse_env(pair, inherited)?);
        Ok(())
    }
}

/// Why a word of the surroundings is not understood.
#[derive(Debug, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct SurroundingsError {
    given: String,
    expected: &'static str,
}

impl SurroundingsError {
    fn new(given: &str, expected: &'static str) -> Self {
        Self {
            given: given.to_owned(),
            expected,
        }
    }
}

/// `HOST-PATH:PATH[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What is copied.
    pub host: PathBuf,
    /// Where the copy appears, absolute.
    pub path: String,
    /// The copy cannot be written.
    pub read_only: bool,
}

impl FromStr for Volume {
    type Err = SurroundingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || SurroundingsError::new(text, "a volume of the form HOST-PATH:PATH[:ro]");
        let (rest, read_only) = match text.strip_suffix(":ro") {
            Some(rest) => (rest, true),
            None => (text.strip_suffix(":rw").unwrap_or(text), false),
        };
        let (host, path) = rest.rsplit_once(':').ok_or_else(bad)?;
        if host.is_empty() || !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(bad());
        }
        Ok(Self {
            host: host.into(),
            path: path.to_owned(),
            read_only,
        })
    }
}

/// `NAME:IP`; the sandbox's networks speak IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub address: Ipv4Addr,
}

impl FromStr for HostName {
    type Err = SurroundingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || SurroundingsError::new(text, "a host name of the form NAME:IPv4-ADDRESS");
        let (name, address) = text.split_once([':', '=']).ok_or_else(bad)?;
        Ok(Self {
            name: host_name(name).ok_or_else(bad)?,
            address: address.parse().map_err(|_| bad())?,
        })
    }
}

/// A companion, reachable under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name under which the program finds it.
    pub name: String,
    /// What it is.
    pub kind: ServiceKind,
    /// Variables of a companion container.
    pub env: Vec<(String, String)>,
}

/// What a companion is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// A container of this image.
    Image {
        /// The image in the words of the transports.
        image: String,
        /// In the place of the image's CMD, when not empty.
        command: Vec<String>,
    },
    /// A server that is already there.
    Tcp {
        /// Its host, as this machine resolves it.
        host: String,
        /// Its port, which the program uses too.
        port: u16,
    },
}

impl FromStr for Service {
    type Err = SurroundingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || {
            let expected = "a service of the form NAME=tcp:HOST:PORT or 'NAME=IMAGE [COMMAND…]'";
            SurroundingsError::new(text, expected)
        };
        let (name, what) = text.split_once('=').ok_or_else(bad)?;
        let name = host_name(name.trim()).ok_or_else(bad)?;
        let kind = match what.trim().strip_prefix("tcp:") {
            Some(address) => {
                let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(bad)?;
                if host.is_empty() {
                    return Err(bad());
                }
                ServiceKind::Tcp {
                    host: host.to_owned(),
                    port,
                }
            }
            None => {
                let words = words::split(what).ok_or_else(bad)?;
                let mut words = words.into_iter().map(|word| word.text);
                let image = words.next().ok_or_else(bad)?;
                ServiceKind::Image {
                    image,
                    command: words.collect(),
                }
            }
        };
        Ok(Self {
            name,
            kind,
            env: Vec::new(),
        })
    }
}

/// RFC 1123, 2.1: letters, digits, hyphens and dots.
fn host_name(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= 253
        && !text.starts_with(['-', '.'])
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    fits.then(|| text.to_owned())
}

/// `NAME=VALUE` pairs of an environment file as docker reads it: a line each,
/// `#` at the start of a line begins a comment, values are taken as they
/// stand. A name alone is looked up by `inherited`, and left out when it is
/// not set there.
///
/// # Errors
/// The line that has no name.
pub fn parse_env_file(
    text: &str,
    inherited: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, SurroundingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim_start);
    let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = words
        .map(|line| parse_env(line, &inherited))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(pairs.into_iter().flatten().collect())
}

/// One `NAME=VALUE`, or a `NAME` that `inherited` looks up.
///
/// # Errors
/// A word without a name.
pub fn parse_env(
    word: &str,
    inherited: impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, SurroundingsError> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word.trim_end(), inherited(word.trim_end())),
    };
    if name.is_empty() || name.contains(['\0', ' ', '\t']) {
        let expected = "an environment variable of the form NAME=VALUE";
        return Err(SurroundingsError::new(word, expected));
    }
    Ok(value.map(|value| (name.to_owned(), value)))
}

/// Bytes as docker writes them: a number with an optional `b`, `k`, `m` or
/// `g`, powers of 1024.
///
/// # Errors
/// Anything else, and what does not fit into 64 bits.
pub fn parse_memory(text: &str) -> Result<u64, SurroundingsError> {
    let bad = || SurroundingsError::new(text, "an amount of memory such as 512m or 2g");
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches("ib").trim_end_matches('b');
    let (digits, shift) = match digits.strip_suffix(['k', 'm', 'g', 't']) {
        Some(rest) => (
            rest,
            match &digits[rest.len()..] {
                "k" => 10,
                "m" => 20,
                "g" => 30,
                _ => 40,
            },
        ),
        None => (digits, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number
        .checked_mul(1 << shift)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes() {
        let volume: Volume = "./data:/var/lib/app:ro".parse().expect("a volume");
        assert_eq!(
            (volume.path.as_str(), volume.read_only),
            ("/var/lib/app", true)
        );
        for bad in ["data", "data:relative", ":/x", "a:/x/../y"] {
            assert!(bad.parse::<Volume>().is_err(), "{bad}");
        }
    }

    #[test]
    fn services() {
        let kind = |text: &str| text.parse::<Service>().expect(text).kind;
        let tcp = ServiceKind::Tcp {
            host: "127.0.0.1".into(),
            port: 5432,
        };
        assert_eq!(kind("db=tcp:127.0.0.1:5432"), tcp);
        assert_eq!(
            kind("db=tcp:[::1]:5432"),
            ServiceKind::Tcp {
                host: "::1".into(),
                port: 5432
            }
        );
        let image = ServiceKind::Image {
            image: "oci:x".into(),
            command: vec!["serve".into(), "a b".into()],
        };
        assert_eq!(kind("db=oci:x serve 'a b'"), image);
        for bad in [
            "db",
            "=x",
            "db=",
            "db=tcp:x",
            "d b=x",
            "db=tcp::80",
            "db=x 'open",
        ] {
            assert!(bad.parse::<Service>().is_err(), "{bad}");
        }
    }

    #[test]
    fn environments() {
        let inherited = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let text = "\u{feff}# comment\nA=1\n\n B = x y \nHOME\nNOT_SET\nC=\n";
        assert!(
            parse_env_file(text, inherited).is_err(),
            "a blank in a name"
        );
        let pairs = parse_env_file("A=1 # kept\nHOME\nNOT_SET\nC=\n", inherited).expect("pairs");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs,
            [pair("A", "1 # kept"), pair("HOME", "/root"), pair("C", "")]
        );
    }

    #[test]
    fn memory() {
        assert_eq!(parse_memory("512m").expect("fits"), 512 << 20);
        assert_eq!(parse_memory("2GiB").expect("fits"), 2 << 30);
        assert_eq!(parse_memory("1000").expect("fits"), 1000);
        for bad in ["", "0", "m", "1x", "99999999999999999999", "99999999999g"] {
            assert!(parse_memory(bad).is_err(), "{bad}");
        }
    }
}
