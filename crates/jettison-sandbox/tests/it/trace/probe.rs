//! One path per kind of access, by a C program of our own, static and
//! dynamic, seen by both tracers alike.

use std::path::{Path, PathBuf};
use std::process::Command;

use jettison_plan::{FilePath, Trace};
use jettison_sandbox::{ContainerSpec, Root, Sandbox, Tracing};

use super::{lines, traced};
use crate::support::*;

/// The program, with the bytes of the libraries it needs.
pub(crate) fn compile(flags: &[&str]) -> Option<Vec<(String, Vec<u8>)>> {
    let scratch = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/trace/probe.c");
    let program = scratch.path().join("probe");
    let mut command = Command::new("gcc");
    command.args(["-w", "-O1", "-pthread", "-o"]).arg(&program);
    command.args(flags).arg(source);
    match command.status() {
        Ok(status) => assert!(status.success()),
        Err(_) => {
            eprintln!("skipped: gcc is not installed");
            return None;
        }
    }
    let mut files = vec![("p/probe".to_owned(), std::fs::read(&program).unwrap())];
    let listed = Command::new("ldd").arg(&program).output().unwrap();
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let library = line.split_whitespace().find(|word| word.starts_with('/'));
        if let Some(library) = library {
            let path = library.trim_start_matches('/').to_owned();
            files.push((path, std::fs::read(library).unwrap()));
        }
    }
    Some(files)
}

fn root(sandbox: &Sandbox, files: &[(String, Vec<u8>)]) -> Root {
    let mut root = sandbox.new_root().unwrap();
    for (path, content) in files {
        root.file(path, 0o755, content).unwrap();
    }
    let program = &files[0].1;
    for name in ["vfork", "fexecve", "interpreter", "no-argument"] {
        root.file(&format!("p/{name}"), 0o755, b"#!/p/ends\n")
            .unwrap();
    }
    // Ends at once: a program without a loader and with nothing to do.
    root.file("p/ends", 0o755, b"\x7fELFnot really").unwrap();
    root.file("p/script", 0o755, b"#! /p/interpreter -x\n")
        .unwrap();
    root.file("p/lame", 0o755, b"#!/p/no-interpreter\n")
        .unwrap();
    root.file("p/helper", 0o4755, program).unwrap();
    root.file("p/secret-of-root", 0o600, b"").unwrap();
    root.file("p/secret", 0o600, b"").unwrap();
    for name in [
        "read",
        "path",
        "write",
        "both",
        "truncated",
        "exists",
        "stat",
        "access",
        "faccessat",
        "faccessat2",
        "statx",
        "statfs",
        "getxattr",
        "listxattr",
        "inotify",
        "openat2",
        "up",
        "there",
        "target",
        "beside",
        "magic",
        "magic-before",
        "by-root",
        "by-dev-fd",
        "old",
        "unlinked",
        "linked",
        "chmod",
        "chown",
        "truncate",
        "times",
        "setxattr",
        "fchmod",
        "edge",
        "compat",
        "fork",
        "readable",
        "after",
        "dir/here",
        "dir/through",
        "dir/outside",
        "dir/by-cwd",
        "dir/here-after",
        "dir/after",
        "listed/relative",
        "listed/relative-stat",
        "listed/in-root",
        "jail/inner",
        "jail/target",
        "jail/clamped",
        "closed/file",
        "closed/stat",
        "deep/er/x",
    ] {
        root.file(&format!("p/{name}"), 0o644, b"text").unwrap();
    }
    for number in 0..8 {
        root.file(&format!("p/thread{number}"), 0o644, b"").unwrap();
    }
    for (path, target) in [
        ("p/link", "read"),
        ("p/readlink", "read"),
        ("p/l1", "l2"),
        ("p/l2", "/p/l3"),
        ("p/l3", "../p/target"),
        ("p/to-dir", "dir"),
        ("p/to-deep", "/p/deep/er"),
        ("p/dangling", "/p/gone"),
        ("p/loop", "loop"),
        ("p/nofollow", "read"),
        ("p/jail/absolute", "/target"),
    ] {
        link(&mut root, path, target);
    }
    directory(&mut root, "p/closed", 0o700);
    root.finish().unwrap()
}

fn directory(root: &mut jettison_sandbox::RootWriter, path: &str, mode: u32) {
    let entry = jettison_image::Entry {
        path: jettison_image::ImagePath::new(path).unwrap(),
        kind: jettison_image::EntryKind::Directory,
        metadata: jettison_image::Metadata {
            mode,
            ..Default::default()
        },
    };
    root.put(&entry, &mut std::io::empty()).unwrap();
}

