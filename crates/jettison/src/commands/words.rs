//! Words of the command line turned into the engine's values.

use std::fs;
use std::path::Path;

use jettison_engine::surroundings::{Surroundings, parse_env, parse_env_file, parse_memory};
use jettison_image::Platform;
use jettison_plan::words::split;
use jettison_plan::{Plan, Probe};

use super::shared::{ProbeArgs, SurroundingsArgs};
use crate::failure::Failure;
use crate::settings::variable;

/// The probes of flags, after those of files.
pub fn probes(args: &ProbeArgs) -> Result<Vec<Probe>, Failure> {
    let mut probes = Vec::new();
    for path in &args.probe_files {
        let text = read(path)?;
        let parsed = Probe::parse_lines(&text)
            .map_err(|(line, error)| Failure::new(format!("{}:{line}: {error}", path.display())))?;
        probes.extend(parsed);
    }
    for word in &args.probes {
        probes.push(
            word.parse()
                .map_err(|error| Failure::new(format!("--probe: {error}")))?,
        );
    }
    Ok(probes)
}

/// Command lines, quoted as in a shell.
pub fn commands(words: &[String]) -> Result<Vec<Vec<String>>, Failure> {
    let command = |text: &String| {
        let words = split(text).filter(|words| !words.is_empty());
        let words = words.map(|words| words.into_iter().map(|word| word.text).collect());
        words.ok_or_else(|| Failure::new(format!("--cmd: `{text}` is not a command")))
    };
    words.iter().map(command).collect()
}

/// Environment, volumes, names and companions.
pub fn surroundings(args: &SurroundingsArgs) -> Result<Surroundings, Failure> {
    let mut surroundings = Surroundings::default();
    for path in &args.env_file {
        let pairs = parse_env_file(&read(path)?, variable)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        surroundings.env.extend(pairs);
    }
    for word in &args.env {
        let pair = parse_env(word, variable);
        surroundings.env.extend(pair.map_err(flag("--env"))?);
    }
    for word in &args.volume {
        surroundings
            .volumes
            .push(word.parse().map_err(flag("--volume"))?);
    }
    for word in &args.add_host {
        surroundings
            .hosts
            .push(word.parse().map_err(flag("--add-host"))?);
    }
    for word in &args.service {
        surroundings
            .services
            .push(word.parse().map_err(flag("--service"))?);
    }
    for word in &args.service_env {
        surroundings
            .add_service_env(word, variable)
            .map_err(flag("--service-env"))?;
    }
    if let Some(memory) = &args.memory {
        surroundings.memory_bytes = Some(parse_memory(memory).map_err(flag("--memory"))?);
    }
    surroundings.processes = args.pids_limit;
    Ok(surroundings)
}

/// `--platform`.
pub fn platform(text: Option<&str>) -> Result<Option<Platform>, Failure> {
    text.map(|text| text.parse().map_err(flag("--platform")))
        .transpose()
}

/// Names the flag in front of what is wrong with its value.
pub fn flag<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::new(format!("{name}: {error}"))
}

/// Reads the plan in a file.
pub fn plan(path: &Path) -> Result<Plan, Failure> {
    let plan: Plan = serde_json::from_str(&read(path)?)
        .map_err(|error| Failure::new(format!("{} is no plan: {error}", path.display())))?;
    if plan.schema != Plan::SCHEMA {
        return Err(Failure::new(format!(
            "{} has the schema `{}`; this version reads {}",
            path.display(),
            plan.schema.escape_debug(),
            Plan::SCHEMA
        )));
    }
    Ok(plan)
}

/// Reads a text file that a flag names.
pub fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))
}

/// Writes a document that a flag names, whole or not at all.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    jettison_engine::write_file(path, content)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}
