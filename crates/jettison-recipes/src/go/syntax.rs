//! As much of Go's syntax as tells what a file is: its build constraints, its
//! package, its imports and its package-level string variables. It reads any
//! text; what it does not understand it passes over.

use crate::tokens::{Located, Token};

/// `// +build` lines of one file; honest ones have three.
const OLDER_LINES: usize = 64;

/// What the top of a Go file, and its package-level `var`s, say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GoFile {
    pub(super) package: String,
    pub(super) imports: Vec<String>,
    /// `//go:build` expression.
    pub(super) constraint: Option<String>,
    /// Package-level variables that the linker's `-X` can set: strings
    /// without an initialiser or with a literal one.
    pub(super) string_variables: Vec<String>,
}

/// Cuts a Go text into tokens; comments go, except that they hold newlines.
pub(crate) fn tokens(text: &str) -> Vec<Located> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\n' => {
                tokens.push((Token::Newline, line));
                1
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            '"' => {
                let (value, length) = quoted(rest);
                tokens.push((Token::Text(value), line));
                length
            }
            '`' => {
                let (value, length) = match rest[1..].find('`') {
                    Some(end) => (&rest[1..=end], end + 2),
                    None => (&rest[1..], rest.len()),
                };
                tokens.push((Token::Text(value.to_owned()), line));
                length
            }
            '\'' => rune_length(rest),
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                tokens.push((Token::Word(rest[..end].to_owned()), line));
                end
            }
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                tokens.push((Token::Symbol(c), line));
                c.len_utf8()
            }
        };
        let (passed, after) = rest.split_at(length);
        line += u32::try_from(passed.matches('\n').count()).unwrap_or(0);
        rest = after;
    }
    tokens
}

/// An interpreted string literal: its value (simple escapes resolved) and its length.
fn quoted(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, at + 1),
            '\n' => return (value, at),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            c => value.push(c),
        }
    }
    (value, text.len())
}

fn rune_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\'' => return at + 1,
            '\n' => return at,
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
    text.len()
}

impl GoFile {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Self {
        // The compiler passes over a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut file = Self {
            constraint: constraint(text),
            ..Self::default()
        };
        let tokens = tokens(text);
        let mut at = 0;
        let mut depth = 0_u32;
        let mut starts_line = true;
        while let Some((token, _)) = tokens.get(at) {
            at += 1;
            match token {
                Token::Newline => {
                    starts_line = true;
                    continue;
                }
                Token::Symbol('{' | '(' | '[') => depth += 1,
                Token::Symbol('}' | ')' | ']') => depth = depth.saturating_sub(1),
                Token::Word(word) if depth == 0 && starts_line => match word.as_str() {
                    "package" if file.package.is_empty() => {
                        if let Some((Token::Word(name), _)) = tokens.get(at) {
                            file.package.clone_from(name);
                        }
                    }
                    "import" => {
                        let (statements, after) = group(&tokens, at);
                        at = after;
                        file.imports.extend(statements.iter().flat_map(|statement| {
                            statement.iter().find_map(|token| match token {
                                Token::Text(path) => Some(path.clone()),
                                _ => None,
                            })
                        }));
                    }
                    "var" => {
                        let (statements, after) = group(&tokens, at);
                        at = after;
                        file.string_variables
                            .extend(statements.iter().filter_map(|s| string_variable(s)));
                    }
                    _ => {}
                },
                _ => {}
            }
            starts_line = false;
        }
        file
    }

    /// True when the linker may set this variable.
    pub(super) fn declares(&self, variable: &str) -> bool {
        self.string_variables.iter().any(|name| name == variable)
    }
}

/// The statements after `import` or `var`: one, or those in parentheses.
/// Nested brackets belong to their statement.
fn group(tokens: &[Located], mut at: usize) -> (Vec<Vec<Token>>, usize) {
    let grouped = matches!(tokens.get(at), Some((Token::Symbol('('), _)));
    if grouped {
        at += 1;
    }
    let mut statements = vec![Vec::new()];
    let mut depth = 0_u32;
    while let Some((token, _)) = tokens.get(at) {
        match token {
            Token::Symbol(')') if depth == 0 && grouped => return (statements, at + 1),
            Token::Symbol('{' | '(' | '[') => depth += 1,
            Token::Symbol('}' | ')' | ']') => depth = depth.saturating_sub(1),
            Token::Newline | Token::Symbol(';') if depth == 0 => {
                if !grouped {
                    return (statements, at);
                }
                statements.push(Vec::new());
                at += 1;
                continue;
            }
            _ => {}
        }
        if let Some(last) = statements.last_mut() {
            last.push(token.clone());
        }
        at += 1;
    }
    (statements, at)
}

