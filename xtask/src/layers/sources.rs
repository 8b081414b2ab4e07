//! The invariants that a look at the sources can check: no host, clock or network in pure crates, no printing in libraries,
//! `unsafe` in the sandbox alone. It looks at names as they are written; what hides behind an alias is for the reviewer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::floors::{self, SANDBOX};
use super::tokens::{self, Mention};
use crate::Problem;

/// Says what is wrong in the sources of one crate, `file:line: what`, relative to the crate's folder.
pub(crate) fn check(crate_name: &str, folder: &Path) -> Result<Vec<String>, Problem> {
    let mut files = Vec::new();
    for part in ["src", "tests", "benches", "examples"] {
        collect(&folder.join(part), &mut files)?;
    }
    let build_script = folder.join("build.rs");
    if build_script.is_file() {
        files.push(build_script);
    }
    files.sort();
    let mut wrong = Vec::new();
    let mut sources = Vec::new();
    let mut test_files = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).to_path_buf();
        match tokens::read(&std::fs::read_to_string(&file)?) {
            Ok(source) => {
                test_files.extend(
                    source
                        .test_modules
                        .iter()
                        .map(|module| module_stem(&name, module)),
                );
                sources.push((name, source));
            }
            Err(error) => wrong.push(format!(
                "{}: cannot be read as Rust: {error}",
                name.display()
            )),
        }
    }
    for (name, source) in &sources {
        let shipped = name.starts_with("src")
            && !source.test_only
            && !test_files
                .iter()
                .any(|stem| *name == stem.with_extension("rs") || name.starts_with(stem));
        for mention in &source.mentions {
            for rule in broken(crate_name, mention, shipped && !mention.test_only) {
                wrong.push(format!("{}:{}: {rule}", name.display(), mention.line));
            }
        }
    }
    Ok(wrong)
}

/// The rules that one mention breaks. `shipped` is code that a user runs, as against tests.
fn broken(crate_name: &str, mention: &Mention, shipped: bool) -> Vec<String> {
    let path: Vec<&str> = mention.path.iter().map(String::as_str).collect();
    let shown = path.join("::");
    let mut rules = Vec::new();
    if path.contains(&"unsafe") && crate_name != SANDBOX {
        rules.push(format!("`unsafe` outside {SANDBOX}"));
    }
    if shipped && floors::is_pure(crate_name) && reaches_host(&path) {
        rules.push(format!(
            "`{shown}` in a pure crate: hand the fact in from the engine"
        ));
    }
    if shipped && floors::is_library(crate_name) {
        if mention.is_macro
            && matches!(
                path.as_slice(),
                [.., "println" | "eprintln" | "print" | "eprint" | "dbg"]
            )
        {
            rules.push(format!(
                "`{shown}!` in a library: return it, the command line prints"
            ));
        }
        if path.ends_with(&["process", "exit"]) || path.ends_with(&["process", "abort"]) {
            rules.push(format!("`{shown}` in a library: return an error"));
        }
    }
    rules
}

/// Addresses are values; sockets are not.
const NET_VALUES: &[&str] = &[
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "AddrParseError",
];

fn reaches_host(path: &[&str]) -> bool {
    let from_std = match path {
        ["std", "net", value, ..] => !NET_VALUES.contains(value),
        // Constants of the build, not of the machine that it runs on.
        ["std", "env", "consts", ..] => false,
        ["std", "os", "unix" | "linux", "net" | "fs" | "process", ..] => true,
        ["std", "fs" | "net" | "env" | "process", ..] => true,
        _ => false,
    };
    from_std || path.ends_with(&["SystemTime", "now"]) || path.ends_with(&["Instant", "now"])
}

/// Where the module `module` of the file `file` lives, less its extension.
fn module_stem(file: &Path, module: &str) -> PathBuf {
    let is_folder_file = matches!(
        file.file_name().and_then(|name| name.to_str()),
        Some("lib.rs" | "main.rs" | "mod.rs")
    );
    match file.parent() {
        Some(parent) if is_folder_file => parent.join(module),
        _ => file.with_extension("").join(module),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check as check_sources;

    fn check(crate_name: &str, files: &[(&str, &str)], expected: &[&str]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        assert_eq!(
            check_sources(crate_name, folder.path()).expect("readable"),
            expected
        );
    }

    #[test]
    fn a_pure_crate_reaches_for_the_host() {
        check(
            "jettison-image",
            &[(
                "src/lib.rs",
                "use std::{fs, io};\nfn f() { std::time::SystemTime::now(); }\nuse std::net::TcpStream;",
            )],
            &[
                "src/lib.rs:1: `std::fs` in a pure crate: hand the fact in from the engine",
                "src/lib.rs:2: `std::time::SystemTime::now` in a pure crate: hand the fact in from the engine",
                "src/lib.rs:3: `std::net::TcpStream` in a pure crate: hand the fact in from the engine",
            ],
        );
        check(
            "jettison-plan",
            &[(
                "src/lib.rs",
                "use std::net::{IpAddr, SocketAddr}; use std::time::Duration; const A: &str = std::env::consts::OS;",
            )],
            &[],
        );
        check(
            "jettison-sandbox",
            &[("src/lib.rs", "use std::fs; fn f() { unsafe { g() } }")],
            &[],
        );
        check("jettison-engine", &[("src/lib.rs", "use std::fs;")], &[]);
    }

    #[test]
    fn tests_of_a_pure_crate_may() {
        check(
            "jettison-image",
            &[
                ("src/lib.rs", "mod tar; #[cfg(test)] mod oracle;"),
                ("src/oracle.rs", "use std::process::Command;"),
                ("src/tar.rs", "#[cfg(test)] mod tests;"),
                ("src/tar/tests.rs", "use std::fs; fn f() { println!() }"),
                ("src/tar/tests/more.rs", "use std::env;"),
                ("tests/it.rs", "use std::fs;"),
            ],
            &[],
        );
    }

    #[test]
    fn a_library_prints_or_exits() {
        check(
            "jettison-engine",
            &[(
                "src/a.rs",
                "fn f() {\n eprintln!(\"x\");\n std::process::exit(1) }",
            )],
            &[
                "src/a.rs:2: `eprintln!` in a library: return it, the command line prints",
                "src/a.rs:3: `std::process::exit` in a library: return an error",
            ],
        );
        check(
            "jettison",
            &[("src/main.rs", "fn main() { println!(); }")],
            &[],
        );
    }

    #[test]
    fn unsafe_outside_the_sandbox() {
        check(
            "jettison-engine",
            &[("src/lib.rs", "unsafe fn f() {}")],
            &["src/lib.rs:1: `unsafe` outside jettison-sandbox"],
        );
        check(
            "jettison",
            &[("tests/it.rs", "fn f() { unsafe {} }")],
            &["tests/it.rs:1: `unsafe` outside jettison-sandbox"],
        );
        check(
            "jettison-image",
            &[("src/lib.rs", "#![forbid(unsafe_code)]")],
            &[],
        );
    }
}
