//! What both languages' texts are cut into: enough to find the string
//! literals and who they are handed to.

/// One token. Comments are gone, and so are characters and numbers' meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier, a keyword or a number.
    Word(String),
    /// A string literal's value.
    Text(String),
    /// The end of a line.
    Newline,
    /// Anything else, one character.
    Symbol(char),
}

/// A token and the line it begins on.
pub(crate) type Located = (Token, u32);

/// A string literal and what it is handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) value: String,
    pub(crate) line: u32,
    /// The innermost function, macro (`name!`), attribute (`#`) or field that it stands in.
    pub(crate) recipient: String,
}

/// Brackets open at once; deeper ones are taken as one.
const DEPTH: usize = 512;

/// The string literals of a text.
pub(crate) fn literals(tokens: &[Located]) -> Vec<Literal> {
    let tokens: Vec<&Located> = tokens
        .iter()
        .filter(|(token, _)| *token != Token::Newline)
        .collect();
    let mut literals = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for (at, (token, line)) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map(|at| &tokens[at].0);
        match token {
            Token::Symbol('(' | '[' | '{') => {
                let name = match (before(1), before(2)) {
                    (Some(Token::Word(name)), _) => name.clone(),
                    (Some(Token::Symbol('!')), Some(Token::Word(name))) => format!("{name}!"),
                    (Some(Token::Symbol('#')), _)
                    | (Some(Token::Symbol('!')), Some(Token::Symbol('#'))) => "#".into(),
                    _ => String::new(),
                };
                if open.len() < DEPTH {
                    open.push(name);
                }
            }
            Token::Symbol(')' | ']' | '}') => drop(open.pop()),
            Token::Text(value) => {
                let field = match (before(1), before(2)) {
                    (Some(Token::Symbol(':')), Some(Token::Word(name))) => Some(name.clone()),
                    _ => None,
                };
                let attribute = open.iter().find(|name| *name == "#").cloned();
                let around = || open.iter().rev().find(|name| !name.is_empty()).cloned();
                literals.push(Literal {
                    value: value.clone(),
                    line: *line,
                    recipient: attribute.or(field).or_else(around).unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    literals
}
