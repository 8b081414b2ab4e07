//! What listings are taken for: each case is a few files, the directory asked
//! about, and the programs (`*` marks those that are built only when asked
//! for) or the words of the error.

use jettison_recipes::{MemorySource, Project, RecipeError};

const MAIN: &str = "package main\n\nfunc main() {}\n";
const LIB: &str = "package lib\n";

fn check(directory: &str, files: &[(&str, &str)], expected: &[&str]) {
    let source = MemorySource::new(files.iter().copied());
    let project =
        Project::detect(&source, directory).unwrap_or_else(|error| panic!("{files:?}: {error}"));
    let mut found: Vec<String> = project
        .binaries()
        .iter()
        .map(|binary| {
            format!(
                "{}{}",
                binary.name,
                if binary.is_secondary { "*" } else { "" }
            )
        })
        .collect();
    found.sort();
    assert_eq!(found, expected, "{files:?}");
}

fn check_error(directory: &str, files: &[(&str, &str)], words: &[&str]) {
    let source = MemorySource::new(files.iter().copied());
    let error = Project::detect(&source, directory)
        .expect_err("no project")
        .to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} lacks {word:?}");
    }
}

/// Files that the Go command leaves aside, as real repositories have them.
#[test]
fn go_files_beside_the_program() {
    check(
        "",
        &[
            ("go.mod", "module example.com/app\n"),
            ("main.go", "\u{feff}package main\nfunc main() {}\n"),
            ("doc.go", "package documentation\n"),
            (
                "gen.go",
                "//go:build ignore\n\npackage main\nfunc main() {}\n",
            ),
            ("lib/lib.go", "package lib\n"),
            (
                "lib/gen.go",
                "// +build ignore\n\npackage main\nfunc main() {}\n",
            ),
            (
                "once/gen.go",
                "// +build ignore\n\npackage main\nfunc main() {}\n",
            ),
            ("tools/go.mod", "module example.com/app/tools\n"),
            ("tools/main.go", "package main\nfunc main() {}\n"),
            ("vendor/a/b/main.go", "package main\nfunc main() {}\n"),
        ],
        &["app"],
    );
}

#[test]
fn go_projects() {
    let go_mod = ("go.mod", "module example.com/svc\n");
    check("", &[go_mod, ("main.go", MAIN)], &["svc"]);
    check(
        "",
        &[
            go_mod,
            ("cmd/a/main.go", MAIN),
            ("cmd/b/main.go", MAIN),
            ("lib/x.go", LIB),
        ],
        &["a", "b"],
    );
    check(
        "",
        &[go_mod, ("cmd/a/main.go", MAIN), ("tools/gen/main.go", MAIN)],
        &["a", "gen*"],
    );
    check(
        "cmd/a",
        &[go_mod, ("cmd/a/main.go", MAIN), ("cmd/b/main.go", MAIN)],
        &["a"],
    );
    check(
        "",
        &[
            go_mod,
            ("main.go", MAIN),
            ("vendor/x/main.go", MAIN),
            ("testdata/main.go", MAIN),
            ("_x/main.go", MAIN),
        ],
        &["svc"],
    );
    check(
        "",
        &[
            go_mod,
            ("main.go", MAIN),
            ("sub/go.mod", "module other\n"),
            ("sub/main.go", MAIN),
        ],
        &["svc"],
    );
    check(
        "",
        &[
            ("a/go.mod", "module a\n"),
            ("a/main.go", MAIN),
            ("b/go.mod", "module b\n"),
            ("b/main.go", MAIN),
        ],
        &["a", "b"],
    );
    check(
        "",
        &[
            ("go.work", "go 1.22\nuse (\n\t./a\n\t./b\n)\n"),
            ("a/go.mod", "module x/a\n"),
            ("a/cmd/one/main.go", MAIN),
            ("b/go.mod", "module x/b\n"),
            ("b/main.go", MAIN),
            ("c/go.mod", "module x/c\n"),
            ("c/main.go", MAIN),
        ],
        &["b", "one"],
    );
    check(
        "",
        &[go_mod, ("x/run/main.go", MAIN), ("y/run/main.go", MAIN)],
        &["x/run", "y/run"],
    );
    // Without a module: the directory alone, by its name.
    check(
        "hello",
        &[("hello/a.go", MAIN), ("hello/sub/b.go", MAIN)],
        &["hello"],
    );
    check(
        "",
        &[
            ("a.go", MAIN),
            ("gen.go", "//go:build ignore\n\npackage other\n"),
        ],
        &["app"],
    );
}

