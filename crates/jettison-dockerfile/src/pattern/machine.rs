//! The machine: states, and a run over the text that keeps a list of threads in order of preference.

use crate::text;

/// One state of the machine; numbers are indices of states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Exactly this character.
    Char(char),
    /// Any character but a line feed.
    Any,
    /// A character inside (or, negated, outside) the ranges.
    Class {
        /// Inclusive ranges.
        ranges: Vec<(char, char)>,
        /// Match what is outside.
        negated: bool,
    },
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// A place that is (or is not) between a word character and something else.
    Boundary(bool),
    /// Go on at both, the first preferred.
    Split(usize, usize),
    /// Go on there.
    Jump(usize),
    /// Done.
    Match,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    states: Vec<State>,
}

impl Machine {
    pub(crate) fn new(states: Vec<State>) -> Self {
        Self { states }
    }

    /// Finds the leftmost match, and of those that start there the preferred one; byte offsets.
    pub(crate) fn find(&self, input: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut current = Threads::new(self.states.len());
        let mut next = Threads::new(self.states.len());
        let mut found: Option<(usize, usize)> = None;
        let mut offset = from.min(input.len());
        let anchored = self.states.first() == Some(&State::Start);
        loop {
            if found.is_none() {
                self.follow(&mut current, 0, offset, input, offset);
            }
            if current.list.is_empty() && (found.is_some() || anchored) {
                return found;
            }
            let (character, width) = text::decode(&input[offset..]);
            next.clear();
            for index in 0..current.list.len() {
                let (state, start) = current.list[index];
                if self.states[state] == State::Match {
                    found = Some((start, offset));
                    break;
                }
                if width > 0 && self.accepts(state, character) {
                    self.follow(&mut next, state + 1, start, input, offset + width);
                }
            }
            if width == 0 {
                return found;
            }
            std::mem::swap(&mut current, &mut next);
            offset += width;
        }
    }

    /// Says whether the pattern occurs in the text.
    pub(crate) fn is_match(&self, input: &[u8]) -> bool {
        self.find(input, 0).is_some()
    }

    fn accepts(&self, state: usize, character: char) -> bool {
        match &self.states[state] {
            State::Char(wanted) => *wanted == character,
            State::Any => character != '\n',
            State::Class { ranges, negated } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&character))
                    != *negated
            }
            _ => false,
        }
    }

    fn follow(
        &self,
        threads: &mut Threads,
        state: usize,
        start: usize,
        input: &[u8],
        offset: usize,
    ) {
        threads.stack.push(state);
        while let Some(state) = threads.stack.pop() {
            if std::mem::replace(&mut threads.seen[state], true) {
                continue;
            }
            match &self.states[state] {
                State::Jump(to) => threads.stack.push(*to),
                State::Split(first, second) => threads.stack.extend([*second, *first]),
                State::Start if offset == 0 => threads.stack.push(state + 1),
                State::End if offset == input.len() => threads.stack.push(state + 1),
                State::Boundary(wanted) if is_boundary(input, offset) == *wanted => {
                    threads.stack.push(state + 1)
                }
                State::Start | State::End | State::Boundary(_) => {}
                _ => threads.list.push((state, start)),
            }
        }
    }
}

struct Threads {
    list: Vec<(usize, usize)>,
    seen: Vec<bool>,
    stack: Vec<usize>,
}

impl Threads {
    fn new(states: usize) -> Self {
        Self {
            list: Vec::new(),
            seen: vec![false; states],
            stack: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen.fill(false);
    }
}

fn is_boundary(input: &[u8], offset: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = offset
        .checked_sub(1)
        .and_then(|at| input.get(at))
        .is_some_and(is_word);
    before != input.get(offset).is_some_and(is_word)
}
