//! What a listing of a Dockerfile shows: the targets it has, and for one target the arguments, secrets, agents and
//! caches that it and the stages it needs ask for. The JSON is that of `docker buildx build --call`, with the stages
//! and instructions added.

pub(crate) mod scope;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Tree;
use crate::expand::{ExpandError, Lex};
use crate::instruction::{Body, Mount, MountError, MountKind};
use crate::stage::Stage;
use crate::syntax::Lines;
use crate::text;
use scope::Scopes;

/// The targets of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// One for each stage.
    pub targets: Vec<Target>,
}

/// A stage that can be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// It is built when none is asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub default: bool,
    /// The comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The base as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// `--platform` as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Its FROM.
    pub location: Location,
}

/// What one target asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The target's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Build arguments, by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<OutlineArgument>,
    /// Secrets, by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<OutlineMount>,
    /// SSH agents, by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<OutlineMount>,
    /// The stages that take part, in the file's order.
    pub stages: Vec<OutlineStage>,
}

/// A build argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutlineArgument {
    /// Its name.
    pub name: String,
    /// The comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is when nothing else is said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Its ARG.
    pub location: Location,
}

/// A secret or an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutlineMount {
    /// Its id.
    pub name: String,
    /// The build fails without it.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// The first RUN that mounts it.
    pub location: Location,
}

/// A stage that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutlineStage {
    /// Its name; empty for a stage without one.
    pub name: String,
    /// Its number.
    pub index: usize,
    /// The base, variables resolved.
    pub base: String,
    /// The base is this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_stage: Option<usize>,
    /// FROM and what follows it.
    pub instructions: Vec<OutlineInstruction>,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutlineInstruction {
    /// Its keyword.
    pub instruction: &'static str,
    /// First and last line.
    pub lines: (usize, usize),
    /// Its flags as BuildKit reads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Names of its heredocs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heredocs: Vec<String>,
}

/// A place, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Location {
    /// One for each line.
    pub ranges: Vec<LineRange>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineRange {
    /// The line.
    pub start: LineNumber,
    /// The same line.
    pub end: LineNumber,
}

/// A line's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineNumber {
    /// From 1.
    pub line: usize,
}

/// Why there is no outline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutlineError {
    /// No such stage.
    #[error("target stage {0:?} could not be found")]
    NoTarget(String),
    /// A word cannot be expanded.
    #[error("line {line}: {error}")]
    Expand {
        /// The instruction's line.
        line: usize,
        /// Why.
        error: ExpandError,
    },
    /// A mount cannot be read.
    #[error("line {line}: {error}")]
    Mount {
        /// The instruction's line.
        line: usize,
        /// Why.
        error: MountError,
    },
}

/// Lists the targets.
pub fn targets(tree: &Tree) -> Targets {
    let stages = tree.stages().all();
    let targets = stages.iter().map(|stage| Target {
        name: stage.name.clone().unwrap_or_default(),
        default: stage.index + 1 == stages.len(),
        description: stage.description.clone().unwrap_or_default(),
        base: text::lossy(&stage.base),
        platform: stage
            .platform
            .as_deref()
            .map(text::lossy)
            .unwrap_or_default(),
        location: Location::from(stage.lines),
    });
    Targets {
        targets: targets.collect(),
    }
}

