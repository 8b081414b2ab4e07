//! Build stages: which instructions belong to which FROM, and which earlier stage a name or number means.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::instruction::{Argument, Body, FromBase, Instruction, Kind};
use crate::syntax::{Lines, Node};
use crate::text;
use crate::{ParseError, ParseErrorKind};

/// The stages of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages {
    stages: Vec<Stage>,
    global_arguments: Vec<usize>,
    /// Numbers of the stages with a name, ascending.
    named: BTreeMap<String, Vec<usize>>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its number, from 0.
    pub index: usize,
    /// Index of its FROM among the instructions.
    pub from: usize,
    /// Indices of its other instructions.
    pub instructions: Range<usize>,
    /// The name in lower case.
    pub name: Option<String>,
    /// The base as written, variables unresolved.
    pub base: Vec<u8>,
    /// `--platform` as written.
    pub platform: Option<Vec<u8>>,
    /// The comment above that begins with the name.
    pub description: Option<String>,
    /// Lines of the FROM.
    pub lines: Lines,
}

impl Stages {
    pub(crate) fn collect(
        nodes: &[Node],
        instructions: &[Instruction],
        errors: &mut Vec<ParseError>,
    ) -> Self {
        let mut found = Self::default();
        for (index, (instruction, node)) in instructions.iter().zip(nodes).enumerate() {
            if instruction.kind == Kind::From {
                let stage = Stage::new(found.stages.len(), index, instruction);
                if let Some(name) = &stage.name {
                    found
                        .named
                        .entry(name.clone())
                        .or_default()
                        .push(stage.index);
                }
                found.stages.push(stage);
                continue;
            }
            match found.stages.last_mut() {
                Some(stage) => stage.instructions.end = index + 1,
                None if instruction.kind == Kind::Arg => found.global_arguments.push(index),
                None if instruction.body == Body::Invalid => {}
                None => errors.push(ParseError {
                    kind: ParseErrorKind::NoBuildStage,
                    line: node.lines.start,
                    range: node.range.clone(),
                }),
            }
        }
        if found.stages.is_empty() && errors.is_empty() {
            let end = nodes.last().map_or(0, |node| node.range.end);
            errors.push(ParseError {
                kind: ParseErrorKind::NoStages,
                line: 1,
                range: 0..end,
            });
        }
        found
    }

    /// The stages in order.
    pub fn all(&self) -> &[Stage] {
        &self.stages
    }

    /// Indices of the ARG instructions before the first FROM.
    pub fn global_arguments(&self) -> &[usize] {
        &self.global_arguments
    }

    /// The stage that FROM of another stage means by a (resolved) base name: the last one before it with that name.
    /// The comparison minds case, as BuildKit's does.
    pub fn base_of(&self, stage: usize, base: &[u8]) -> Option<&Stage> {
        let numbers = self.named.get(std::str::from_utf8(base).ok()?)?;
        let earlier = numbers.partition_point(|number| *number < stage);
        self.stages.get(*numbers.get(earlier.checked_sub(1)?)?)
    }

    /// The stage that `COPY --from` or a mount means by a name: the last one of the whole file, in any case of
    /// letters. One that is not before the instruction's own stage cannot be copied from.
    pub fn by_name(&self, name: &[u8]) -> Option<&Stage> {
        let numbers = self
            .named
            .get(std::str::from_utf8(&text::lower(name)).ok()?)?;
        self.stages.get(*numbers.last()?)
    }

    /// The stage that is built: the one of this name, the last when none is named.
    pub fn target(&self, name: Option<&[u8]>) -> Option<&Stage> {
        match name {
            Some(name) => self.by_name(name),
            None => self.stages.last(),
        }
    }

    /// The stage that `COPY --from` means: a number, or a name as in [`Stages::by_name`].
    pub fn by_name_or_number(&self, name: &[u8]) -> Option<&Stage> {
        let number = std::str::from_utf8(name)
            .ok()
            .and_then(|name| name.parse::<usize>().ok());
        match number {
            Some(number) => self.stages.get(number),
            None => self.by_name(name),
        }
    }

    /// The stage an instruction belongs to, its FROM included.
    pub fn of_instruction(&self, index: usize) -> Option<&Stage> {
        let next = self.stages.partition_point(|stage| stage.from <= index);
        next.checked_sub(1).and_then(|stage| self.stages.get(stage))
    }
}

impl Stage {
    fn new(index: usize, from: usize, instruction: &Instruction) -> Self {
        let mut stage = Self {
            index,
            from,
            instructions: from + 1..from + 1,
            name: None,
            base: Vec::new(),
            platform: None,
            description: None,
            lines: instruction.lines,
        };
        if let Body::From(FromBase {
            base,
            name,
            platform,
            comment,
        }) = &instruction.body
        {
            stage.name = name.as_ref().map(|name| name.text().into_owned());
            stage.base = base.value.clone();
            stage.platform = platform.as_ref().map(|word| word.value.clone());
            stage.description = comment.as_deref().map(text::lossy);
        }
        stage
    }

    /// The instructions of the stage, without its FROM.
    pub fn instructions<'a>(&self, all: &'a [Instruction]) -> &'a [Instruction] {
        all.get(self.instructions.clone()).unwrap_or_default()
    }

    /// The ARG names the stage declares.
    pub fn arguments<'a>(&self, all: &'a [Instruction]) -> impl Iterator<Item = &'a Argument> {
        self.instructions(all)
            .iter()
            .flat_map(|instruction| match &instruction.body {
                Body::Arg(arguments) => arguments.as_slice(),
                _ => &[],
            })
    }
}
