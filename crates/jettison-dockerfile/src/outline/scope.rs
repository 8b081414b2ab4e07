//! The scopes of a file: what variables are where, as far as the file alone tells (a base image's own environment
//! is not known here and counts as unset).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Location, OutlineArgument, OutlineError, sources};
use crate::Tree;
use crate::expand::{ExpandError, Lex};
use crate::instruction::{Argument, Body, Instruction, Mount, Pair};
use crate::stage::Stage;
use crate::syntax::Lines;
use crate::text;

pub(crate) type Values = BTreeMap<String, Vec<u8>>;

/// Bytes that all values together may come to: `ENV a=$a$a` doubles with every line.
const MAX_VALUE_BYTES: usize = 16 << 20;

/// All scopes.
pub(super) struct Scopes {
    globals: BTreeMap<String, Declared>,
    pub(super) stages: Vec<StageScope>,
}

/// An argument's declaration.
struct Declared {
    argument: OutlineArgument,
    /// Other arguments that its default refers to.
    refers_to: BTreeSet<String>,
}

/// One stage.
#[derive(Default)]
pub(super) struct StageScope {
    pub(super) base: Vec<u8>,
    pub(super) base_stage: Option<usize>,
    pub(super) mounts: Vec<(Mount, Lines)>,
    declared: BTreeMap<String, Declared>,
    used: BTreeSet<String>,
    needs: BTreeSet<usize>,
    /// What ENV sets; handed on to stages built on this one.
    environment: Values,
}

impl Scopes {
    pub(super) fn read(
        tree: &Tree,
        lex: Lex,
        predefined: &Values,
        build_args: &Values,
    ) -> Result<Self, OutlineError> {
        let (reader, globals) = Reader::new(tree, lex, predefined, build_args)?;
        let mut scopes = Self {
            globals,
            stages: Vec::new(),
        };
        for stage in tree.stages().all() {
            let scope = reader.stage(stage, &scopes.stages)?;
            scopes.stages.push(scope);
        }
        Ok(scopes)
    }

    /// The stage and all it needs.
    pub(super) fn needed(&self, target: usize) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let mut open = vec![target];
        while let Some(stage) = open.pop() {
            if needed.insert(stage) {
                open.extend(
                    self.stages
                        .get(stage)
                        .into_iter()
                        .flat_map(|scope| &scope.needs),
                );
            }
        }
        needed
    }

    /// The arguments that those stages use, by line.
    pub(super) fn arguments(&self, needed: &BTreeSet<usize>) -> Vec<OutlineArgument> {
        let mut found: BTreeMap<&str, &OutlineArgument> = BTreeMap::new();
        for scope in needed.iter().filter_map(|index| self.stages.get(*index)) {
            let mut open: Vec<&str> = scope.used.iter().map(String::as_str).collect();
            let mut visited = BTreeSet::new();
            while let Some(name) = open.pop() {
                let Some(declared) = scope.declared.get(name).or_else(|| self.globals.get(name))
                else {
                    continue;
                };
                if visited.insert(name) {
                    found.entry(name).or_insert(&declared.argument);
                    open.extend(declared.refers_to.iter().map(String::as_str));
                }
            }
        }
        let mut out: Vec<OutlineArgument> = found.into_values().cloned().collect();
        out.sort_by_key(|argument| {
            argument
                .location
                .ranges
                .first()
                .map(|range| range.start.line)
        });
        out
    }
}

/// What a stage stands on, variables resolved.
pub(crate) struct Ground {
    /// The base.
    pub(crate) base: Vec<u8>,
    /// The base is this stage.
    pub(crate) stage: Option<usize>,
    /// `--platform`.
    pub(crate) platform: Option<Vec<u8>>,
    /// Variables that stand in these words.
    used: BTreeSet<String>,
}