/// Path below /p and all that was done with it.
const EXPECTED: &[(&str, &str)] = &[
    ("probe", "executed"),
    ("read", "opened"),
    ("path", "opened"),
    ("write", "changed"),
    ("both", "opened+changed"),
    ("truncated", "changed"),
    ("created", "changed"),
    ("exists", "opened+changed"),
    ("read/nothing", "opened+missing"),
    ("nodir/x", "opened+missing"),
    ("stat", "asked"),
    ("no-stat", "asked+missing"),
    ("link", "link+asked"),
    ("access", "asked"),
    ("no-access", "asked+missing"),
    ("faccessat", "asked"),
    ("faccessat2", "asked"),
    ("statx", "asked"),
    ("readlink", "link+asked"),
    ("statfs", "asked"),
    ("getxattr", "asked"),
    ("listxattr", "asked"),
    ("inotify", "asked"),
    ("listed", "opened+listed"),
    ("listed/relative", "opened"),
    ("up", "opened"),
    ("listed/relative-stat", "asked"),
    ("openat2", "opened"),
    ("listed/in-root", "opened"),
    ("dir", "opened+asked"),
    ("dir/here", "opened"),
    ("there", "opened"),
    ("dir/none", "opened+missing"),
    ("l1", "link"),
    ("l2", "link"),
    ("l3", "link"),
    ("target", "opened"),
    ("to-dir", "link"),
    ("dir/through", "opened"),
    ("to-deep", "link"),
    ("deep/beside", "opened+missing"),
    ("dangling", "link"),
    ("gone", "opened+missing"),
    ("loop", "opened+link+missing"),
    ("nofollow", "opened+link"),
    ("magic", "opened"),
    ("magic-before", "changed"),
    ("dir/by-cwd", "opened"),
    ("by-root", "opened"),
    ("by-dev-fd", "opened"),
    ("old", "changed"),
    ("new", "changed"),
    ("unlinked", "changed"),
    ("made", "changed"),
    ("made-not", "missing+changed"),
    ("linked", "asked"),
    ("hard", "changed"),
    ("soft", "changed"),
    ("chmod", "changed"),
    ("chown", "changed"),
    ("truncate", "changed"),
    ("times", "changed"),
    ("setxattr", "changed"),
    ("fifo", "changed"),
    ("fchmod", "opened+changed"),
    ("socket", "changed"),
    ("no-socket", "asked+missing"),
    ("no-datagram", "asked+missing"),
    ("edge", "opened"),
    #[cfg(target_arch = "x86_64")]
    ("compat", "opened"),
    ("thread0", "opened"),
    ("thread7", "opened"),
    ("fork", "opened"),
    ("vfork", "executed"),
    ("fexecve", "opened+executed"),
    ("script", "executed"),
    ("interpreter", "executed"),
    ("ends", "executed"),
    ("lame", "executed"),
    ("no-interpreter", "executed+missing"),
    ("no-program", "executed+missing"),
    ("helper", "executed"),
    ("secret-of-root", "opened"),
    ("secret", "opened+denied"),
    ("readable", "opened+executed+denied"),
    ("readable-created", "changed+denied"),
    ("closed/file", "opened+denied"),
    ("closed/stat", "asked+denied"),
    ("jail", "asked"),
    ("jail/inner", "opened"),
    ("jail/absolute", "link"),
    ("jail/target", "opened"),
    ("jail/clamped", "opened"),
    ("dir/outside", "opened"),
    ("after", "opened"),
    ("dir/here-after", "opened"),
    ("dir/after", "opened"),
];

