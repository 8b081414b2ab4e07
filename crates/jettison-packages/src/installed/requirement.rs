//! Requirements of Python distributions (PEP 508): the name, and whether the
//! environment marker can hold on Linux. What a marker asks beyond the platform
//! is taken to hold.

/// What `Requires-Dist` or a line of `requires.txt` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requirement<'a> {
    pub(super) name: &'a str,
    /// It is asked for by an extra that names a developer's tools.
    pub(super) only_developers: bool,
}

/// Extras by which projects name their tests and documentation. Others are
/// features: what they ask for is needed when it is installed.
const DEVELOPERS: [&str; 14] = [
    "all-dev", "build", "check", "cover", "dev", "develop", "doc", "docs", "lint", "mypy", "test",
    "testing", "tests", "type",
];

/// Reads one requirement; none where there is no name, or the marker cannot
/// hold.
pub(super) fn parse(text: &str) -> Option<Requirement<'_>> {
    let (text, marker) = match text.split_once(';') {
        Some((text, marker)) => (text, marker),
        None => (text, ""),
    };
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .unwrap_or(text.len());
    let name = &text[..end];
    if name.is_empty() {
        return None;
    }
    let tokens = tokens(marker);
    if !tokens.is_empty() && !Markers::new(&tokens, true).any(0) {
        return None;
    }
    let by_extra = !tokens.is_empty() && !Markers::new(&tokens, false).any(0);
    let extra = tokens
        .windows(3)
        .find(|three| three[0] == "extra")
        .map(|three| three[2].trim_matches(['"', '\'']));
    Some(Requirement {
        name,
        only_developers: by_extra && extra.is_some_and(is_developers),
    })
}

/// True for an extra that names a developer's tools.
pub(super) fn is_developers(extra: &str) -> bool {
    DEVELOPERS.contains(&extra.to_ascii_lowercase().as_str())
}

fn tokens(marker: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' => 1,
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            '<' | '>' | '=' | '!' | '~' => {
                rest.find(|c| !"<>=!~".contains(c)).unwrap_or(rest.len())
            }
            _ => rest
                .find(|c: char| c.is_whitespace() || "()<>=!~\"'".contains(c))
                .unwrap_or(rest.len()),
        };
        let (token, others) = rest.split_at(end.max(first.len_utf8()));
        found.push(token);
        rest = others.trim_start();
    }
    found
}

/// Parentheses deeper than this are taken to hold.
const DEPTH: usize = 20;

struct Markers<'a> {
    tokens: &'a [&'a str],
    at: usize,
    extras: bool,
}

impl<'a> Markers<'a> {
    fn new(tokens: &'a [&'a str], extras: bool) -> Self {
        Self {
            tokens,
            at: 0,
            extras,
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.tokens.get(self.at) == Some(&word);
        self.at += usize::from(is);
        is
    }

    fn any(&mut self, depth: usize) -> bool {
        let mut holds = self.every(depth);
        while self.take("or") {
            holds |= self.every(depth);
        }
        holds
    }

    fn every(&mut self, depth: usize) -> bool {
        let mut holds = self.one(depth);
        while self.take("and") {
            holds &= self.one(depth);
        }
        holds
    }

    fn one(&mut self, depth: usize) -> bool {
        if self.take("(") {
            if depth == DEPTH {
                self.at = self.tokens.len();
                return true;
            }
            let holds = self.any(depth + 1);
            self.take(")");
            return holds;
        }
        let Some(&[left, operator, right]) = self.tokens.get(self.at..self.at + 3) else {
            self.at = self.tokens.len();
            return true;
        };
        // `not in` is two words.
        self.at += if operator == "not" { 4 } else { 3 };
        let (variable, value) = match left.starts_with(['"', '\'']) {
            true => (right, left),
            false => (left, right),
        };
        let here = match variable {
            "extra" => return self.extras,
            "sys_platform" => "linux",
            "platform_system" => "Linux",
            "os_name" => "posix",
            _ => return true,
        };
        let same = value.trim_matches(['"', '\'']) == here;
        match operator {
            "==" => same,
            "!=" => !same,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements() {
        for (text, expected) in [
            ("requests", Some(("requests", false))),
            ("Foo_Bar[a,b] (>=1.0,<2)", Some(("Foo_Bar", false))),
            (
                "x @ https://host.example/x.whl ; os_name == 'posix'",
                Some(("x", false)),
            ),
            ("colorama ; sys_platform == \"win32\"", None),
            ("colorama; 'win32' == sys_platform", None),
            (
                "a; sys_platform != 'win32' and python_version < '3'",
                Some(("a", false)),
            ),
            (
                "a; platform_system=='Windows' or python_version<'3.8'",
                Some(("a", false)),
            ),
            ("a; (os_name=='nt' or os_name=='java') and extra=='x'", None),
            (
                "uvloop >=0.14 ; (sys_platform != 'win32' and (sys_platform != 'cygwin')) and extra == 'standard'",
                Some(("uvloop", false)),
            ),
            ("pytest ; extra == 'test'", Some(("pytest", true))),
            (
                "pytest ; extra == 'test' or python_version < '3'",
                Some(("pytest", false)),
            ),
            ("a; platform_machine not in 'x y' and os_name == 'nt'", None),
            ("a ; ((((", Some(("a", false))),
            ("a ; \"", Some(("a", false))),
            ("a ; é == 'x'", Some(("a", false))),
            ("", None),
            (" ; os_name", None),
        ] {
            let got = parse(text).map(|got| (got.name, got.only_developers));
            assert_eq!(got, expected, "{text}");
        }
        let deep = format!("a ; {}", "(".repeat(100_000));
        assert!(parse(&deep).is_some());
    }
}
