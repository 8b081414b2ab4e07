//! What is known of the original before anything is selected: its packages,
//! its environment, the commands that it starts.

use std::collections::{BTreeMap, HashMap};

use jettison_image::{FileContents, ImageConfig, ImagePath, Tree};
use jettison_packages::PackageLimits;
use jettison_packages::installed::{Installed, TreeFiles, is_database, scan};
use jettison_plan::Action;
use jettison_select::Command;

use super::SlimRequest;
use crate::build::healthcheck_argv;
use crate::prove::shell;
use crate::spool::Spool;

/// What is known of the original.
pub(super) struct Knowledge {
    pub(super) installed: Installed,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) working_directory: ImagePath,
    pub(super) commands: Vec<Command>,
    databases: HashMap<ImagePath, Vec<u8>>,
}

impl Knowledge {
    pub(super) fn of(spool: &Spool, config: &ImageConfig, request: &SlimRequest) -> Self {
        let tree = spool.tree();
        let databases = databases(tree, spool);
        let files = TreeFiles {
            tree,
            contents: &databases,
        };
        let installed = scan(&files, &PackageLimits::default());
        let mut environment = BTreeMap::new();
        for pair in &config.run.env {
            if let Some((name, value)) = pair.split_once('=') {
                environment.insert(name.to_owned(), value.to_owned());
            }
        }
        environment.extend(request.exam.surroundings.env.iter().cloned());
        Self {
            installed,
            environment,
            working_directory: ImagePath::new(&config.run.working_dir)
                .unwrap_or_else(|_| ImagePath::root()),
            commands: commands(config, request),
            databases,
        }
    }

    /// The databases of the original as the packages' crate reads them.
    pub(super) fn files<'a>(&'a self, tree: &'a Tree) -> TreeFiles<'a> {
        TreeFiles {
            tree,
            contents: &self.databases,
        }
    }
}

fn databases(tree: &Tree, contents: &dyn FileContents) -> HashMap<ImagePath, Vec<u8>> {
    let most = PackageLimits::default().database_bytes;
    let mut found = HashMap::new();
    for node in tree.iter().filter(|node| node.is_file()) {
        let path = node.path();
        if is_database(path.as_bytes())
            && let Ok(content) = contents.read(node, most.saturating_add(1))
        {
            found.insert(path, content.into_owned());
        }
    }
    found
}

fn commands(config: &ImageConfig, request: &SlimRequest) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut add = |label: String, argv: Vec<String>| {
        if !argv.is_empty() {
            commands.push(Command { label, argv });
        }
    };
    let entry = if config.run.entrypoint.is_empty() {
        "CMD"
    } else {
        "ENTRYPOINT"
    };
    add(entry.to_owned(), config.run.argv());
    add(
        "HEALTHCHECK".to_owned(),
        healthcheck_argv(config).unwrap_or_default(),
    );
    for argv in &request.exam.commands {
        let whole = config.run.entrypoint.iter().chain(argv).cloned().collect();
        add(format!("--cmd {}", argv.join(" ")), whole);
    }
    for probe in &request.exam.probes {
        match &probe.action {
            Action::Exec { argv } => add(probe.to_string(), argv.clone()),
            Action::Shell { command } => add(probe.to_string(), shell(command)),
            _ => {}
        }
    }
    if let Some(script) = &request.exam.script {
        add("--probe-script".to_owned(), shell(script));
    }
    commands
}
