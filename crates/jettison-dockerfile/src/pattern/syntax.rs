//! Reads the regular expressions that a `.dockerignore` pattern turns into. Go's `regexp` syntax (RE2, Perl flags),
//! as much of it as can be reached from there: literals, classes, repetition, alternation, one kind of group,
//! escapes. Named Unicode classes other than the general categories are refused.

use super::classes::{category_ranges, complement, perl_class, posix_ranges};
use super::{BadPattern, MAX_STATES, Machine, State};

/// Largest repetition count that Go accepts.
const MAX_REPEAT: usize = 1000;

/// Compiles an expression.
pub(crate) fn compile(expression: &str) -> Result<Machine, BadPattern> {
    let mut parser = Parser {
        rest: expression.chars().collect(),
        at: 0,
        depth: 0,
    };
    let tree = parser.alternatives()?;
    if parser.at < parser.rest.len() {
        return Err(BadPattern);
    }
    let mut states = Vec::new();
    emit(&tree, &mut states)?;
    states.push(State::Match);
    Ok(Machine::new(states))
}

#[derive(Debug, Clone)]
enum Tree {
    One(State),
    Sequence(Vec<Tree>),
    Either(Vec<Tree>),
    Repeat {
        inner: Box<Tree>,
        least: usize,
        most: Option<usize>,
        greedy: bool,
    },
}

