//! The repository's own examples are recognised for what they are.

use std::path::Path;
use std::process::Command;

use crate::machine::{Directory, build, has, recipe, request};
use jettison_recipes::{DetectError, Language, Project, SETTINGS_FILE, Settings, Source};

fn repository() -> Directory {
    Directory::new(&root())
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository")
}

#[test]
fn examples_are_recognised() {
    let repository = repository();
    for (name, language, program, files) in [
        ("hello-go", Language::Go, "hello-go", &[][..]),
        ("devops-info-go", Language::Go, "devops-info-service", &[]),
        ("devops-info-rust", Language::Rust, "devops-info-rust", &[]),
        (
            "crud-go",
            Language::Go,
            "cruder",
            &["examples/crud-go/migrations"],
        ),
    ] {
        let directory = format!("examples/{name}");
        let project = Project::detect(&repository, &directory).expect(name);
        assert_eq!(project.language(), language);
        let binary = project.choose(None).expect(name);
        assert_eq!(binary.name, program);
        let found = project.runtime_files(&repository, binary);
        let found: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(found, files);
        if let Ok(text) = repository.read(&format!("{directory}/{SETTINGS_FILE}"), 1 << 20) {
            let text = String::from_utf8(text).expect("UTF-8");
            let settings = Settings::parse(&text).expect(name);
            assert!(!settings.probe.is_empty());
        }
    }
}

#[test]
fn the_repository_is_a_workspace_with_one_program() {
    let project = Project::detect(&repository(), "").expect("a project");
    assert_eq!(project.language(), Language::Rust);
    assert_eq!(project.choose(None).expect("one program").name, "jettison");
    assert!(project.choose(Some("xtask")).is_ok());
}

#[test]
fn a_directory_without_sources_has_no_program() {
    let error =
        Project::detect(&repository(), "examples/crud-go/migrations").expect_err("no program");
    assert!(
        matches!(
            error,
            DetectError::NoProgram { .. } | DetectError::Nothing { .. }
        ),
        "{error}"
    );
}

#[test]
fn hello_is_built_and_greets() {
    if !has("go", "version") {
        return;
    }
    let out = tempfile::tempdir().expect("a directory");
    let project = Project::detect(&repository(), "examples/hello-go").expect("a project");
    let recipe = recipe(&root(), &project, &request(&root(), out.path())).expect("a recipe");
    let program = build(&root(), &recipe).expect("a build");
    let size_bytes = std::fs::metadata(&program).expect("a program").len();
    println!("hello-go: {size_bytes} bytes");
    assert!(size_bytes < 1_800_000);
    let output = Command::new(&program)
        .arg("there")
        .output()
        .expect("a program that starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Hello, there!\n");
}
