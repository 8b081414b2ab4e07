//! Which packages belong together: those that are asked for, what they need,
//! and nothing that excludes one of them (Debian policy chapter 7).
//!
//! The answer is the one that `apt-get --no-install-recommends` gives where
//! that finds one: first alternatives first, real packages before those that
//! provide a name. Where there is none, the rules that contradict each other
//! are said.

mod clauses;
mod universe;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

pub use universe::Universe;

use crate::error::escape;
use crate::index::Relation;
use crate::{Error, LockedBase};
use clauses::{Literal, Solver, Stop};
use universe::{Field, Id};

/// Lines of an explanation; more help nobody.
const LINES: usize = 24;

/// What a system begins with, as debootstrap and mmdebstrap call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// Packages that are essential or required, and apt.
    #[default]
    Minbase,
    /// Packages that are essential.
    Essential,
    /// Nothing but what is asked for.
    Custom,
}

impl Variant {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "minbase" => Self::Minbase,
            "essential" => Self::Essential,
            "custom" => Self::Custom,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minbase => "minbase",
            Self::Essential => "essential",
            Self::Custom => "custom",
        }
    }
}

/// Where a rule comes from.
enum Why {
    Wanted(String),
    /// A package's relation, in this field.
    Relation(Id, Field, String),
}

/// Finds the packages of a system.
pub fn solve(universe: &Universe, variant: Variant, wanted: &[&str]) -> Result<LockedBase, Error> {
    let roots = roots(universe, variant, wanted)?;
    let chosen = Problem::new(universe, &roots).solve()?;
    let mut packages: Vec<_> = chosen
        .into_iter()
        .map(|id| universe.row(id).package.clone())
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(LockedBase {
        suite: universe.suite.clone(),
        architecture: universe.architecture.clone(),
        absent: Vec::new(),
        packages,
    })
}

/// What must be there: who satisfies it, best first, and how it is said.
type Root = (Vec<Id>, String);

fn roots(universe: &Universe, variant: Variant, wanted: &[&str]) -> Result<Vec<Root>, Error> {
    let mut roots: Vec<Root> = Vec::new();
    let mut own: Vec<Id> = universe
        .ids()
        .filter(|&id| {
            let row = universe.row(id);
            match variant {
                Variant::Minbase => row.is_essential || row.priority == 0,
                Variant::Essential => row.is_essential,
                Variant::Custom => false,
            }
        })
        .collect();
    own.sort_by_key(|&id| universe.name(id));
    if variant == Variant::Minbase {
        own.extend(universe.id("apt"));
    }
    for id in own {
        let why = format!("{} belongs to {}", universe.name(id), variant.name());
        roots.push((vec![id], why));
    }
    for name in wanted {
        let relation = Relation {
            name: (*name).to_owned(),
            architecture: None,
            bound: None,
        };
        let found = universe.matches(&relation, None);
        if found.is_empty() {
            return Err(Error::UnknownPackage {
                name: escape(name),
                suite: universe.suite.clone(),
                architecture: universe.architecture.clone(),
                similar: universe
                    .similar(name)
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            });
        }
        roots.push((found, format!("{name} is asked for")));
    }
    Ok(roots)
}

struct Problem<'a> {
    universe: &'a Universe,
    /// The packages that can come into question; their places are variables.
    all: Vec<Id>,
    variables: HashMap<Id, u32>,
    /// What each needs, as variables in order of preference.
    needs: Vec<Vec<Vec<u32>>>,
    roots: Vec<Vec<u32>>,
    solver: Solver,
    why: Vec<Why>,
}

impl<'a> Problem<'a> {
    fn new(universe: &'a Universe, roots: &[Root]) -> Self {
        let mut problem = Self {
            universe,
            all: Vec::new(),
            variables: HashMap::new(),
            needs: Vec::new(),
            roots: Vec::new(),
            solver: Solver::default(),
            why: Vec::new(),
        };
        let variables = |problem: &mut Self, ids: &[Id]| {
            let ids = ids.iter();
            ids.map(|&id| problem.variable(id)).collect::<Vec<_>>()
        };
        let mut rules: Vec<(Vec<Literal>, Why)> = Vec::new();
        let positive = |variables: &[u32]| {
            let variables = variables.iter();
            variables
                .map(|&variable| Literal::new(variable, true))
                .collect::<Vec<_>>()
        };
        for (ids, why) in roots {
            let found = variables(&mut problem, ids);
            rules.push((positive(&found), Why::Wanted(why.clone())));
            problem.roots.push(found);
        }
        let mut at = 0;
        while let Some(&id) = problem.all.get(at) {
            let mut needs = Vec::new();
            for field in [Field::PreDepends, Field::Depends] {
                for group in universe.relations(id, field) {
                    let mut ids = Vec::new();
                    for found in group.iter().flat_map(|one| universe.matches(one, Some(id))) {
                        if !ids.contains(&found) {
                            ids.push(found);
                        }
                    }
                    // A package satisfies what it provides itself.
                    if ids.contains(&id) {
                        continue;
                    }
                    let found = variables(&mut problem, &ids);
                    let mut rule = vec![Literal::new(at as u32, false)];
                    rule.extend(positive(&found));
                    rules.push((rule, Why::Relation(id, field, shown(&group))));
                    needs.push(found);
                }
            }
            problem.needs.push(needs);
            at += 1;
        }
        // What excludes what matters only among those that can be chosen.
        let mut pairs = HashSet::new();
        for (at, &id) in problem.all.iter().enumerate() {
            for field in [Field::Conflicts, Field::Breaks] {
                for relation in universe.relations(id, field).into_iter().flatten() {
                    for other in universe.matches(&relation, None) {
                        let Some(&excluded) = problem.variables.get(&other) else {
                            continue;
                        };
                        let at = at as u32;
                        if other == id || !pairs.insert((at.min(excluded), at.max(excluded))) {
                            continue;
                        }
                        let rule = vec![Literal::new(at, false), Literal::new(excluded, false)];
                        let text = shown(std::slice::from_ref(&relation));
                        rules.push((rule, Why::Relation(id, field, text)));
                    }
                }
            }
        }
        problem.solver = Solver::new(problem.all.len());
        for (rule, why) in rules {
            problem.solver.rule(rule);
            problem.why.push(why);
        }
        problem
    }

