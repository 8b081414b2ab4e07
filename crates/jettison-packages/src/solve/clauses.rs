//! Chooses packages so that every rule holds: conflict-driven clause learning
//! (Marques-Silva & Sakallah 1996) over "this package, or that one". What is
//! chosen first is the caller's word, so the answer is the one that a person
//! expects of apt; what contradicts is learned, so a wrong choice far above is
//! found without trying everything below it.

/// A variable and whether it is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Literal(u32);

impl Literal {
    pub(super) fn new(variable: u32, is_true: bool) -> Self {
        Self(variable << 1 | u32::from(!is_true))
    }

    pub(super) fn variable(self) -> u32 {
        self.0 >> 1
    }

    pub(super) fn is_true(self) -> bool {
        self.0 & 1 == 0
    }

    fn denied(self) -> Self {
        Self(self.0 ^ 1)
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// These rules, by their numbers, cannot all hold.
    Contradiction(Vec<usize>),
    /// It was given up.
    TooHard,
}

/// Contradictions after which it is given up; archives need a few dozen.
const CONTRADICTIONS: usize = 20_000;

#[derive(Debug)]
struct Clause {
    literals: Vec<Literal>,
    /// The rules and learned clauses that it follows from; a rule from itself.
    from: Vec<usize>,
}

/// Rules over variables, and what is chosen so far.
#[derive(Debug, Default)]
pub(super) struct Solver {
    clauses: Vec<Clause>,
    rules: usize,
    watches: Vec<Vec<usize>>,
    values: Vec<Option<bool>>,
    levels: Vec<usize>,
    reasons: Vec<Option<usize>>,
    trail: Vec<Literal>,
    limits: Vec<usize>,
    next: usize,
    broken: Option<usize>,
}

impl Solver {
    pub(super) fn new(variables: usize) -> Self {
        Self {
            watches: vec![Vec::new(); variables * 2],
            values: vec![None; variables],
            levels: vec![0; variables],
            reasons: vec![None; variables],
            ..Self::default()
        }
    }

    /// Adds a rule: one of these holds. All rules come before [`Self::solve`].
    pub(super) fn rule(&mut self, mut literals: Vec<Literal>) -> usize {
        let mut seen = std::collections::HashSet::new();
        literals.retain(|literal| seen.insert(*literal));
        let index = self.add(literals, Vec::new());
        self.rules = index + 1;
        index
    }

    pub(super) fn value(&self, literal: Literal) -> Option<bool> {
        self.values[literal.variable() as usize].map(|value| value == literal.is_true())
    }

    /// Decides until `choose` has no more to ask for.
    pub(super) fn solve(
        &mut self,
        mut choose: impl FnMut(&Self) -> Option<Literal>,
    ) -> Result<(), Stop> {
        let mut contradictions = 0;
        loop {
            if let Some(clause) = self.propagate() {
                if self.limits.is_empty() {
                    return Err(Stop::Contradiction(self.explain(clause)));
                }
                contradictions += 1;
                if contradictions > CONTRADICTIONS {
                    return Err(Stop::TooHard);
                }
                self.learn(clause);
                continue;
            }
            match choose(self) {
                None => return Ok(()),
                Some(literal) => {
                    self.limits.push(self.trail.len());
                    self.set(literal, None);
                }
            }
        }
    }

    fn add(&mut self, literals: Vec<Literal>, from: Vec<usize>) -> usize {
        let index = self.clauses.len();
        match literals.as_slice() {
            [] => self.broken = Some(index),
            [only] => match self.value(*only) {
                None => self.set(*only, Some(index)),
                Some(true) => {}
                Some(false) => self.broken = Some(index),
            },
            [first, second, ..] => {
                for literal in [first, second] {
                    self.watches[literal.0 as usize].push(index);
                }
            }
        }
        self.clauses.push(Clause { literals, from });
        index
    }

    fn set(&mut self, literal: Literal, reason: Option<usize>) {
        let at = literal.variable() as usize;
        self.values[at] = Some(literal.is_true());
        self.levels[at] = self.limits.len();
        self.reasons[at] = reason;
        self.trail.push(literal);
    }

    /// Sets what must follow; a clause that cannot hold any more.
    fn propagate(&mut self) -> Option<usize> {
        if let Some(clause) = self.broken {
            return Some(clause);
        }
        while let Some(&set) = self.trail.get(self.next) {
            self.next += 1;
            let wrong = set.denied();
            let mut watching = std::mem::take(&mut self.watches[wrong.0 as usize]);
            let mut at = 0;
            while at < watching.len() {
                let index = watching[at];
                let mut literals = std::mem::take(&mut self.clauses[index].literals);
                if literals[0] == wrong {
                    literals.swap(0, 1);
                }
                let first = literals[0];
                let free = (2..literals.len())
                    .find(|&other| self.value(literals[other]) != Some(false))
                    .filter(|_| self.value(first) != Some(true));
                if let Some(other) = free {
                    literals.swap(1, other);
                    self.watches[literals[1].0 as usize].push(index);
                    watching.swap_remove(at);
                    self.clauses[index].literals = literals;
                    continue;
                }
                self.clauses[index].literals = literals;
                at += 1;
                match self.value(first) {
                    Some(true) => {}
                    None => self.set(first, Some(index)),
                    Some(false) => {
                        self.watches[wrong.0 as usize].append(&mut watching);
                        return Some(index);
                    }
                }
            }
            self.watches[wrong.0 as usize].append(&mut watching);
        }
        None
    }

