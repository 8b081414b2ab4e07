//! What the Go command's messages mean for somebody who wants an image.

use crate::recipe::{Failure, Recipe};

/// Modules that are of no use without cgo, and what does the same in pure Go.
const PURE_ALTERNATIVES: &[(&str, &str)] = &[
    (
        "github.com/mattn/go-sqlite3",
        "modernc.org/sqlite or github.com/ncruces/go-sqlite3",
    ),
    (
        "github.com/confluentinc/confluent-kafka-go",
        "github.com/twmb/franz-go",
    ),
    (
        "github.com/DataDog/zstd",
        "github.com/klauspost/compress/zstd",
    ),
    (
        "github.com/valyala/gozstd",
        "github.com/klauspost/compress/zstd",
    ),
    ("github.com/godror/godror", "github.com/sijms/go-ora"),
    ("github.com/mattn/go-oci8", "github.com/sijms/go-ora"),
    (
        "github.com/marcboeker/go-duckdb",
        "none is known: build with cgo",
    ),
    (
        "github.com/tecbot/gorocksdb",
        "github.com/cockroachdb/pebble",
    ),
    (
        "github.com/linxGnu/grocksdb",
        "github.com/cockroachdb/pebble",
    ),
    (
        "github.com/chai2010/webp",
        "golang.org/x/image/webp (decoding)",
    ),
    ("github.com/libgit2/git2go", "github.com/go-git/go-git"),
    ("github.com/pebbe/zmq4", "github.com/go-zeromq/zmq4"),
];

const CGO_HINT: &str = "use a pure Go package instead, or put `cgo = true` under [build] in jettison.toml \
                        (links statically with the machine's C compiler)";

/// Reads the answer of the survey: one line `PACKAGE MODULE` for each package with cgo.
pub(crate) fn survey_findings(stdout: &str) -> Vec<Failure> {
    stdout
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let package = words.next()?;
            let module = words.next().unwrap_or(package);
            Some(Failure {
                cause: format!(
                    "package {package} uses cgo, which is off: it works only if it can do without"
                ),
                hint: Some(hint_for(module)),
                try_fallback: false,
            })
        })
        .collect()
}

