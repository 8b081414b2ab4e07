//! Whether a Go file belongs to a Linux build: `//go:build` expressions and
//! file name suffixes (go help buildconstraint). Tags nobody asked for do not hold.

/// Operating systems that a file name may name (`go tool dist list` and the
/// reserved ones).
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

/// Architectures that a file name may name.
const ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "sparc64", "wasm",
];

/// Nested parentheses in one expression; the Go command has no bound, honest ones have two.
const DEPTH: u32 = 64;

/// True when the file may be part of a build for Linux on one of our
/// architectures, without cgo.
pub(super) fn is_built(file_name: &str, constraint: Option<&str>, tags: &[String]) -> bool {
    ["amd64", "arm64"].into_iter().any(|architecture| {
        name_allows(file_name, architecture)
            && constraint.is_none_or(|expression| holds(expression, architecture, tags))
    })
}

/// `*_GOOS.go`, `*_GOARCH.go`, `*_GOOS_GOARCH.go`; a name that begins so is no suffix.
fn name_allows(file_name: &str, architecture: &str) -> bool {
    let stem = file_name.strip_suffix(".go").unwrap_or(file_name);
    let Some((_, suffixes)) = stem.split_once('_') else {
        return true;
    };
    let parts: Vec<&str> = suffixes.split('_').collect();
    let system_allows = |name: &str| !SYSTEMS.contains(&name) || name == "linux";
    match parts.as_slice() {
        [.., system, last] if ARCHITECTURES.contains(last) && SYSTEMS.contains(system) => {
            *last == architecture && system_allows(system)
        }
        [.., last] if ARCHITECTURES.contains(last) => *last == architecture,
        [.., last] => system_allows(last),
        [] => true,
    }
}

fn holds(expression: &str, architecture: &str, tags: &[String]) -> bool {
    let mut parser = Parser {
        rest: expression,
        architecture,
        tags,
        depth: 0,
    };
    parser.any()
}

struct Parser<'a> {
    rest: &'a str,
    architecture: &'a str,
    tags: &'a [String],
    depth: u32,
}

impl Parser<'_> {
    fn any(&mut self) -> bool {
        let mut value = self.all();
        while self.takes("||") {
            value |= self.all();
        }
        value
    }

    fn all(&mut self) -> bool {
        let mut value = self.one();
        while self.takes("&&") {
            value &= self.one();
        }
        value
    }

    fn one(&mut self) -> bool {
        let mut negated = false;
        while self.takes("!") {
            negated = !negated;
        }
        if self.takes("(") {
            self.depth += 1;
            if self.depth > DEPTH {
                self.rest = "";
                return false;
            }
            let value = self.any();
            self.takes(")");
            self.depth -= 1;
            return value != negated;
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(self.rest.len());
        let (tag, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.tag_holds(tag) != negated
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let rest = self.rest.trim_start();
        self.rest = rest.strip_prefix(symbol).map_or(rest, str::trim_start);
        self.rest.len() != rest.len()
    }

    fn tag_holds(&self, tag: &str) -> bool {
        matches!(tag, "linux" | "unix" | "gc")
            || tag == self.architecture
            || tag.starts_with("go1.")
            || self.tags.iter().any(|asked| asked == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_linux_build_count() {
        for (name, constraint, expected) in [
            ("main.go", None, true),
            ("main_linux.go", None, true),
            ("main_windows.go", None, false),
            ("x_darwin_arm64.go", None, false),
            ("x_linux_s390x.go", None, false),
            ("x_arm64.go", None, true),
            ("windows.go", None, true),
            ("service_manager.go", None, true),
            ("gen.go", Some("ignore"), false),
            ("a.go", Some("!windows && go1.21"), true),
            ("a.go", Some("(linux || darwin) && !cgo"), true),
            ("a.go", Some("tools"), false),
            ("a.go", Some("extra"), true),
            ("a.go", Some("windows || (plan9 && amd64)"), false),
            ("a.go", Some("!(unix)"), false),
        ] {
            let tags = ["extra".to_owned()];
            assert_eq!(
                is_built(name, constraint, &tags),
                expected,
                "{name} {constraint:?}"
            );
        }
    }

    #[test]
    fn hostile_expressions_end() {
        let deep = format!("{}linux", "(".repeat(100_000));
        for expression in [deep.as_str(), "||||", "&&", "!!!!", ")", "é", ""] {
            is_built("a.go", Some(expression), &[]);
        }
    }
}