#[test]
fn rust_projects() {
    let package = (
        "Cargo.toml",
        "[package]\nname = \"svc\"\nversion = \"1.0.0\"\n",
    );
    check("", &[package, ("src/main.rs", "")], &["svc"]);
    check(
        "",
        &[
            package,
            ("src/lib.rs", ""),
            ("src/bin/one.rs", ""),
            ("src/bin/two/main.rs", ""),
            ("examples/e.rs", ""),
        ],
        &["one", "two"],
    );
    check(
        "",
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"p\"\n[[bin]]\nname = \"b\"\npath = \"src/main.rs\"\n",
            ),
            ("src/main.rs", ""),
        ],
        &["b"],
    );
    check(
        "",
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"p\"\nautobins = false\n[[bin]]\nname = \"b\"\n",
            ),
            ("src/main.rs", ""),
        ],
        &["b"],
    );
    let workspace = (
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/out\"]\n",
    );
    let members = [
        workspace,
        ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ("crates/a/src/main.rs", ""),
        ("crates/l/Cargo.toml", "[package]\nname = \"l\"\n"),
        ("crates/l/src/lib.rs", ""),
        ("crates/out/Cargo.toml", "[package]\nname = \"out\"\n"),
        ("crates/out/src/main.rs", ""),
    ];
    check("", &members, &["a"]);
    check("crates/a", &members, &["a"]);
    check("crates/a/src", &members, &["a"]);
    check(
        "",
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b\"]\ndefault-members = [\"a\"]\n",
            ),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("a/src/main.rs", ""),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("b/src/main.rs", ""),
        ],
        &["a", "b*"],
    );
}

#[test]
fn nothing_to_build_is_said_with_what_was_found() {
    check_error(
        "",
        &[("app.py", ""), ("requirements.txt", ""), ("Dockerfile", "")],
        &["requirements.txt (Python: no recipe yet)", "Dockerfile"],
    );
    check_error("", &[("package.json", "{}")], &["Node"]);
    check_error(
        "web",
        &[("web/package.json", "{}"), ("web/api/go.sum", "")],
        &["web", "Node"],
    );
    check_error(
        "",
        &[("go.mod", "module x\n"), ("x.go", LIB)],
        &["only libraries"],
    );
    check_error(
        "",
        &[
            ("Cargo.toml", "[package]\nname = \"x\"\n"),
            ("src/lib.rs", ""),
        ],
        &["only libraries"],
    );
    check_error(
        "",
        &[("Cargo.toml", "[package\n")],
        &["Cargo.toml: TOML parse error at line 1"],
    );
    check_error("", &[], &["looked for go.mod"]);
}

#[test]
fn several_programs_are_asked_about() {
    let source = MemorySource::new([
        ("go.mod", "module m\n"),
        ("cmd/a/m.go", MAIN),
        ("cmd/b/m.go", MAIN),
        ("main.go", MAIN),
    ]);
    let project = Project::detect(&source, "").expect("a project");
    let error = project.choose(None).expect_err("three programs");
    assert!(
        matches!(&error, RecipeError::WhichBinary(names) if names.len() == 3),
        "{error}"
    );
    assert!(error.hint().expect("a hint").contains("--bin"));
    assert_eq!(project.choose(Some("b")).expect("b").directory, "cmd/b");
    assert_eq!(
        project.choose(Some("./cmd/b")).expect("b").directory,
        "cmd/b"
    );
    assert!(matches!(
        project.choose(Some("c")),
        Err(RecipeError::NoSuchBinary { .. })
    ));

    let source = MemorySource::new([
        (
            "Cargo.toml",
            "[package]\nname = \"p\"\ndefault-run = \"two\"\n",
        ),
        ("src/main.rs", ""),
        ("src/bin/two.rs", ""),
    ]);
    let project = Project::detect(&source, "").expect("a project");
    assert_eq!(project.choose(None).expect("the default").name, "two");
}
