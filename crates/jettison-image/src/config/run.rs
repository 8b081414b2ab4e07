//! The part of a config that says how to start a container.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Error;
use crate::json::{Fields, sorted_object};

/// How to start a container (OCI image-spec, config.md, "config"). An empty
/// text or list means what a missing one means, as in every engine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunConfig {
    /// `USER[:GROUP]`, names or numbers; empty is root.
    pub user: String,
    /// `PORT[/PROTOCOL]`.
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=VALUE`, in order.
    pub env: Vec<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// Directories that get a volume.
    pub volumes: BTreeSet<String>,
    /// Directory to start in; empty is `/`.
    pub working_dir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Signal that asks the program to end.
    pub stop_signal: Option<String>,
    /// Seconds until it is killed.
    pub stop_timeout: Option<i64>,
    /// How to see that it works (Docker's, kept in OCI configs).
    pub healthcheck: Option<Healthcheck>,
    /// The shell of shell-form commands.
    pub shell: Vec<String>,
    /// Instructions for images built on this one.
    pub on_build: Vec<String>,
    /// True when `cmd` is one escaped command line (Windows).
    pub args_escaped: bool,
    /// Fields this crate has no word for (`Hostname`, `AttachStdin`, …).
    pub other: Map<String, Value>,
}

/// How an engine sees that a container works (Docker image spec v1.2).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; empty inherits.
    pub test: Vec<String>,
    /// Nanoseconds between checks; 0 is the engine's default.
    pub interval_ns: i64,
    /// Nanoseconds one check may take; 0 is the engine's default.
    pub timeout_ns: i64,
    /// Nanoseconds a container may need to start; 0 is the engine's default.
    pub start_period_ns: i64,
    /// Nanoseconds between checks during the start; 0 is the engine's default.
    pub start_interval_ns: i64,
    /// Failures in a row that make it unhealthy; 0 is the engine's default.
    pub retries: i64,
    /// Fields this crate has no word for.
    pub other: Map<String, Value>,
}

impl RunConfig {
    /// The value of an environment variable; the last one counts.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets an environment variable in place, or appends it.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        let is_it =
            |pair: &&mut String| pair.strip_prefix(name).is_some_and(|r| r.starts_with('='));
        match self.env.iter_mut().rev().find(is_it) {
            Some(found) => *found = pair,
            None => self.env.push(pair),
        }
    }

    /// What is executed when nothing is given on the command line.
    pub fn argv(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.cmd).cloned().collect()
    }

    pub(super) fn read(mut fields: Fields) -> Result<Self, Error> {
        let mut texts = |name| fields.texts(name).map(Option::unwrap_or_default);
        let (env, entrypoint, cmd) = (texts("Env")?, texts("Entrypoint")?, texts("Cmd")?);
        let (shell, on_build) = (texts("Shell")?, texts("OnBuild")?);
        Ok(Self {
            user: fields.text("User")?.unwrap_or_default(),
            exposed_ports: fields.key_set("ExposedPorts")?.into_iter().collect(),
            env,
            entrypoint,
            cmd,
            volumes: fields.key_set("Volumes")?.into_iter().collect(),
            working_dir: fields.text("WorkingDir")?.unwrap_or_default(),
            labels: fields.text_map("Labels")?.into_iter().collect(),
            stop_signal: fields.filled_text("StopSignal")?,
            stop_timeout: fields.integer("StopTimeout")?,
            healthcheck: fields
                .object("Healthcheck")?
                .map(Healthcheck::read)
                .transpose()?,
            shell,
            on_build,
            args_escaped: fields.flag("ArgsEscaped")?,
            other: fields.rest(),
        })
    }

    pub(super) fn write(&self) -> Value {
        let list = |texts: &[String]| (!texts.is_empty()).then(|| texts.to_vec().into());
        let one = |text: &str| (!text.is_empty()).then(|| text.into());
        let labels: Map<_, _> = self
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        let known = vec![
            ("User", one(&self.user)),
            ("ExposedPorts", set(&self.exposed_ports)),
            ("Env", list(&self.env)),
            ("Entrypoint", list(&self.entrypoint)),
            ("Cmd", list(&self.cmd)),
            ("Volumes", set(&self.volumes)),
            ("WorkingDir", one(&self.working_dir)),
            (
                "Labels",
                (!labels.is_empty()).then_some(Value::Object(labels)),
            ),
            ("StopSignal", self.stop_signal.clone().map(Value::from)),
            ("StopTimeout", self.stop_timeout.map(Value::from)),
            (
                "Healthcheck",
                self.healthcheck.as_ref().map(Healthcheck::write),
            ),
            ("Shell", list(&self.shell)),
            ("OnBuild", list(&self.on_build)),
            ("ArgsEscaped", self.args_escaped.then(|| true.into())),
        ];
        sorted_object(known, &self.other)
    }
}

impl Healthcheck {
    fn read(mut fields: Fields) -> Result<Self, Error> {
        let test = fields.texts("Test")?.unwrap_or_default();
        let mut number = |name| fields.integer(name).map(Option::unwrap_or_default);
        Ok(Self {
            test,
            interval_ns: number("Interval")?,
            timeout_ns: number("Timeout")?,
            start_period_ns: number("StartPeriod")?,
            start_interval_ns: number("StartInterval")?,
            retries: number("Retries")?,
            other: fields.rest(),
        })
    }

    fn write(&self) -> Value {
        let number = |value: i64| (value != 0).then(|| value.into());
        let known = vec![
            (
                "Test",
                (!self.test.is_empty()).then(|| self.test.clone().into()),
            ),
            ("Interval", number(self.interval_ns)),
            ("Timeout", number(self.timeout_ns)),
            ("StartPeriod", number(self.start_period_ns)),
            ("StartInterval", number(self.start_interval_ns)),
            ("Retries", number(self.retries)),
        ];
        sorted_object(known, &self.other)
    }
}

fn set(keys: &BTreeSet<String>) -> Option<Value> {
    let map: Map<_, _> = keys
        .iter()
        .map(|key| (key.clone(), Value::Object(Map::new())))
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}