fn hint_for(module: &str) -> String {
    let known = PURE_ALTERNATIVES.iter().find(|(name, _)| {
        module
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match known {
        Some((name, instead)) => format!("instead of {name}: {instead}; {CGO_HINT}"),
        None => CGO_HINT.into(),
    }
}

/// Says why a Go binary asks for a loader: plug-ins, a build mode or cgo.
pub(crate) fn dynamic(recipe: &Recipe, interpreter: Option<&str>, needed: &[String]) -> Failure {
    let asks: Vec<&str> = interpreter
        .into_iter()
        .chain(needed.iter().map(String::as_str))
        .collect();
    Failure {
        cause: format!("{} is dynamic: it asks for {}", recipe.name, asks.join(", ")),
        hint: Some("look for -buildmode, -linkmode or -linkshared in GOFLAGS and `cgo = \"dynamic\"` in jettison.toml; \
             package plugin needs a loader; or take a base that has what it asks for: --base IMAGE".into()),
        try_fallback: false,
    }
}

/// Reads the standard error of a failed `go build`.
pub(crate) fn explain(recipe: &Recipe, root: &str, stderr: &str) -> Option<Failure> {
    let directory = recipe.shell_directory(root);
    let line_with = |needle: &str| {
        stderr
            .lines()
            .find(|line| line.contains(needle))
            .map(str::trim)
    };
    let failure = |cause: String, hint: String| {
        Some(Failure {
            cause,
            hint: Some(hint),
            try_fallback: false,
        })
    };

    if let Some(line) = line_with("error obtaining VCS status") {
        return Some(Failure {
            cause: line.into(),
            hint: Some("built again with -buildvcs=false".into()),
            try_fallback: recipe.fallback.is_some(),
        });
    }
    if let Some(line) = line_with("build constraints exclude all Go files in") {
        let package = line
            .strip_prefix("package ")
            .and_then(|rest| rest.split(':').next())
            .unwrap_or(line);
        let package = package.split_whitespace().last().unwrap_or(package);
        let last = line.rsplit(" in ").next().unwrap_or_default();
        return failure(
            format!(
                "nothing in {last} is built for {} without cgo ({package})",
                recipe.target
            ),
            hint_for(module_in_cache(last).unwrap_or(package)),
        );
    }
    if let Some(line) = line_with("C source files not allowed when not using cgo") {
        return failure(
            format!("the package has C sources: {line}"),
            CGO_HINT.into(),
        );
    }
    if let Some(line) = line_with("C compiler").or_else(|| line_with("cgo: C compiler")) {
        return failure(line.into(), "apt-get install gcc libc6-dev".into());
    }
    if let Some(line) =
        line_with("missing go.sum entry").or_else(|| line_with("updates to go.mod needed"))
    {
        return failure(line.into(), format!("cd {directory} && go mod tidy"));
    }
    if let Some(line) = line_with("inconsistent vendoring") {
        return failure(line.into(), format!("cd {directory} && go mod vendor"));
    }
    if let Some(line) = line_with("go.mod file not found in current directory") {
        return failure(
            line.into(),
            format!(
                "cd {directory} && go mod init {} && go mod tidy",
                recipe.name
            ),
        );
    }
    if let Some(line) = line_with("(running go ").filter(|line| line.contains("requires go")) {
        return failure(
            line.into(),
            "GOTOOLCHAIN=auto lets this Go fetch the one that is asked for".into(),
        );
    }
    if let Some(line) = line_with("note: module requires Go") {
        return failure(
            line.trim_start_matches("note: ").into(),
            "a newer Go; --toolchain composed takes Debian's, --suite NAME that of a later release"
                .into(),
        );
    }
    if let Some(line) = line_with("x509: certificate signed by unknown authority") {
        return failure(
            format!("a module could not be fetched: {line}"),
            "--trust-host-ca lends a toolchain in a sandbox this machine's authorities".into(),
        );
    }
    if let Some(line) = line_with("not one of the workspace modules") {
        return failure(
            line.into(),
            "GOWORK=off, or `go work use` that directory".into(),
        );
    }
    let offline = [
        "dial tcp",
        "no such host",
        "i/o timeout",
        "module lookup disabled",
        "TLS handshake timeout",
    ];
    if let Some(line) = offline.into_iter().find_map(line_with) {
        return failure(
            format!("a module could not be fetched: {line}"),
            "set GOPROXY to a proxy this machine reaches, or commit `go mod vendor`".into(),
        );
    }
    None
}

/// The module of a directory in the module cache: `…/pkg/mod/M@v1.2.3/sub`.
/// Capital letters are written there as `!` and the small one.
fn module_in_cache(directory: &str) -> Option<&str> {
    let (_, inside) = directory.split_once("/pkg/mod/")?;
    inside.split_once('@').map(|(module, _)| module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Artifact, Language, PackageFacts};
    use crate::target::Target;

    fn check(stderr: &str, cause: &str, hint: &str) {
        let recipe = Recipe {
            language: Language::Go,
            name: "x".into(),
            target: Target::Amd64,
            toolchain_target: String::new(),
            survey: None,
            commands: Vec::new(),
            artifact: Artifact::Path(String::new()),
            package_directory: "svc".into(),
            package: PackageFacts::default(),
            notes: Vec::new(),
            fallback: None,
        };
        let failure =
            explain(&recipe, "/src", stderr).unwrap_or_else(|| panic!("not explained: {stderr}"));
        assert!(failure.cause.contains(cause), "{failure:?}");
        assert!(
            failure.hint.as_deref().unwrap_or_default().contains(hint),
            "{failure:?}"
        );
    }

    #[test]
    fn messages_of_the_go_command_are_understood() {
        check(
            "package svc\n\timports github.com/mattn/go-sqlite3: build constraints exclude all Go files in /r/go/pkg/mod/github.com/mattn/go-sqlite3@v1.14.0\n",
            "nothing in /r/go/pkg/mod/github.com/mattn/go-sqlite3",
            "modernc.org/sqlite",
        );
        check(
            "main.go:3:8: missing go.sum entry for module providing package x",
            "missing go.sum",
            "cd /src/svc && go mod tidy",
        );
        check(
            "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)",
            "1.99",
            "GOTOOLCHAIN=auto",
        );
        check(
            "# app\n./main.go:1:2: undefined: strings.CutPrefix\nnote: module requires Go 1.22\n",
            "module requires Go 1.22",
            "--suite",
        );
        check(
            "x: dial tcp: lookup proxy: no such host",
            "could not be fetched",
            "GOPROXY",
        );
    }

    #[test]
    fn a_survey_names_the_package_and_what_to_do() {
        let findings = survey_findings(
            "github.com/mattn/go-sqlite3 github.com/mattn/go-sqlite3\n\nmine/c mine\n",
        );
        assert_eq!(findings.len(), 2);
        assert!(
            findings[0]
                .hint
                .as_deref()
                .is_some_and(|hint| hint.contains("modernc"))
        );
        assert!(survey_findings("").is_empty());
    }
}