/// The values of the global scope, and what each stage stands on.
pub(crate) fn grounds(
    tree: &Tree,
    lex: Lex,
    predefined: &Values,
    build_args: &Values,
) -> Result<(Values, Vec<Ground>), OutlineError> {
    let (reader, _) = Reader::new(tree, lex, predefined, build_args)?;
    let stages = tree.stages().all().iter();
    let grounds = stages.map(|stage| reader.ground(stage));
    let grounds = grounds.collect::<Result<_, _>>()?;
    Ok((reader.global_values, grounds))
}

/// The earlier stages that an instruction copies or mounts from.
pub(crate) fn needs(
    tree: &Tree,
    stage: &Stage,
    instruction: &Instruction,
) -> impl Iterator<Item = usize> {
    let is_copy = matches!(instruction.body, Body::Copy(_));
    sources(&instruction.body)
        .into_iter()
        .filter_map(move |name| {
            let stages = tree.stages();
            let found = match is_copy {
                true => stages.by_name_or_number(&name),
                false => stages.by_name(&name),
            };
            found.map(|found| found.index)
        })
        .filter(move |index| *index < stage.index)
}

struct Reader<'a> {
    tree: &'a Tree,
    lex: Lex,
    build_args: &'a Values,
    global_values: Values,
    /// Bytes of values made so far.
    spent: Cell<usize>,
}

type Evaluated = (String, Option<Vec<u8>>, BTreeSet<String>);

impl<'a> Reader<'a> {
    /// Reads the global scope.
    fn new(
        tree: &'a Tree,
        lex: Lex,
        predefined: &Values,
        build_args: &'a Values,
    ) -> Result<(Self, BTreeMap<String, Declared>), OutlineError> {
        let mut reader = Reader {
            tree,
            lex,
            build_args,
            global_values: predefined.clone(),
            spent: Cell::new(0),
        };
        let mut globals = BTreeMap::new();
        for index in tree.stages().global_arguments() {
            let instruction = &tree.instructions()[*index];
            let Body::Arg(arguments) = &instruction.body else {
                continue;
            };
            for argument in arguments {
                let (name, value, refers_to) = reader.global(argument, instruction)?;
                if let Some(value) = &value {
                    reader.spend(value.len() * 2, instruction)?;
                    reader.global_values.insert(name.clone(), value.clone());
                }
                let argument = described(&name, argument, value.as_deref(), instruction);
                globals.insert(
                    name,
                    Declared {
                        argument,
                        refers_to,
                    },
                );
            }
        }
        Ok((reader, globals))
    }
}