/// Describes a target (the last stage when none is named). `predefined` are the variables that exist without ARG
/// (`TARGETPLATFORM` and so on); `build_args` are those given on the command line.
pub fn outline(
    tree: &Tree,
    target: Option<&[u8]>,
    predefined: &BTreeMap<String, Vec<u8>>,
    build_args: &BTreeMap<String, Vec<u8>>,
) -> Result<Outline, OutlineError> {
    let stages = tree.stages();
    let none = || OutlineError::NoTarget(target.map(text::lossy).unwrap_or_default());
    let wanted = stages.target(target).ok_or_else(none)?;
    // No environment variable of a process is as long as this.
    let lex = Lex {
        limit_bytes: 1 << 20,
        ..Lex::new(tree.escape())
    };
    let scopes = Scopes::read(tree, lex, predefined, build_args)?;
    let needed = scopes.needed(wanted.index);
    let mut out = Outline {
        name: wanted.name.clone().unwrap_or_default(),
        description: wanted.description.clone().unwrap_or_default(),
        args: scopes.arguments(&needed),
        secrets: Vec::new(),
        ssh: Vec::new(),
        stages: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for stage in stages
        .all()
        .iter()
        .filter(|stage| needed.contains(&stage.index))
    {
        for (mount, lines) in &scopes.stages[stage.index].mounts {
            let (list, name) = match mount.kind {
                MountKind::Secret => (&mut out.secrets, secret_name(mount)),
                MountKind::Ssh if mount.id.is_empty() => (&mut out.ssh, "default".to_owned()),
                MountKind::Ssh => (&mut out.ssh, text::lossy(&mount.id)),
                _ => continue,
            };
            if seen.insert((mount.kind, name.clone())) {
                list.push(OutlineMount {
                    name,
                    required: mount.required,
                    location: Location::from(*lines),
                });
            }
        }
        out.stages.push(OutlineStage {
            name: stage.name.clone().unwrap_or_default(),
            index: stage.index,
            base: text::lossy(&scopes.stages[stage.index].base),
            base_stage: scopes.stages[stage.index].base_stage,
            instructions: instructions(tree, stage),
        });
    }
    Ok(out)
}

fn instructions(tree: &Tree, stage: &Stage) -> Vec<OutlineInstruction> {
    let range = stage.from..stage.instructions.end;
    let nodes = tree.nodes().get(range.clone()).unwrap_or_default();
    let instructions = tree.instructions().get(range).unwrap_or_default();
    let one = |(node, instruction): (&crate::syntax::Node, &crate::instruction::Instruction)| {
        OutlineInstruction {
            instruction: instruction.kind.keyword(),
            lines: (node.lines.start, node.lines.end),
            flags: node
                .flags
                .iter()
                .map(|flag| flag.text().into_owned())
                .collect(),
            heredocs: node
                .heredocs
                .iter()
                .map(|heredoc| text::lossy(&heredoc.word.name))
                .collect(),
        }
    };
    nodes.iter().zip(instructions).map(one).collect()
}

/// A secret's id: `source`, `id`, or the last part of the target.
fn secret_name(mount: &Mount) -> String {
    let target = || {
        mount
            .target
            .rsplit(|byte| *byte == b'/')
            .find(|part| !part.is_empty())
            .unwrap_or_default()
    };
    let candidates = [mount.source.as_slice(), mount.id.as_slice()];
    text::lossy(
        candidates
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_else(target),
    )
}

impl From<Lines> for Location {
    fn from(lines: Lines) -> Self {
        let one = |line| LineRange {
            start: LineNumber { line },
            end: LineNumber { line },
        };
        Self {
            ranges: (lines.start..=lines.end).map(one).collect(),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Stages that an instruction copies or mounts from, by name or number as written.
pub(crate) fn sources(body: &Body) -> Vec<Vec<u8>> {
    match body {
        Body::Copy(copy) => copy.from.iter().map(|word| word.value.clone()).collect(),
        Body::Run(run) => run
            .mounts
            .iter()
            .filter_map(|mount| Mount::from_field(&mount.value))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const FILE: &[u8] = b"# VERSION of the base\nARG VERSION=3\nARG TAG=${VERSION}-slim\nARG UNUSED=1\nFROM base:$TAG AS deps\nARG LEVEL=high\nRUN --mount=type=secret,id=token,required --mount=type=ssh x\n\n# app the service\nFROM deps AS app\nARG VERSION\nRUN --mount=type=secret,target=/run/secrets/other <<E\ny\nE\nFROM other AS aside\nARG NOT=1\nFROM scratch\nCOPY --from=app --link /a /b\n";

    #[test]
    fn targets_are_the_stages() {
        let (tree, errors) = parse(FILE);
        assert_eq!(errors, []);
        let json = serde_json::to_string(&targets(&tree)).expect("plain data");
        assert_eq!(
            json,
            r#"{"targets":[{"name":"deps","base":"base:$TAG","location":{"ranges":[{"start":{"line":5},"end":{"line":5}}]}},{"name":"app","description":"the service","base":"deps","location":{"ranges":[{"start":{"line":10},"end":{"line":10}}]}},{"name":"aside","base":"other","location":{"ranges":[{"start":{"line":15},"end":{"line":15}}]}},{"default":true,"base":"scratch","location":{"ranges":[{"start":{"line":17},"end":{"line":17}}]}}]}"#
        );
    }

    #[test]
    fn an_outline_follows_what_the_target_needs() {
        let (tree, _) = parse(FILE);
        let none = BTreeMap::new();
        let found = outline(&tree, None, &none, &none).expect("a target");
        let arguments: Vec<_> = found
            .args
            .iter()
            .map(|arg| {
                (
                    arg.name.as_str(),
                    arg.value.as_str(),
                    arg.description.as_str(),
                )
            })
            .collect();
        assert_eq!(
            arguments,
            [
                ("VERSION", "3", "of the base"),
                ("TAG", "3-slim", ""),
                ("LEVEL", "high", "")
            ]
        );
        let secrets: Vec<_> = found
            .secrets
            .iter()
            .map(|secret| (secret.name.as_str(), secret.required))
            .collect();
        assert_eq!(secrets, [("token", true), ("other", false)]);
        assert_eq!(found.ssh.len(), 1);
        let stages: Vec<_> = found
            .stages
            .iter()
            .map(|stage| (stage.index, stage.base.as_str(), stage.base_stage))
            .collect();
        assert_eq!(
            stages,
            [
                (0, "base:3-slim", None),
                (1, "deps", Some(0)),
                (3, "scratch", None)
            ]
        );
        assert_eq!(
            found.stages[1].instructions[2],
            OutlineInstruction {
                instruction: "RUN",
                lines: (12, 14),
                flags: vec!["--mount=type=secret,target=/run/secrets/other".to_owned()],
                heredocs: vec!["E".to_owned()]
            }
        );
        let given = BTreeMap::from([("VERSION".to_owned(), b"4".to_vec())]);
        let found = outline(&tree, Some(b"DEPS"), &none, &given).expect("a target");
        assert_eq!(found.stages[0].base, "base:4-slim");
        assert!(matches!(
            outline(&tree, Some(b"no"), &none, &none),
            Err(OutlineError::NoTarget(_))
        ));
    }

    #[test]
    fn values_that_double_are_bounded() {
        let file = format!("FROM a\nENV a=xxxxxxxx\n{}", "ENV a=$a$a\n".repeat(60));
        let (tree, errors) = parse(file.as_bytes());
        assert_eq!(errors, []);
        let none = BTreeMap::new();
        assert!(matches!(
            outline(&tree, None, &none, &none),
            Err(OutlineError::Expand { .. })
        ));
    }
}