impl Tree {
    /// Go bounds the product of nested counts by 1000 as well.
    fn repeat_weight(&self) -> usize {
        match self {
            Tree::One(_) => 1,
            Tree::Sequence(parts) | Tree::Either(parts) => {
                parts.iter().map(Tree::repeat_weight).max().unwrap_or(1)
            }
            Tree::Repeat {
                inner, least, most, ..
            } => {
                let count = most.unwrap_or(*least).max(1);
                inner.repeat_weight().saturating_mul(count)
            }
        }
    }
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let hit = self.peek() == Some(wanted);
        self.at += usize::from(hit);
        hit
    }

    fn alternatives(&mut self) -> Result<Tree, BadPattern> {
        let mut branches = vec![self.sequence()?];
        while self.eat('|') {
            branches.push(self.sequence()?);
        }
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Tree::Either(branches),
        })
    }

    fn sequence(&mut self) -> Result<Tree, BadPattern> {
        let mut parts: Vec<Tree> = Vec::new();
        let mut just_repeated = false;
        while let Some(character) = self.peek() {
            let repeat = match character {
                '|' => break,
                ')' if self.depth > 0 => break,
                '*' | '+' | '?' => {
                    self.at += 1;
                    Some(match character {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    })
                }
                '{' => self.counts()?,
                _ => None,
            };
            match repeat {
                Some((least, most)) => {
                    // Perl syntax does not stack repetition operators.
                    if just_repeated {
                        return Err(BadPattern);
                    }
                    let greedy = !self.eat('?');
                    let inner = parts.pop().ok_or(BadPattern)?;
                    let counted = character == '{';
                    let tree = Tree::Repeat {
                        inner: Box::new(inner),
                        least,
                        most,
                        greedy,
                    };
                    if counted && tree.repeat_weight() > MAX_REPEAT {
                        return Err(BadPattern);
                    }
                    parts.push(tree);
                    just_repeated = true;
                }
                None => {
                    just_repeated = false;
                    self.atom(&mut parts)?;
                }
            }
        }
        Ok(Tree::Sequence(parts))
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else after `{` is literal text.
    fn counts(&mut self) -> Result<Option<(usize, Option<usize>)>, BadPattern> {
        let start = self.at;
        self.at += 1;
        let parsed = self.count_bounds();
        if parsed.is_none() {
            self.at = start;
            return Ok(None);
        }
        match parsed {
            Some((least, most))
                if least <= MAX_REPEAT
                    && most.is_none_or(|most| most <= MAX_REPEAT && least <= most) =>
            {
                Ok(Some((least, most)))
            }
            _ => Err(BadPattern),
        }
    }

    fn count_bounds(&mut self) -> Option<(usize, Option<usize>)> {
        let least = self.number()?;
        let most = if self.eat(',') {
            if self.peek() == Some('}') {
                None
            } else {
                Some(self.number()?)
            }
        } else {
            Some(least)
        };
        self.eat('}').then_some((least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut value = 0_usize;
        while let Some(digit) = self.peek().and_then(|character| character.to_digit(10)) {
            // Anything past the bound is refused by the caller; saturating keeps it past.
            value = value.saturating_mul(10).saturating_add(digit as usize);
            self.at += 1;
        }
        let digits = self.at - start;
        // Go refuses leading zeros here and then takes the brace literally.
        (digits > 0 && !(digits > 1 && self.rest[start] == '0')).then_some(value)
    }

    fn atom(&mut self, parts: &mut Vec<Tree>) -> Result<(), BadPattern> {
        let state = match self.next().ok_or(BadPattern)? {
            '^' => State::Start,
            '$' => State::End,
            '.' => State::Any,
            '(' => {
                self.depth += 1;
                let inner = self.alternatives()?;
                self.depth -= 1;
                if !self.eat(')') {
                    return Err(BadPattern);
                }
                parts.push(inner);
                return Ok(());
            }
            ')' => return Err(BadPattern),
            '[' => self.class()?,
            '\\' => return self.escape(parts),
            other => State::Char(other),
        };
        parts.push(Tree::One(state));
        Ok(())
    }

    fn escape(&mut self, parts: &mut Vec<Tree>) -> Result<(), BadPattern> {
        match self.peek().ok_or(BadPattern)? {
            'Q' => {
                self.at += 1;
                while let Some(character) = self.next() {
                    if character == '\\' && self.eat('E') {
                        break;
                    }
                    parts.push(Tree::One(State::Char(character)));
                }
                return Ok(());
            }
            'A' => parts.push(Tree::One(State::Start)),
            'z' => parts.push(Tree::One(State::End)),
            'b' => parts.push(Tree::One(State::Boundary(true))),
            'B' => parts.push(Tree::One(State::Boundary(false))),
            'C' => return Err(BadPattern),
            _ => {
                let state = match self.class_escape()? {
                    Some((ranges, negated)) => State::Class { ranges, negated },
                    None => State::Char(self.escaped_character()?),
                };
                parts.push(Tree::One(state));
                return Ok(());
            }
        }
        self.at += 1;
        Ok(())
    }

    /// `\d`, `\s`, `\w`, `\pL`, `\p{Lu}` and their opposites.
    fn class_escape(&mut self) -> Result<Option<Class>, BadPattern> {
        let Some(letter) = self.peek() else {
            return Ok(None);
        };
        if matches!(letter, 'p' | 'P') {
            self.at += 1;
            return self.category(letter == 'P').map(Some);
        }
        let Some(ranges) = perl_class(letter.to_ascii_lowercase()) else {
            return Ok(None);
        };
        self.at += 1;
        Ok(Some((ranges, letter.is_ascii_uppercase())))
    }

    fn category(&mut self, mut negated: bool) -> Result<Class, BadPattern> {
        let mut name = String::new();
        match self.next().ok_or(BadPattern)? {
            '{' => loop {
                match self.next().ok_or(BadPattern)? {
                    '}' => break,
                    character => name.push(character),
                }
            },
            character => name.push(character),
        }
        if let Some(rest) = name.strip_prefix('^') {
            negated = !negated;
            name = rest.to_owned();
        }
        let ranges = category_ranges(&name).ok_or(BadPattern)?;
        Ok((ranges, negated))
    }

    fn escaped_character(&mut self) -> Result<char, BadPattern> {
        let character = self.next().ok_or(BadPattern)?;
        let value = match character {
            '1'..='7' if !matches!(self.peek(), Some('0'..='7')) => return Err(BadPattern),
            '0'..='7' => {
                let mut value = character.to_digit(8).ok_or(BadPattern)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else {
                        break;
                    };
                    value = value * 8 + digit;
                    self.at += 1;
                }
                value
            }
            'x' => self.hexadecimal()?,
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => {
                return Ok(punctuation);
            }
            _ => return Err(BadPattern),
        };
        char::from_u32(value).ok_or(BadPattern)
    }

    fn hexadecimal(&mut self) -> Result<u32, BadPattern> {
        if self.eat('{') {
            let mut value = 0_u32;
            let mut digits = 0;
            loop {
                let character = self.next().ok_or(BadPattern)?;
                if character == '}' && digits > 0 {
                    return Ok(value);
                }
                value = value * 16 + character.to_digit(16).ok_or(BadPattern)?;
                digits += 1;
                if value > 0x10_FFFF {
                    return Err(BadPattern);
                }
            }
        }
        let mut value = 0;
        for _ in 0..2 {
            value = value * 16
                + self
                    .next()
                    .and_then(|next| next.to_digit(16))
                    .ok_or(BadPattern)?;
        }
        Ok(value)
    }

    fn class(&mut self) -> Result<State, BadPattern> {
        let negated = self.eat('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        while first || self.peek().ok_or(BadPattern)? != ']' {
            let character = self.peek().ok_or(BadPattern)?;
            // A hyphen stands for itself only at either end; Perl syntax is as lenient as that.
            if character == '['
                && self.rest.get(self.at + 1) == Some(&':')
                && let Some(named) = self.posix_class()?
            {
                ranges.extend(named);
                first = false;
                continue;
            }
            if character == '\\'
                && self
                    .rest
                    .get(self.at + 1)
                    .is_some_and(|next| "dswDSWpP".contains(*next))
            {
                self.at += 1;
                if let Some((members, outside)) = self.class_escape()? {
                    ranges.extend(if outside {
                        complement(members)
                    } else {
                        members
                    });
                    first = false;
                    continue;
                }
            }
            let low = self.class_character()?;
            let is_range = self.peek() == Some('-')
                && self.rest.get(self.at + 1).is_some_and(|next| *next != ']');
            let high = if is_range {
                self.at += 1;
                self.class_character()?
            } else {
                low
            };
            if high < low {
                return Err(BadPattern);
            }
            ranges.push((low, high));
            first = false;
        }
        self.at += 1;
        Ok(State::Class { ranges, negated })
    }

    fn class_character(&mut self) -> Result<char, BadPattern> {
        match self.next().ok_or(BadPattern)? {
            '\\' => self.escaped_character(),
            other => Ok(other),
        }
    }

    fn posix_class(&mut self) -> Result<Option<Vec<(char, char)>>, BadPattern> {
        let tail: String = self.rest[self.at + 2..].iter().collect();
        let Some(end) = tail.find(":]") else {
            return Ok(None);
        };
        let name = &tail[..end];
        let (name, outside) = name
            .strip_prefix('^')
            .map_or((name, false), |rest| (rest, true));
        let ranges = posix_ranges(name).ok_or(BadPattern)?;
        self.at += 2 + tail[..end].chars().count() + 2;
        Ok(Some(if outside { complement(ranges) } else { ranges }))
    }
}