    /// Learns from a contradiction (first unique implication point), and goes
    /// back to where the lesson says something new.
    fn learn(&mut self, clause: usize) {
        let level = self.limits.len();
        let mut seen = vec![false; self.values.len()];
        let mut from = vec![clause];
        let mut lesson = Vec::new();
        let mut open = 0;
        let mut literals = self.clauses[clause].literals.clone();
        let mut at = self.trail.len();
        let point = loop {
            for literal in literals.drain(..) {
                let variable = literal.variable() as usize;
                if std::mem::replace(&mut seen[variable], true) {
                    continue;
                }
                match self.levels[variable] {
                    same if same == level => open += 1,
                    // What holds in any case is part of the reasons all the same.
                    0 => from.extend(self.reasons[variable]),
                    _ => lesson.push(literal),
                }
            }
            let set = loop {
                at -= 1;
                let set = self.trail[at];
                if seen[set.variable() as usize] && self.levels[set.variable() as usize] == level {
                    break set;
                }
            };
            open -= 1;
            let variable = set.variable() as usize;
            match self.reasons[variable] {
                Some(reason) if open > 0 => {
                    from.push(reason);
                    literals = self.clauses[reason].literals.clone();
                    literals.retain(|literal| *literal != set);
                }
                _ => break set.denied(),
            }
        };
        let back = lesson
            .iter()
            .map(|literal| self.levels[literal.variable() as usize])
            .max()
            .unwrap_or(0);
        self.undo(back);
        // The second watch must be the one that is undone first.
        lesson.sort_by_key(|literal| std::cmp::Reverse(self.levels[literal.variable() as usize]));
        lesson.insert(0, point);
        let is_unit = lesson.len() == 1;
        let index = self.add(lesson, from);
        if !is_unit {
            self.set(point, Some(index));
        }
    }

    fn undo(&mut self, level: usize) {
        let Some(&keep) = self.limits.get(level) else {
            return;
        };
        for literal in self.trail.drain(keep..) {
            self.values[literal.variable() as usize] = None;
        }
        self.limits.truncate(level);
        self.next = self.trail.len();
    }

    /// The rules that a contradiction at the bottom rests on.
    fn explain(&self, clause: usize) -> Vec<usize> {
        let mut open = vec![clause];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(index) = open.pop() {
            if !seen.insert(index) {
                continue;
            }
            let clause = &self.clauses[index];
            open.extend(&clause.from);
            let variables = clause
                .literals
                .iter()
                .map(|literal| literal.variable() as usize);
            let set = variables.filter(|variable| self.values[*variable].is_some());
            open.extend(set.filter_map(|variable| self.reasons[variable]));
        }
        seen.into_iter()
            .filter(|index| *index < self.rules)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether any assignment makes all rules hold.
    fn can_hold(variables: u32, rules: &[Vec<(u32, bool)>]) -> bool {
        (0u32..1 << variables).any(|all| {
            rules.iter().all(|rule| {
                rule.iter()
                    .any(|(variable, is_true)| (all >> variable & 1 == 1) == *is_true)
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn as_trying_everything(
            rules in prop::collection::vec(
                prop::collection::vec((0u32..8, any::<bool>()), 1..4), 0..40,
            ),
        ) {
            let mut solver = Solver::new(8);
            for rule in &rules {
                solver.rule(rule.iter().map(|(v, t)| Literal::new(*v, *t)).collect());
            }
            let answer = solver.solve(|solver| {
                let mut all = (0..8).map(|variable| Literal::new(variable, true));
                all.find(|literal| solver.value(*literal).is_none())
            });
            match answer {
                Ok(()) => {
                    for rule in &rules {
                        let holds = rule.iter().any(|(v, t)| solver.value(Literal::new(*v, *t)) == Some(true));
                        prop_assert!(holds);
                    }
                }
                Err(Stop::Contradiction(named)) => {
                    prop_assert!(!can_hold(8, &rules));
                    // What is named contradicts itself without the rest.
                    let named: Vec<_> = named.iter().map(|index| rules[*index].clone()).collect();
                    prop_assert!(!can_hold(8, &named), "{named:?}");
                }
                Err(Stop::TooHard) => prop_assert!(false),
            }
        }
    }
}
