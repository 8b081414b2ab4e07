//! `jettison.toml`: what a project says about its image, beside its sources.
//! Flags override it. Unknown keys are errors, so that a typing mistake is
//! not silently without effect.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cgo::Cgo;
use crate::target::Target;

/// The file's name.
pub const SETTINGS_FILE: &str = "jettison.toml";

/// The file's content; every key is optional.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The image's name, without a tag.
    pub name: Option<String>,
    /// Which program, where there are several.
    pub bin: Option<String>,
    /// `UID[:GID]` in numbers.
    pub user: Option<String>,
    /// The working directory.
    pub workdir: Option<String>,
    /// Arguments that follow the program in the entrypoint.
    pub args: Vec<String>,
    /// Arguments that `docker run IMAGE …` replaces (CMD).
    pub cmd: Vec<String>,
    /// Environment of the image.
    pub env: BTreeMap<String, String>,
    /// Ports it listens on: `8080`, `"53/udp"`.
    pub ports: Vec<Port>,
    /// Labels beside the derived ones.
    pub labels: BTreeMap<String, String>,
    /// The signal that stops it.
    pub stop_signal: Option<String>,
    /// HEALTHCHECK.
    pub healthcheck: Option<HealthCheck>,
    /// `SRC[:DST]`: files read at run time.
    pub include: Vec<Include>,
    /// Companions that come along whether needed or not.
    pub keep: Vec<String>,
    /// Companions that stay away.
    pub drop: Vec<String>,
    /// `scratch`, `static` or an image.
    pub base: Option<String>,
    /// Where Debian packages come from.
    pub mirror: Option<String>,
    /// Keys that sign them, in place of the shipped ones.
    pub keyring: Option<String>,
    /// Certificate files added to the bundle.
    pub ca: Vec<String>,
    /// The platform to build for.
    pub platform: Option<Target>,
    /// How the program is built.
    pub build: BuildSettings,
    /// What must be answered before the image is called good.
    pub probe: Vec<ProbeTable>,
    /// Servers that the program needs to start.
    pub service: Vec<ServiceTable>,
}

/// `[build]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BuildSettings {
    /// Go build tags, Cargo features.
    #[serde(alias = "tags")]
    pub features: Vec<String>,
    /// Whether Go may call C, and how that is linked.
    pub cgo: Cgo,
}

/// A port and its protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "PortText", into = "String")]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PortText {
    Number(u16),
    Text(String),
}

impl TryFrom<PortText> for Port {
    type Error = String;

    fn try_from(port: PortText) -> Result<Self, String> {
        let text = match port {
            PortText::Number(number) => return Self::new(number, "tcp"),
            PortText::Text(text) => text,
        };
        let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let number = number
            .parse()
            .map_err(|_| format!("`{text}` is no port: write 8080 or \"53/udp\""))?;
        Self::new(number, protocol)
    }
}

impl Port {
    fn new(number: u16, protocol: &str) -> Result<Self, String> {
        if number == 0 {
            return Err("port 0 cannot be listened on".into());
        }
        if !matches!(protocol, "tcp" | "udp" | "sctp") {
            return Err(format!(
                "`{protocol}` is no protocol: tcp, udp and sctp are"
            ));
        }
        Ok(Self {
            number,
            protocol: protocol.into(),
        })
    }
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(PortText::Text(text.into()))
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        format!("{}/{}", port.number, port.protocol)
    }
}

/// HEALTHCHECK of the image config. Durations as Docker writes them: `30s`, `1m30s`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HealthCheck {
    /// The command, exec form.
    pub exec: Vec<String>,
    /// Time between two checks.
    #[serde(default)]
    pub interval: Option<String>,
    /// How long one may take.
    #[serde(default)]
    pub timeout: Option<String>,
    /// How long failures do not count after the start.
    #[serde(default)]
    pub start_period: Option<String>,
    /// Failures in a row that make it unhealthy.
    #[serde(default)]
    pub retries: Option<u32>,
}

/// `SRC[:DST]`: a file or directory of the project that comes along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Include {
    /// Relative to the project.
    pub source: String,
    /// Absolute, or relative to the working directory; the source's own path when not given.
    pub destination: Option<String>,
}

impl std::str::FromStr for Include {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, destination) = match text.rsplit_once(':') {
            Some((source, destination)) => (source, Some(destination)),
            None => (text, None),
        };
        if source.is_empty() || destination == Some("") {
            return Err(format!("`{text}` is no SRC[:DST]"));
        }
        Ok(Self {
            source: source.into(),
            destination: destination.map(str::to_owned),
        })
    }
}

impl TryFrom<String> for Include {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Include> for String {
    fn from(include: Include) -> Self {
        match include.destination {
            Some(destination) => format!("{}:{destination}", include.source),
            None => include.source,
        }
    }
}

/// `[[probe]]`: one request, connection or command. Which of `path`, `tcp`,
/// `exec` and `sh` is there says which.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProbeTable {
    /// HTTP: the path, query included.
    pub path: Option<String>,
    /// HTTP: the method; GET when not given.
    pub method: Option<String>,
    /// HTTP: `http` or `https`.
    pub scheme: Option<String>,
    /// HTTP: the port; the image's first when not given.
    pub port: Option<u16>,
    /// HTTP: request headers.
    pub headers: BTreeMap<String, String>,
    /// HTTP: request body.
    pub body: Option<String>,
    /// HTTP: the expected status; 200 to 399 when not given.
    pub status: Option<u16>,
    /// A port that must accept a connection.
    pub tcp: Option<u16>,
    /// A command inside the container, exec form.
    pub exec: Option<Vec<String>>,
    /// A command for the container's shell.
    pub sh: Option<String>,
    /// `exec`, `sh`: the expected exit code; 0 when not given.
    pub code: Option<i32>,
}

