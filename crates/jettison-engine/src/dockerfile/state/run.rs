//! What a RUN runs: exec form, shell form, heredocs.

use jettison_dockerfile::instruction::{Mount, Network, Run, Security};

use super::{State, StateError};

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunAction {
    /// Program and arguments; none of a script that is executed itself.
    pub(crate) argv: Vec<Vec<u8>>,
    /// A heredoc with a `#!` of its own: its name and content.
    pub(crate) script: Option<(Vec<u8>, Vec<u8>)>,
    /// Mounts, variables resolved.
    pub(crate) mounts: Vec<Mount>,
    /// No network.
    pub(crate) is_offline: bool,
}

impl State {
    /// What a RUN runs.
    pub(super) fn run(&mut self, run: &Run) -> Result<RunAction, StateError> {
        if run.security == Security::Insecure {
            return Err(StateError::BuildKit("RUN --security=insecure"));
        }
        if !run.devices.is_empty() {
            return Err(StateError::BuildKit("RUN --device"));
        }
        let mut expand = |word: &[u8]| self.lex.word(word, &self.variables);
        let mounts = run.mounts.iter();
        let mounts = mounts.map(|mount| Mount::read(&mount.value, &mut expand));
        let mounts = mounts.collect::<Result<_, _>>()?;
        let mut argv: Vec<Vec<u8>> = Vec::new();
        let mut script = None;
        match &run.script {
            Some(text) if text.is_heredoc && text.text.text().starts_with(b"#!") => {
                let name = run
                    .heredocs
                    .first()
                    .map(|heredoc| heredoc.word.name.clone());
                script = Some((name.unwrap_or_default(), text.text.text().to_vec()));
            }
            Some(text) => {
                argv.extend(self.shell().into_iter().map(String::into_bytes));
                argv.push(text.text.text().to_vec());
            }
            None => argv.extend(run.command.words.iter().map(|word| word.value.clone())),
        }
        let shown = argv
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned());
        let mut shown: Vec<String> = shown.collect();
        if let Some((name, _)) = &script {
            shown.push(format!("/dev/pipes/{}", String::from_utf8_lossy(name)));
        }
        if !self.arguments.is_empty() {
            let values = self.arguments.iter();
            let values =
                values.map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
            let mut named = vec![format!("|{}", self.arguments.len())];
            named.extend(values);
            shown.splice(0..0, named);
        }
        self.note_layer(format!("RUN {}", shown.join(" ")));
        Ok(RunAction {
            argv,
            script,
            mounts,
            is_offline: run.network == Network::None,
        })
    }
}
