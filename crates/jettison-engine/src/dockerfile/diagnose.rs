//! What a RUN that failed most likely lacks, read from the Dockerfile and from
//! its last output: sources that nobody copied, certificates, a program. Says
//! nothing where it would be guessing.

use jettison_dockerfile::Tree;
use jettison_dockerfile::graph::{Base, Graph, GraphStage};
use jettison_dockerfile::instruction::{Body, Instruction};
use jettison_image::escape;

use super::error::StepError;

/// How build tools say that there is nothing to build.
const NO_SOURCES: [&str; 17] = [
    "go.mod file not found",
    "no Go files in",
    "no required module provides package",
    "could not find `Cargo.toml`",
    "Could not read package.json",
    "Couldn't find a package.json",
    "No package.json",
    "no targets specified and no makefile found",
    "No rule to make target",
    "no POM in this directory",
    "does not contain a Gradle build",
    "Could not open requirements file",
    "neither 'setup.py' nor 'pyproject.toml' found",
    "Could not locate Gemfile",
    "could not find a composer.json",
    "MSB1003",
    "can't open file '/",
];

/// How clients say that they do not know who signed a certificate.
const UNTRUSTED: [&str; 8] = [
    "certificate signed by unknown authority",
    "certificate verify failed",
    "SSL certificate problem",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "unable to get local issuer certificate",
    "unable to find valid certification path",
    "certificate is NOT trusted",
];

/// What is known of the build beside the step that failed.
pub(super) struct Scene<'a> {
    pub(super) tree: &'a Tree,
    pub(super) graph: &'a Graph,
    /// RUN is lent this machine's CA bundle.
    pub(super) is_lent: bool,
}

impl Scene<'_> {
    /// What to do about a failed instruction of a stage.
    pub(super) fn hint(
        &self,
        node: &GraphStage,
        instruction: &Instruction,
        error: &StepError,
    ) -> Option<String> {
        let output = match error {
            StepError::Command { output, .. } => output,
            StepError::Sandbox(jettison_sandbox::Error::Program { program, .. })
                if program == "/bin/sh" =>
            {
                return Some(
                    "there is no shell in what this stage stands on: run this in a stage that \
                     has one and take what it makes by COPY --from, or write RUN [\"PROGRAM\", …]"
                        .to_owned(),
                );
            }
            _ => return None,
        };
        let has = |words: &[&str]| words.iter().any(|word| output.contains(word));
        if has(&NO_SOURCES) && !self.has_files(node, Some(instruction)) {
            let line = instruction.lines.start;
            return Some(format!(
                "no COPY or ADD above line {line} brings a file of the build context into this \
                 stage; put one there, such as COPY . ."
            ));
        }
        if has(&UNTRUSTED) && !self.is_lent {
            return Some(
                "--trust-host-ca lends RUN this machine's CA bundle and proxy variables".to_owned(),
            );
        }
        missing_program(output).map(|program| {
            format!(
                "the stage's base has no program `{}`: install it in a RUN above, or take a base \
                 that has it",
                escape(program)
            )
        })
    }

    /// Whether anything is copied or mounted into a stage, before one of its instructions.
    fn has_files(&self, node: &GraphStage, until: Option<&Instruction>) -> bool {
        let all = self.tree.instructions();
        let Some(stage) = self.tree.stages().all().get(node.index) else {
            return true;
        };
        let own = stage.instructions(all).iter();
        let mut own = own.take_while(|one| until.is_none_or(|until| one.range != until.range));
        let brings = |one: &Instruction| match &one.body {
            Body::Copy(_) | Body::Add(_) => true,
            Body::Run(_) => binds(&String::from_utf8_lossy(self.tree.text(&one.range))),
            _ => false,
        };
        let itself = until.is_some_and(brings);
        itself
            || own.any(brings)
            || match &node.base {
                Base::Name(_) => false,
                Base::Stage(index) => {
                    let below = self.graph.all.iter().find(|one| one.index == *index);
                    // A stage that is not there cannot have been built upon.
                    below.is_none_or(|below| self.has_files(below, None))
                }
            }
    }
}