type Class = (Vec<(char, char)>, bool);

fn emit(tree: &Tree, states: &mut Vec<State>) -> Result<(), BadPattern> {
    if states.len() > MAX_STATES {
        return Err(BadPattern);
    }
    match tree {
        Tree::One(state) => states.push(state.clone()),
        Tree::Sequence(parts) => {
            for part in parts {
                emit(part, states)?;
            }
        }
        Tree::Either(branches) => {
            let mut ends = Vec::new();
            for (index, branch) in branches.iter().enumerate() {
                if index + 1 == branches.len() {
                    emit(branch, states)?;
                    break;
                }
                let split = states.len();
                states.push(State::Split(split + 1, 0));
                emit(branch, states)?;
                ends.push(states.len());
                states.push(State::Jump(0));
                let here = states.len();
                states[split] = State::Split(split + 1, here);
            }
            let end = states.len();
            for jump in ends {
                states[jump] = State::Jump(end);
            }
        }
        Tree::Repeat {
            inner,
            least,
            most,
            greedy,
        } => {
            for _ in 0..*least {
                emit(inner, states)?;
            }
            let split_at = |states: &mut Vec<State>, at: usize, to: usize| {
                states[at] = if *greedy {
                    State::Split(at + 1, to)
                } else {
                    State::Split(to, at + 1)
                };
            };
            match most {
                None => {
                    let split = states.len();
                    states.push(State::Jump(0));
                    emit(inner, states)?;
                    states.push(State::Jump(split));
                    let end = states.len();
                    split_at(states, split, end);
                }
                Some(most) => {
                    let mut splits = Vec::new();
                    for _ in *least..*most {
                        splits.push(states.len());
                        states.push(State::Jump(0));
                        emit(inner, states)?;
                    }
                    let end = states.len();
                    for split in splits {
                        split_at(states, split, end);
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, text: &str, expected: Option<(usize, usize)>) {
        let machine =
            compile(expression).unwrap_or_else(|_| panic!("{expression} does not compile"));
        assert_eq!(
            machine.find(text.as_bytes(), 0),
            expected,
            "{expression} on {text:?}"
        );
    }

    #[test]
    fn leftmost_and_preferred() {
        check("b|bc", "abc", Some((1, 2)));
        check("b.*c", "abcbc", Some((1, 5)));
        check("b.*?c", "abcbc", Some((1, 3)));
        check("a{2,3}", "aaaa", Some((0, 3)));
        check("a{,3}", "a{,3}", Some((0, 5)));
        check("^x?$", "", Some((0, 0)));
        check("[^/]*/x", "ab/x", Some((0, 4)));
        check(r"\Qa.b\Ec", "a.bc", Some((0, 4)));
        check(r"\bfoo\B", "a foox", Some((2, 5)));
        check("[[:digit:]\\w-]+", "--a9 ", Some((0, 4)));
        check("[]a]", "]", Some((0, 1)));
        check("$", "ab", Some((2, 2)));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in [
            "a**",
            "[a",
            "[b-a]",
            r"\1",
            r"\y",
            "a{2}{3}",
            "a{1001}",
            "(a",
            "[[:nope:]]",
            r"\",
            "*a",
            r"\C",
        ] {
            assert_eq!(compile(bad).err(), Some(BadPattern), "{bad}");
        }
    }

    #[test]
    fn time_is_bounded_where_backtracking_is_not() {
        let machine = compile("^(a*)*b$").or_else(|_| compile("^a*a*a*a*a*a*a*a*a*b$"));
        assert!(machine.is_ok_and(|machine| !machine.is_match(&[b'a'; 2000])));
    }
}