    fn variable(&mut self, id: Id) -> u32 {
        let next = self.all.len() as u32;
        let variable = *self.variables.entry(id).or_insert(next);
        if variable == next {
            self.all.push(id);
        }
        variable
    }

    fn solve(mut self) -> Result<Vec<Id>, Error> {
        let (needs, roots) = (&self.needs, &self.roots);
        let answer = self.solver.solve(|solver| open(solver, needs, roots).err());
        match answer {
            Ok(()) => {}
            Err(Stop::TooHard) => {
                return Err(Error::Unsolvable {
                    lines: vec!["no choice was found in reasonable time".to_owned()],
                });
            }
            Err(Stop::Contradiction(rules)) => {
                return Err(Error::Unsolvable {
                    lines: self.explain(&rules),
                });
            }
        }
        let chosen = open(&self.solver, needs, roots).unwrap_or_default();
        Ok(chosen
            .into_iter()
            .map(|variable| self.all[variable as usize])
            .collect())
    }

    /// The contradiction, what is asked for first.
    fn explain(&self, rules: &[usize]) -> Vec<String> {
        let name = |id: &Id| {
            let row = self.universe.row(*id);
            format!("{} {}", row.package.name, row.version)
        };
        let mut lines = Vec::new();
        for rule in rules {
            lines.push(match &self.why[*rule] {
                Why::Wanted(text) => text.clone(),
                Why::Relation(id, field, text) => {
                    let is_alone = *field as usize <= Field::Depends as usize
                        && self.is_nowhere(*id, *field, text);
                    let lack = match is_alone {
                        true => format!(", which {} does not have", self.universe.suite),
                        false => String::new(),
                    };
                    format!("{} {} {}{lack}", name(id), field.verb(), text)
                }
            });
        }
        if lines.len() > LINES {
            lines.drain(LINES / 2..lines.len() - LINES / 2);
            lines.insert(LINES / 2, "…".to_owned());
        }
        lines.iter().map(|line| escape(line)).collect()
    }

    /// Whether nothing satisfies a relation.
    fn is_nowhere(&self, id: Id, field: Field, text: &str) -> bool {
        let groups = self.universe.relations(id, field);
        let mut same = groups.iter().filter(|group| shown(group) == *text);
        same.any(|group| {
            let mut all = group.iter();
            all.all(|one| self.universe.matches(one, None).is_empty())
        })
    }
}

/// What is chosen, from what is asked for downwards; or what is to be chosen
/// next.
fn open(
    solver: &Solver,
    needs: &[Vec<Vec<u32>>],
    roots: &[Vec<u32>],
) -> Result<BTreeSet<u32>, Literal> {
    let is = |variable: u32| solver.value(Literal::new(variable, true));
    let mut chosen = BTreeSet::new();
    // The next on the stack is the last.
    let mut stack: Vec<&[u32]> = roots.iter().rev().map(Vec::as_slice).collect();
    while let Some(group) = stack.pop() {
        // An alternative that comes anyhow is enough.
        if let Some(&there) = group.iter().find(|variable| is(**variable) == Some(true)) {
            if chosen.insert(there) {
                stack.extend(needs[there as usize].iter().rev().map(Vec::as_slice));
            }
            continue;
        }
        match group.iter().find(|variable| is(**variable).is_none()) {
            Some(&free) => return Err(Literal::new(free, true)),
            // Propagation would have seen it.
            None => continue,
        }
    }
    Ok(chosen)
}

/// A relation as it is written.
fn shown(group: &[Relation]) -> String {
    let all: Vec<String> = group.iter().map(Relation::to_string).collect();
    all.join(" | ")
}
