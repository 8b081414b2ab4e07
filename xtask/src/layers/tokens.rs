//! Rust source as a list of facts that the rules judge: paths, macro calls and keywords, with their lines, and whether they
//! are compiled into tests only. It reads tokens, so comments and texts never count; it resolves no names.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One thing a source file mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// `a::b::c`; a brace group of a `use` is spelled out.
    pub path: Vec<String>,
    /// Whether a `!` follows, as in `println!`.
    pub is_macro: bool,
    pub line: usize,
    pub test_only: bool,
}

/// Words after which a path begins anew, as in `use ::std::fs`.
const KEYWORDS: &[&str] = &[
    "as", "dyn", "else", "for", "if", "impl", "in", "match", "mut", "pub", "ref", "return",
    "unsafe", "use", "where",
];

/// What a source file holds.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub mentions: Vec<Mention>,
    /// Names of modules in files of their own that only tests compile.
    pub test_modules: Vec<String>,
    /// The file says of itself that only tests compile it.
    pub test_only: bool,
}

/// Reads a file; the error is the lexer's.
pub(crate) fn read(text: &str) -> Result<Source, String> {
    let stream = TokenStream::from_str(text).map_err(|error| error.to_string())?;
    let mut source = Source::default();
    walk(stream, false, &mut source);
    Ok(source)
}

fn walk(stream: TokenStream, test_only: bool, source: &mut Source) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    // Whether an attribute has said that the item now read is for tests.
    let mut item_is_test = false;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                match (tokens.get(at + 1), tokens.get(at + 2)) {
                    (Some(TokenTree::Group(attribute)), _) => {
                        item_is_test |= is_test_attribute(attribute);
                        at += 1;
                    }
                    (Some(TokenTree::Punct(bang)), Some(TokenTree::Group(attribute)))
                        if bang.as_char() == '!' && is_test_attribute(attribute) =>
                    {
                        source.test_only = true;
                        at += 2;
                    }
                    _ => {}
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => item_is_test = false,
            TokenTree::Ident(ident) => {
                if *ident == "mod"
                    && item_is_test
                    && let Some(TokenTree::Ident(name)) = tokens.get(at + 1)
                    && matches!(tokens.get(at + 2), Some(TokenTree::Punct(end)) if end.as_char() == ';')
                {
                    source.test_modules.push(name.to_string());
                }
                at = read_path(&tokens, at, Vec::new(), test_only || item_is_test, source);
                continue;
            }
            TokenTree::Group(group) => {
                walk(group.stream(), test_only || item_is_test, source);
                if group.delimiter() == Delimiter::Brace {
                    item_is_test = false;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads the path that begins at `at` and answers where it ends.
fn read_path(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Vec<String>,
    test_only: bool,
    source: &mut Source,
) -> usize {
    let line = tokens.get(at).map_or(0, |token| token.span().start().line);
    let mut complete = false;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => {
                path.push(ident.to_string());
                at += 1;
                if KEYWORDS.iter().any(|keyword| ident == keyword) {
                    complete = true;
                    source.mentions.push(Mention {
                        path: path.clone(),
                        is_macro: false,
                        line,
                        test_only,
                    });
                }
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                read_use_group(group, &path, test_only, source);
                at += 1;
                complete = true;
            }
            _ => break,
        }
        let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        if complete || !(is_colon(at) && is_colon(at + 1)) {
            break;
        }
        at += 2;
    }
    if !complete {
        let is_macro = matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == '!')
            && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
        source.mentions.push(Mention {
            path,
            is_macro,
            line,
            test_only,
        });
    }
    at
}

fn read_use_group(group: &Group, prefix: &[String], test_only: bool, source: &mut Source) {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        at = match &tokens[at] {
            TokenTree::Ident(_) => read_path(&tokens, at, prefix.to_vec(), test_only, source),
            _ => at + 1,
        };
        // Past `as name` and whatever else stands before the next comma.
        while at < tokens.len()
            && !matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == ',')
        {
            at += 1;
        }
        at += 1;
    }
}

/// `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`; not `#[cfg(not(test))]`.
fn is_test_attribute(attribute: &Group) -> bool {
    let words = words_of(attribute.stream());
    match words.first().map(String::as_str) {
        Some("test") => words.len() == 1,
        Some("cfg") => {
            words.iter().any(|word| word == "test")
                && !words.iter().any(|word| word == "not" || word == "any")
        }
        _ => false,
    }
}

fn words_of(stream: TokenStream) -> Vec<String> {
    stream
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) => vec![ident.to_string()],
            TokenTree::Group(group) => words_of(group.stream()),
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    /// The mentions with more than one segment, as `line path`, `!` after macros and `t` after test code.
    fn check(text: &str, expected: &[&str]) {
        let mentions: Vec<String> = read(text)
            .expect("lexes")
            .mentions
            .iter()
            .filter(|mention| mention.path.len() > 1 || mention.is_macro)
            .map(|mention| {
                let bang = if mention.is_macro { "!" } else { "" };
                let test = if mention.test_only { " t" } else { "" };
                format!("{} {}{bang}{test}", mention.line, mention.path.join("::"))
            })
            .collect();
        assert_eq!(mentions, expected);
    }

    #[test]
    fn paths_and_use_groups() {
        check(
            "use std::fs;\nuse ::std::io::Read as _;",
            &["1 std::fs", "2 std::io::Read"],
        );
        check(
            "use std::{fs as f, io::{self, Read}, *};",
            &["1 std::fs", "1 std::io::self", "1 std::io::Read"],
        );
        check(
            "fn f() { let x = std::time::Instant::now(); }",
            &["1 std::time::Instant::now"],
        );
    }

    #[test]
    fn comments_and_texts_do_not_count() {
        check(
            "//! std::fs\n/* std::net */ const A: &str = \"std::env\"; // std::process",
            &[],
        );
        check(
            "const A: &str = r#\"println!()\"#; const B: char = '\"';",
            &[],
        );
    }

    #[test]
    fn macros() {
        check(
            "fn f() { println!(\"{}\", std::env::args().count()); a != b }",
            &["1 println!", "1 std::env::args"],
        );
    }

    #[test]
    fn test_code_is_told_apart() {
        check(
            "#[cfg(test)]\nmod tests { use std::fs; }\nuse std::env;",
            &["2 std::fs t", "3 std::env"],
        );
        check(
            "#[test] fn t() { std::fs::read(p); } fn f() { std::net::x(); }",
            &["1 std::fs::read t", "1 std::net::x"],
        );
        check(
            "#[cfg(not(test))] fn f() { std::fs::read(p); }",
            &["1 std::fs::read"],
        );
        check(
            "#[cfg(test)] #[allow(x)] use std::fs; use std::net;",
            &["1 std::fs t", "1 std::net"],
        );
    }

    #[test]
    fn test_modules_in_files_of_their_own() {
        let source =
            read("mod a; #[cfg(test)] mod tests; #[cfg(test)] mod inline {}").expect("lexes");
        assert_eq!(source.test_modules, ["tests"]);
        assert!(read("#![cfg(test)] use std::fs;").expect("lexes").test_only);
    }

    #[test]
    fn what_does_not_lex_is_said() {
        assert!(read("fn f( {").is_err());
    }
}