/// `name string`, `name = "…"` or `name string = "…"`.
fn string_variable(statement: &[Token]) -> Option<String> {
    let Token::Word(name) = statement.first()? else {
        return None;
    };
    let is_string = |token: &Token| matches!(token, Token::Word(word) if word == "string");
    let rest = match &statement[1..] {
        [kind, rest @ ..] if is_string(kind) => {
            if rest.is_empty() {
                return Some(name.clone());
            }
            rest
        }
        rest => rest,
    };
    matches!(rest, [Token::Symbol('='), Token::Text(_)]).then(|| name.clone())
}

/// The `//go:build` line, which stands before the package clause; without one,
/// what the older `// +build` lines say, all of which have to hold.
fn constraint(text: &str) -> Option<String> {
    let mut in_comment = false;
    let mut older: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if in_comment {
            in_comment = !line.contains("*/");
            continue;
        }
        if let Some(expression) = line.strip_prefix("//go:build")
            && expression.starts_with([' ', '\t'])
        {
            return Some(expression.trim().to_owned());
        }
        let words = line.strip_prefix("//").map(str::trim_start);
        if let Some(options) = words.and_then(|words| words.strip_prefix("+build "))
            && older.len() < OLDER_LINES
        {
            // Blanks are "or", commas "and".
            let options: Vec<String> = options
                .split_whitespace()
                .map(|terms| terms.split(',').collect::<Vec<_>>().join(" && "))
                .collect();
            older.push(format!("({})", options.join(" || ")));
        }
        if line.starts_with("/*") {
            in_comment = !line.contains("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            break;
        }
    }
    (!older.is_empty()).then(|| older.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_file_is_read() {
        let file = GoFile::parse(concat!(
            "// Copyright\n/* package wrong */\n\n//go:build linux && !cgo\n\npackage main // here\n\n",
            "import \"fmt\"\nimport (\n\tx \"a/b\" // why\n\t_ `c`\n)\n",
            "var version = \"dev\"\nvar (\n\tcommit string\n\tDate string = \"\"\n\tn = 3\n\tcomputed = f(\"x\")\n)\n",
            "func main() {\n\tvar local = \"no\"\n\tfmt.Println('\"', `import \"no\"`)\n}\n",
        ));
        assert_eq!(file.package, "main");
        assert_eq!(file.imports, ["fmt", "a/b", "c"]);
        assert_eq!(file.constraint.as_deref(), Some("linux && !cgo"));
        assert_eq!(file.string_variables, ["version", "commit", "Date"]);
    }

    #[test]
    fn unfinished_texts_are_passed_over() {
        for text in [
            "",
            "\"",
            "`",
            "'",
            "/*",
            "package",
            "import (",
            "var (",
            "import \"\\",
            "é'\\",
            "var x = {",
            "`\n",
            "`é",
            "`x\u{fffd}",
            "/*/",
        ] {
            GoFile::parse(text);
        }
    }

    #[test]
    fn heads_that_are_written_otherwise() {
        let check = |text: &str, package: &str, constraint: Option<&str>| {
            let file = GoFile::parse(text);
            assert_eq!(file.package, package, "{text:?}");
            assert_eq!(file.constraint.as_deref(), constraint, "{text:?}");
        };
        check("\u{feff}package main\n", "main", None);
        check("/*/ x */ package main\n", "main", None);
        check(
            "//go:build\tignore\n\npackage main\n",
            "main",
            Some("ignore"),
        );
        check(
            "// +build linux,!cgo darwin\n//+build ignore\n\npackage main\n",
            "main",
            Some("(linux && !cgo || darwin) && (ignore)"),
        );
        check(
            "//go:build linux\n// +build windows\n\npackage main\n",
            "main",
            Some("linux"),
        );
    }

    #[test]
    fn tokens_know_their_lines() {
        let found: Vec<u32> = tokens("a\n/* \n\n */ \"x\" `r\n` b")
            .into_iter()
            .filter(|(token, _)| *token != Token::Newline)
            .map(|(_, line)| line)
            .collect();
        assert_eq!(found, [1, 4, 4, 5]);
    }
}
