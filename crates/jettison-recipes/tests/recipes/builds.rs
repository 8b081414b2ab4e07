//! Recipes carried out with the machine's own toolchains, on projects made up
//! here. The facts of what comes out are read by `file` and by running it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine::{Directory, build, has, recipe, request, write};
use jettison_recipes::{Cgo, Project, Target};

fn output_of(program: &Path) -> String {
    let output = Command::new(program)
        .env_clear()
        .output()
        .expect("a program that starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// True when the file names a loader: PT_INTERP holds its path in plain text.
fn names_a_loader(program: &Path) -> bool {
    let bytes = fs::read(program).expect("a program");
    [&b"/lib64/ld-linux"[..], b"/lib/ld-musl", b"/lib/ld-linux"]
        .iter()
        .any(|loader| {
            bytes[..bytes.len().min(4096)]
                .windows(loader.len())
                .any(|window| window == *loader)
        })
}

const RUST_MAIN: &str = r#"fn main() { println!("hello from {}", env!("CARGO_PKG_NAME")); }"#;
const RUST_LOCK: &str = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.3.1\"\n";

#[test]
fn go_module_is_built_static_and_stamped() {
    if !has("go", "version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            ("go.mod", "module example.com/tiny/v2\n\ngo 1.21\n"),
            (
                "main.go",
                "package main\n\nvar version = \"dev\"\n\nfunc main() { println2(version) }\n",
            ),
            (
                "print_linux.go",
                "package main\n\nimport \"fmt\"\n\nfunc println2(s string) { fmt.Println(s) }\n",
            ),
            (
                "print_windows.go",
                "package main\n\nfunc println2(s string) { syntax error }\n",
            ),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let mut request = request(root.path(), out.path());
    request.version = Some("v2.0.1-3-gabc".into());
    let recipe = recipe(root.path(), &project, &request).expect("a recipe");
    assert_eq!(recipe.entrypoint(), "/tiny");
    let program = build(root.path(), &recipe).expect("a build");
    assert_eq!(output_of(&program), "v2.0.1-3-gabc");
    assert!(!names_a_loader(&program));

    // Somewhere else, at another time: the same bytes.
    let other = tempfile::tempdir().expect("a directory");
    for file in ["go.mod", "main.go", "print_linux.go"] {
        fs::copy(root.path().join(file), other.path().join(file)).expect("a copy");
    }
    let first = fs::read(&program).expect("a program");
    request.source_root = other.path().display().to_string();
    let again = crate::machine::recipe(other.path(), &project, &request).expect("a recipe");
    let program = build(other.path(), &again).expect("a build");
    assert!(
        first == fs::read(&program).expect("a program"),
        "not reproducible"
    );
}

#[test]
fn go_directory_without_a_module_is_built_by_its_files() {
    if !has("go", "version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            (
                "tool/main.go",
                "package main\n\nfunc main() { print2(\"no module\") }\n",
            ),
            (
                "tool/print.go",
                "package main\n\nimport \"fmt\"\n\nfunc print2(s string) { fmt.Println(s) }\n",
            ),
            (
                "tool/gen.go",
                "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
            ),
            (
                "tool/print_test.go",
                "package main\n\nfunc nothing() { missing() }\n",
            ),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "tool").expect("a project");
    let recipe =
        recipe(root.path(), &project, &request(root.path(), out.path())).expect("a recipe");
    let program = build(root.path(), &recipe).expect("a build");
    assert_eq!(output_of(&program), "no module");
    assert!(program.ends_with("tool"));
}

#[test]
fn go_file_names_are_never_flags() {
    if !has("go", "version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    let main = "package main\n\nfunc main() {}\n";
    write(root.path(), &[("tool/-toolexec=x.go", main)]);
    let project = Project::detect(&Directory::new(root.path()), "tool").expect("a project");
    let recipe =
        recipe(root.path(), &project, &request(root.path(), out.path())).expect("a recipe");
    let build = recipe.commands.last().expect("a command");
    assert_eq!(
        build.arguments.last().map(String::as_str),
        Some("./-toolexec=x.go")
    );
}

#[test]
fn go_code_that_needs_c_is_named() {
    if !has("go", "version") || !has("cc", "--version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            ("go.mod", "module example.com/tiny\n\ngo 1.21\n"),
            (
                "main.go",
                "package main\n\nimport \"example.com/tiny/c\"\n\nfunc main() { println(c.One()) }\n",
            ),
            (
                "c/c.go",
                "package c\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc One() int { return int(C.one()) }\n",
            ),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let mut request = request(root.path(), out.path());
    let plain = recipe(root.path(), &project, &request).expect("a recipe");

    let survey = crate::machine::run(root.path(), plain.survey.as_ref().expect("a survey"));
    let findings = plain.survey_findings(&survey.stdout);
    assert!(
        findings[0].cause.contains("example.com/tiny/c uses cgo"),
        "{findings:?} {survey:?}"
    );
    let error = build(root.path(), &plain).expect_err("no C compiler is called");
    assert!(
        error.contains("without cgo") && error.contains("cgo = true"),
        "{error}"
    );

    request.cgo = Cgo::Static;
    let with_c = recipe(root.path(), &project, &request).expect("a recipe");
    match build(root.path(), &with_c) {
        Ok(program) => assert!(!names_a_loader(&program), "dynamic"),
        Err(error) => println!("skipped: no static libc here: {error}"),
    }
    request.cgo = Cgo::Dynamic;
    let with_libraries = recipe(root.path(), &project, &request).expect("a recipe");
    match build(root.path(), &with_libraries) {
        Ok(program) => assert!(names_a_loader(&program), "static"),
        Err(error) => println!("skipped: no C compiler here: {error}"),
    }
}

#[test]
fn go_builds_for_the_other_platform() {
    if !has("go", "version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            ("go.mod", "module x\n\ngo 1.21\n"),
            ("main.go", "package main\n\nfunc main() {}\n"),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    for (target, machine) in [(Target::Amd64, 62_u16), (Target::Arm64, 183)] {
        let mut request = request(root.path(), out.path());
        request.target = Some(target);
        let recipe = recipe(root.path(), &project, &request).expect("a recipe");
        let program = fs::read(build(root.path(), &recipe).expect("a build")).expect("a program");
        assert_eq!(program[18..20], machine.to_le_bytes());
    }
}

#[test]
fn rust_package_is_built_static_by_every_way_there_is() {
    if !has("cargo", "--version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"tiny\"\nversion = \"0.3.1\"\nedition = \"2021\"\ndescription = \"d\"\n\n[workspace]\n",
            ),
            ("Cargo.lock", RUST_LOCK),
            (
                "src/main.rs",
                "fn main() { println!(\"{}\", if cfg!(ours) { \"ours\" } else { \"lost\" }); }",
            ),
            // The project's own flags are still in force.
            (
                ".cargo/config.toml",
                "[build]\nrustflags = [\"--cfg\", \"ours\"]\n",
            ),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let recipe =
        recipe(root.path(), &project, &request(root.path(), out.path())).expect("a recipe");
    assert_eq!(recipe.package.version.as_deref(), Some("0.3.1"));
    let mut way = Some(&recipe);
    while let Some(recipe) = way {
        println!("{}", recipe.notes.join("; "));
        let program = build(root.path(), recipe).expect("a build");
        assert!(
            program.to_string_lossy().contains(&recipe.toolchain_target),
            "{program:?}"
        );
        assert_eq!(output_of(&program), "ours");
        assert!(!names_a_loader(&program), "{program:?} is dynamic");
        way = recipe.fallback.as_deref();
    }
}

#[test]
fn rust_flags_of_the_environment_are_kept() {
    if !has("cargo", "--version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"tiny\"\nversion = \"0.3.1\"\nedition = \"2021\"\n\n[workspace]\n",
            ),
            ("Cargo.lock", RUST_LOCK),
            (
                "src/main.rs",
                "fn main() { println!(\"{}\", cfg!(theirs)); }",
            ),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let mut request = request(root.path(), out.path());
    request
        .environment
        .push(("RUSTFLAGS".into(), "--cfg theirs".into()));
    let recipe = recipe(root.path(), &project, &request).expect("a recipe");
    let program = build(root.path(), &recipe).expect("a build");
    assert_eq!(output_of(&program), "true");
    assert!(!names_a_loader(&program));
}

#[test]
fn rust_without_a_lock_file_is_explained() {
    if !has("cargo", "--version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"tiny\"\nversion = \"0.3.1\"\nedition = \"2021\"\n\n[workspace]\n",
            ),
            ("src/main.rs", RUST_MAIN),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let recipe =
        recipe(root.path(), &project, &request(root.path(), out.path())).expect("a recipe");
    let error = build(root.path(), &recipe).expect_err("no lock file");
    assert!(error.contains("cargo generate-lockfile"), "{error}");
}

#[test]
fn rust_builds_for_the_other_platform_where_it_can() {
    if !has("cargo", "--version") {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let out = tempfile::tempdir().expect("a directory");
    write(
        root.path(),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"tiny\"\nversion = \"0.3.1\"\nedition = \"2021\"\n\n[workspace]\n",
            ),
            ("Cargo.lock", RUST_LOCK),
            ("src/main.rs", RUST_MAIN),
        ],
    );
    let project = Project::detect(&Directory::new(root.path()), "").expect("a project");
    let mut request = request(root.path(), out.path());
    let other = if crate::machine::host() == Some(Target::Arm64) {
        Target::Amd64
    } else {
        Target::Arm64
    };
    request.target = Some(other);
    match recipe(root.path(), &project, &request) {
        Ok(recipe) => {
            let program = build(root.path(), &recipe).expect("a build");
            let number: u16 = if other == Target::Arm64 { 183 } else { 62 };
            assert_eq!(
                fs::read(&program).expect("a program")[18..20],
                number.to_le_bytes()
            );
            assert!(!names_a_loader(&program));
        }
        Err(error) => {
            assert!(
                error.hint().expect("a hint").contains("rustup target add"),
                "{error}"
            );
            println!("skipped: {error}");
        }
    }
}