/// `[[service]]`: a server that the program reaches under a name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceTable {
    /// The host name under which the program knows it.
    pub name: String,
    /// An image to start …
    #[serde(default)]
    pub image: Option<String>,
    /// … with this command …
    #[serde(default)]
    pub command: Vec<String>,
    /// … and this environment;
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// or `HOST:PORT` of one that runs already.
    #[serde(default)]
    pub tcp: Option<String>,
}

/// Why a `jettison.toml` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{SETTINGS_FILE}:{line}:{column}: {reason}")]
pub struct SettingsError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Settings {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            SettingsError {
                line,
                column,
                reason: error.message().to_owned(),
            }
        })?;
        settings.check(text)?;
        Ok(settings)
    }

    /// What the types do not say.
    fn check(&self, text: &str) -> Result<(), SettingsError> {
        let wrong = |header: &str, index: usize, reason: String| {
            let at = text
                .match_indices(header)
                .nth(index)
                .map_or(0, |(at, _)| at);
            let (line, column) = position(text, at);
            Err(SettingsError {
                line,
                column,
                reason,
            })
        };
        for (index, probe) in self.probe.iter().enumerate() {
            if let Err(reason) = probe.check() {
                return wrong("[[probe]]", index, reason);
            }
        }
        for (index, service) in self.service.iter().enumerate() {
            if service.image.is_some() == service.tcp.is_some() {
                let reason = format!("service `{}` takes either `image` or `tcp`", service.name);
                return wrong("[[service]]", index, reason);
            }
        }
        Ok(())
    }
}

impl ProbeTable {
    fn check(&self) -> Result<(), String> {
        let kinds = [
            ("path", self.path.is_some()),
            ("tcp", self.tcp.is_some()),
            ("exec", self.exec.is_some()),
            ("sh", self.sh.is_some()),
        ];
        let named: Vec<&str> = kinds
            .iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| *name)
            .collect();
        let [kind] = named.as_slice() else {
            return Err("a probe takes one of `path`, `tcp`, `exec` and `sh`".into());
        };
        let of_http = self.method.is_some()
            || self.scheme.is_some()
            || self.port.is_some()
            || !self.headers.is_empty()
            || self.body.is_some()
            || self.status.is_some();
        if *kind != "path" && of_http {
            return Err(format!(
                "`method`, `scheme`, `port`, `headers`, `body` and `status` do not go with `{kind}`"
            ));
        }
        if !matches!(*kind, "exec" | "sh") && self.code.is_some() {
            return Err(format!("`code` does not go with `{kind}`"));
        }
        if self
            .path
            .as_deref()
            .is_some_and(|path| !path.starts_with('/'))
        {
            return Err("`path` begins with a slash".into());
        }
        if self.exec.as_ref().is_some_and(Vec::is_empty) {
            return Err("`exec` names no program".into());
        }
        if !matches!(self.scheme.as_deref(), None | Some("http" | "https")) {
            return Err("`scheme` is http or https".into());
        }
        Ok(())
    }
}

/// Line and column of a byte offset, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let settings = Settings::parse(concat!(
            "name = 'svc'\nbin = 'b'\nuser = '10:20'\nworkdir = '/app'\nargs = ['serve']\nports = [8080, '53/udp']\n",
            "stop-signal = 'SIGINT'\ninclude = ['migrations:/app/m', 'web']\nkeep = ['tzdata']\nplatform = 'linux/arm64'\n",
            "env = { A = '1' }\n[build]\ntags = ['x']\ncgo = true\n[healthcheck]\nexec = ['/svc', 'check']\ninterval = '30s'\n",
            "[[probe]]\npath = '/x'\nstatus = 204\nheaders = { Accept = 'a/b' }\n[[probe]]\nexec = ['/svc', '-V']\ncode = 1\n",
            "[[service]]\nname = 'db'\nimage = 'postgres'\nenv = { P = 'x' }\n",
        ))
        .expect("settings");
        assert_eq!(
            settings
                .ports
                .iter()
                .map(|p| String::from(p.clone()))
                .collect::<Vec<_>>(),
            ["8080/tcp", "53/udp"]
        );
        assert_eq!(settings.include[0].destination.as_deref(), Some("/app/m"));
        assert_eq!(
            settings.include[1],
            Include {
                source: "web".into(),
                destination: None
            }
        );
        assert_eq!(settings.platform, Some(Target::Arm64));
        assert_eq!(
            (settings.build.cgo, settings.build.features.len()),
            (Cgo::Static, 1)
        );
        assert_eq!(settings.probe.len(), 2);
        let again = Settings::parse(&toml::to_string(&settings).expect("toml")).expect("settings");
        assert_eq!(again, settings);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, line, words) in [
            ("nmae = 'x'\n", 1, "unknown field `nmae`"),
            ("\nports = [0]\n", 2, "port 0"),
            ("ports = ['x/tcp']\n", 1, "is no port"),
            ("ports = [1]\nplatform = 'windows/amd64'\n", 2, "not known"),
            ("[[probe]]\nport = 1\n", 1, "a probe takes one of"),
            (
                "[[probe]]\npath = '/'\n[[probe]]\ntcp = 1\nbody = 'x'\n",
                3,
                "do not go with `tcp`",
            ),
            ("[[probe]]\npath = 'x'\n", 1, "begins with a slash"),
            ("[[service]]\nname = 'db'\n", 1, "either `image` or `tcp`"),
            ("include = [':x']\n", 1, "SRC[:DST]"),
            ("a = \n", 1, ""),
        ] {
            let error = Settings::parse(text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(words), "{error}");
        }
    }
}