impl Reader<'_> {
    fn spend(&self, bytes: usize, instruction: &Instruction) -> Result<(), OutlineError> {
        let spent = self.spent.get().saturating_add(bytes);
        self.spent.set(spent);
        if spent > MAX_VALUE_BYTES {
            return Err(expand_error(
                ExpandError::TooLarge(MAX_VALUE_BYTES),
                instruction,
            ));
        }
        Ok(())
    }

    fn global(
        &self,
        argument: &Argument,
        instruction: &Instruction,
    ) -> Result<Evaluated, OutlineError> {
        let name = argument.name.text().into_owned();
        if let Some(given) = self.build_args.get(&name) {
            return Ok((name, Some(given.clone()), BTreeSet::new()));
        }
        let Some(default) = &argument.value else {
            return Ok((name, None, BTreeSet::new()));
        };
        let expanded = self
            .lex
            .expand(&default.value, &self.global_values)
            .map_err(|error| expand_error(error, instruction))?;
        Ok((name, Some(expanded.word), expanded.matched))
    }

    fn stage(&self, stage: &Stage, earlier: &[StageScope]) -> Result<StageScope, OutlineError> {
        let all = self.tree.instructions();
        let mut scope = StageScope::default();
        let from = &all[stage.from];
        let ground = self.ground(stage)?;
        scope.used.extend(ground.used);
        (scope.base, scope.base_stage) = (ground.base, ground.stage);
        if let Some(base) = scope.base_stage.and_then(|index| earlier.get(index)) {
            scope.environment = base.environment.clone();
            let size = scope
                .environment
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            self.spend(size, from)?;
        }
        scope.needs.extend(scope.base_stage);
        let mut variables = scope.environment.clone();
        for instruction in stage.instructions(all) {
            scope.needs.extend(needs(self.tree, stage, instruction));
            self.instruction(instruction, &mut scope, &mut variables)?;
        }
        Ok(scope)
    }

    /// What a stage stands on.
    fn ground(&self, stage: &Stage) -> Result<Ground, OutlineError> {
        let from = &self.tree.instructions()[stage.from];
        let expand = |word: &[u8]| {
            let expanded = self.lex.expand(word, &self.global_values);
            expanded.map_err(|error| expand_error(error, from))
        };
        let base = expand(&stage.base)?;
        let platform = stage.platform.as_deref().map(expand).transpose()?;
        let (platform, used) = platform.map(|word| (word.word, word.matched)).unzip();
        let below = self.tree.stages().base_of(stage.index, &base.word);
        Ok(Ground {
            stage: below.map(|stage| stage.index),
            used: used.into_iter().flatten().chain(base.matched).collect(),
            base: base.word,
            platform,
        })
    }

    fn instruction(
        &self,
        instruction: &Instruction,
        scope: &mut StageScope,
        variables: &mut Values,
    ) -> Result<(), OutlineError> {
        match &instruction.body {
            Body::Arg(arguments) => {
                for argument in arguments {
                    self.argument(argument, instruction, scope, variables)?;
                }
            }
            Body::Env(_) => {
                let expanded = instruction
                    .expanded(&self.lex, variables)
                    .map_err(|error| expand_error(error, instruction))?;
                let Body::Env(pairs) = expanded.body else {
                    return Ok(());
                };
                for Pair { name, value, .. } in pairs {
                    let name = name.text().into_owned();
                    self.spend(name.len() + value.value.len() * 2, instruction)?;
                    variables.insert(name.clone(), value.value.clone());
                    scope.environment.insert(name, value.value);
                }
            }
            Body::Run(run) => {
                for mount in &run.mounts {
                    let mount =
                        Mount::read(&mount.value, &mut |word| self.lex.word(word, variables))
                            .map_err(|error| OutlineError::Mount {
                                line: instruction.lines.start,
                                error,
                            })?;
                    scope.mounts.push((mount, instruction.lines));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn argument(
        &self,
        argument: &Argument,
        instruction: &Instruction,
        scope: &mut StageScope,
        variables: &mut Values,
    ) -> Result<(), OutlineError> {
        let name = argument.name.text().into_owned();
        scope.used.insert(name.clone());
        let given = self.build_args.get(&name);
        let inherited = self.global_values.get(&name);
        let (value, declares) = match (given, &argument.value, inherited) {
            (Some(given), ..) => (Some(given.clone()), true),
            (None, Some(default), _) => {
                let value = self
                    .lex
                    .word(&default.value, variables)
                    .map_err(|error| expand_error(error, instruction))?;
                (Some(value), true)
            }
            // A value from the global scope leaves the description there.
            (None, None, Some(inherited)) => (Some(inherited.clone()), false),
            (None, None, None) => (None, true),
        };
        if let Some(value) = &value {
            self.spend(value.len() * 2, instruction)?;
            variables.insert(name.clone(), value.clone());
        }
        if declares {
            let argument = described(&name, argument, value.as_deref(), instruction);
            scope.declared.insert(
                name,
                Declared {
                    argument,
                    refers_to: BTreeSet::new(),
                },
            );
        }
        Ok(())
    }
}

fn described(
    name: &str,
    argument: &Argument,
    value: Option<&[u8]>,
    instruction: &Instruction,
) -> OutlineArgument {
    OutlineArgument {
        name: name.to_owned(),
        description: argument
            .comment
            .as_deref()
            .map(text::lossy)
            .unwrap_or_default(),
        value: value.map(text::lossy).unwrap_or_default(),
        location: Location::from(instruction.lines),
    }
}

fn expand_error(error: ExpandError, instruction: &Instruction) -> OutlineError {
    OutlineError::Expand {
        line: instruction.lines.start,
        error,
    }
}
