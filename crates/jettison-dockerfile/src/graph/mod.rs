//! The build graph: which stages a target needs and what each stands on. Variables of the global scope are resolved
//! here; those of a stage cannot be before its base is known, since a base brings an environment.

use std::collections::{BTreeMap, BTreeSet};

use crate::Tree;
use crate::expand::Lex;
use crate::outline::OutlineError;
use crate::outline::scope::{Values, grounds, needs};
use crate::text;

/// The stages of a file, and which of them a target needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// All stages, in the file's order.
    pub all: Vec<GraphStage>,
    /// The stage that is asked for.
    pub target: usize,
    /// The values that ARG without a default takes up: the predefined ones and those above the first FROM.
    pub globals: Values,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphStage {
    /// Its number in the file.
    pub index: usize,
    /// What it stands on.
    pub base: Base,
    /// `--platform`, resolved.
    pub platform: Option<Vec<u8>>,
    /// The stages it stands on, copies or mounts from.
    pub needs: BTreeSet<usize>,
    /// A named context has its name: it is that, and no instruction counts.
    pub is_context: bool,
}

/// What a stage stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An earlier stage.
    Stage(usize),
    /// An image or a named context; `scratch` is nothing, unless a context has that name.
    Name(Vec<u8>),
}

/// The graph of a file with a target (the last stage when none is named). `predefined` are the variables that exist
/// without ARG; `build_args` are those given on the command line; `is_context` knows the names of contexts that win
/// over stages.
pub fn graph(
    tree: &Tree,
    target: Option<&[u8]>,
    predefined: &BTreeMap<String, Vec<u8>>,
    build_args: &BTreeMap<String, Vec<u8>>,
    is_context: &dyn Fn(&str) -> bool,
) -> Result<Graph, OutlineError> {
    let stages = tree.stages();
    let none = || OutlineError::NoTarget(target.map(text::lossy).unwrap_or_default());
    let target = stages.target(target).ok_or_else(none)?.index;
    let lex = Lex {
        limit_bytes: 1 << 20,
        ..Lex::new(tree.escape())
    };
    let (globals, grounds) = grounds(tree, lex, predefined, build_args)?;
    let all = stages.all().iter().zip(grounds).map(|(stage, ground)| {
        if let Some(name) = stage.name.as_ref().filter(|name| is_context(name)) {
            return GraphStage {
                index: stage.index,
                base: Base::Name(name.clone().into_bytes()),
                platform: ground.platform,
                needs: BTreeSet::new(),
                is_context: true,
            };
        }
        let below = stage.instructions(tree.instructions()).iter();
        let needs = below.flat_map(|instruction| needs(tree, stage, instruction));
        GraphStage {
            index: stage.index,
            needs: needs.chain(ground.stage).collect(),
            base: match ground.stage {
                Some(stage) => Base::Stage(stage),
                None => Base::Name(ground.base),
            },
            platform: ground.platform,
            is_context: false,
        }
    });
    Ok(Graph {
        all: all.collect(),
        target,
        globals,
    })
}

impl Graph {
    /// A stage and all it needs, in the file's order.
    pub fn needed(&self, target: usize) -> Vec<GraphStage> {
        let mut needed = BTreeSet::new();
        let mut open = vec![target];
        while let Some(index) = open.pop() {
            if let Some(stage) = self.all.get(index).filter(|_| needed.insert(index)) {
                open.extend(&stage.needs);
            }
        }
        let needed = needed.into_iter();
        needed
            .filter_map(|index| self.all.get(index).cloned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const FILE: &[u8] = b"ARG TAG=3\nFROM base:$TAG AS deps\nRUN x\nFROM deps AS app\nRUN --mount=from=tools,target=/t y\nFROM broken AS aside\nRUN false\nFROM other AS tools\nFROM scratch AS last\nCOPY --from=app / /\nCOPY --from=elsewhere / /\n";

    #[track_caller]
    fn check(target: Option<&str>, expected: &[(usize, &str)]) {
        let (tree, errors) = parse(FILE);
        assert_eq!(errors, []);
        let none = BTreeMap::new();
        let is_context = |name: &str| name == "tools";
        let target = target.map(str::as_bytes);
        let found = graph(&tree, target, &none, &none, &is_context).expect("a target");
        let needed = found.needed(found.target);
        let shown = needed.iter().map(|stage| {
            let base = match &stage.base {
                Base::Stage(index) => format!("#{index}"),
                Base::Name(name) => text::lossy(name),
            };
            (stage.index, format!("{base} {:?}", stage.needs))
        });
        let expected = expected
            .iter()
            .map(|(index, text)| (*index, (*text).to_owned()));
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn only_what_is_needed_takes_part() {
        check(Some("deps"), &[(0, "base:3 {}")]);
        check(Some("tools"), &[(3, "tools {}")]);
        check(None, &[(0, "base:3 {}"), (1, "#0 {0}"), (4, "scratch {1}")]);
    }

    #[test]
    fn a_mount_of_a_later_stage_is_none() {
        check(Some("APP"), &[(0, "base:3 {}"), (1, "#0 {0}")]);
    }
}