fn compare(trace: &Trace) {
    let found = lines(trace);
    let mut wrong = Vec::new();
    for (name, expected) in EXPECTED {
        let path = format!("/p/{name}");
        let got = found.get(&path).map_or("nothing", String::as_str);
        if got != *expected {
            wrong.push(format!("{path}: {got}, expected {expected}"));
        }
    }
    let known = |path: &str| {
        let name = path.strip_prefix("/p/");
        name.is_none_or(|name| {
            name.starts_with("thread") || EXPECTED.iter().any(|(known, _)| *known == name)
        })
    };
    let more = found.iter().filter(|(path, _)| !known(path));
    wrong.extend(more.map(|(path, touch)| format!("{path}: {touch}, not expected")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let argv = &trace.programs[&FilePath::new("p/fexecve")];
    assert_eq!(argv[..], ["argument zero", "one"]);
    assert_eq!(
        trace.programs[&FilePath::new("p/vfork")],
        ["vfork", "argument"]
    );
    assert_eq!(trace.programs[&FilePath::new("p/probe")][0], "/p/probe");
}

pub(crate) fn check(sandbox: &Sandbox, flags: &[&str]) {
    let Some(files) = compile(flags) else { return };
    let root = root(sandbox, &files);
    let spec = ContainerSpec {
        args: vec!["/p/probe".into()],
        ..ContainerSpec::default()
    };
    let mut all = Vec::new();
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let (trace, said) = traced(sandbox, &root, by, &spec);
        assert!(
            said.contains("signals 2 stopped 1 exit 42 killed 15 ring 1")
                && said.contains("helper 33 0 1")
                && said.starts_with("7 "),
            "{by:?}: {said}"
        );
        compare(&trace);
        let libraries = files[1..].iter().filter(|(path, _)| !path.contains("vdso"));
        for (path, _) in libraries {
            assert!(trace.paths.contains_key(&FilePath::new(path)), "{path}");
        }
        all.push(lines(&trace));
    }
    assert_eq!(all[0], all[1]);
}

#[test]
fn every_kind_of_access_of_a_dynamic_program() {
    let Some(sandbox) = root_tier() else { return };
    check(&sandbox, &[]);
}

#[test]
fn every_kind_of_access_of_a_static_program() {
    let Some(sandbox) = root_tier() else { return };
    check(&sandbox, &["-static"]);
}

#[test]
fn forty_thousand_files_and_not_one_less() {
    let Some(sandbox) = root_tier() else { return };
    let Some(files) = compile(&["-static"]) else {
        return;
    };
    const MANY: usize = 40_000;
    let mut root = sandbox.new_root().unwrap();
    root.file("p/probe", 0o755, &files[0].1).unwrap();
    for number in 0..MANY {
        root.file(&format!("many/{}/{number}", number / 200), 0o644, b"x")
            .unwrap();
    }
    let root = root.finish().unwrap();
    let count = MANY.to_string();
    let spec = ContainerSpec {
        args: ["/p/probe", "many", &count].map(Into::into).to_vec(),
        ..ContainerSpec::default()
    };
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let (trace, said) = traced(&sandbox, &root, by, &spec);
        assert_eq!(said, format!("0 good {MANY}\n"));
        let opened = trace.having(jettison_plan::Touch::OPENED);
        assert_eq!(opened.count(), MANY, "{by:?}");
    }
}

#[test]
fn goroutines_of_a_static_program() {
    let Some(sandbox) = root_tier() else { return };
    let Some(program) = go() else { return };
    let mut root = sandbox.new_root().unwrap();
    root.file("p/go", 0o755, &program).unwrap();
    for number in 0..100 {
        root.file(&format!("p/{number}"), 0o644, b"x").unwrap();
    }
    let root = root.finish().unwrap();
    let spec = ContainerSpec {
        args: vec!["/p/go".into()],
        ..ContainerSpec::default()
    };
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let (trace, said) = traced(&sandbox, &root, by, &spec);
        assert_eq!(said, "0 done\n");
        let lines = lines(&trace);
        for number in 0..100 {
            let touch = lines.get(&format!("/p/{number}")).map(String::as_str);
            assert!(touch.is_some_and(|t| t.starts_with("opened")), "{number}");
        }
        assert_eq!(lines["/p/none"], "asked+missing");
        assert_eq!(lines["/p/go"], "executed");
    }
}

fn go() -> Option<Vec<u8>> {
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("main.go");
    let text = r#"package main
import ("fmt"; "os"; "sync")
func main() {
	var all sync.WaitGroup
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := os.ReadFile(fmt.Sprintf("/p/%d", i)); err != nil { panic(err) }
		}()
	}
	all.Wait()
	os.Stat("/p/none")
	fmt.Println("done")
}
"#;
    std::fs::write(&source, text).unwrap();
    let go = ["go", "/usr/local/go/bin/go"]
        .map(PathBuf::from)
        .into_iter()
        .find(|go| Command::new(go).arg("version").output().is_ok());
    let Some(go) = go else {
        eprintln!("skipped: go is not installed");
        return None;
    };
    let mut command = Command::new(go);
    command.args(["build", "-o", "program", "main.go"]);
    command
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .current_dir(scratch.path());
    assert!(command.status().unwrap().success());
    std::fs::read(scratch.path().join("program")).ok()
}