/// Whether a RUN mounts files: `--mount` whose type is `bind`, or is not said.
fn binds(text: &str) -> bool {
    let mut mounts = text.split("--mount=").skip(1);
    mounts.any(|mount| {
        let words = mount.split_whitespace().next().unwrap_or_default();
        !words.contains("type=") || words.contains("type=bind")
    })
}

/// The program that a shell has not found, as shells say it in their last words:
/// `sh: 1: gcc: not found`, `bash: line 1: gcc: command not found`.
fn missing_program(output: &str) -> Option<&str> {
    let last = output.trim_end().lines().last()?;
    let before = last
        .strip_suffix(": command not found")
        .or_else(|| last.strip_suffix(": not found"))?;
    let (shell, program) = before.rsplit_once(": ")?;
    // `/bin/sh: 1`, `bash: line 1`, `/bin/sh`.
    let speaker = shell.split(':').next().unwrap_or_default();
    let speaker = speaker.rsplit('/').next().unwrap_or_default();
    let is_shell = ["sh", "bash", "ash", "dash"].contains(&speaker);
    let is_name = !program.is_empty() && !program.contains(['/', ' ']);
    (is_shell && is_name).then_some(program)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jettison_dockerfile::graph::graph;
    use jettison_dockerfile::parse;

    use super::*;

    /// The hint when the last instruction fails with this output.
    fn hint(dockerfile: &str, output: &str) -> Option<String> {
        let (tree, errors) = parse(dockerfile.as_bytes());
        assert!(errors.is_empty(), "{dockerfile}");
        let (none, nothing) = (BTreeMap::new(), BTreeMap::new());
        let graph = graph(&tree, None, &none, &nothing, &|_: &str| false).unwrap();
        let scene = Scene {
            tree: &tree,
            graph: &graph,
            is_lent: false,
        };
        let error = StepError::Command {
            how: "exit code 1".to_owned(),
            output: output.to_owned(),
        };
        let node = graph.all.last().unwrap();
        scene.hint(node, tree.instructions().last().unwrap(), &error)
    }

    #[test]
    fn sources() {
        let lacking = "go: go.mod file not found in current directory or any parent directory";
        for (dockerfile, is_said) in [
            ("FROM go\nRUN go build\n", true),
            ("FROM go AS a\nRUN true\nFROM a\nRUN go build\n", true),
            ("FROM go\nRUN --mount=type=cache,target=/c go build\n", true),
            ("FROM go\nCOPY . .\nRUN go build\n", false),
            ("FROM go AS a\nADD . .\nFROM a\nRUN go build\n", false),
            ("FROM go\nRUN --mount=target=. go build\n", false),
            ("FROM go\nRUN --mount=type=bind,target=. go build\n", false),
        ] {
            let found = hint(dockerfile, lacking);
            assert_eq!(found.is_some(), is_said, "{dockerfile}: {found:?}");
        }
        let found = hint("FROM go\nRUN go build\n", lacking).unwrap();
        assert!(found.contains("above line 2"), "{found}");
    }

    #[test]
    fn other_lacks() {
        let check = |output: &str, expected: &str| {
            let found = hint("FROM a\nRUN x\n", output).unwrap_or_default();
            assert!(found.contains(expected), "{output}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{output}: {found}");
        };
        check("/bin/sh: 1: gcc: not found\n", "`gcc`");
        check("/bin/sh: gcc: not found", "`gcc`");
        check("/bin/bash: line 1: gcc: command not found", "`gcc`");
        check("ERROR 404: not found", "");
        check(
            "x509: certificate signed by unknown authority",
            "--trust-host-ca",
        );
        check("anything else", "");
    }
}
