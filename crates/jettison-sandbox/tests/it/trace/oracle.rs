//! Real programs, held against `strace` in the same container: what it shows
//! is in the trace. And what being seen costs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jettison_plan::{FilePath, Touch, Trace};
use jettison_sandbox::{ContainerSpec, Mount, MountSource, Root, Sandbox, Tracing};

use super::traced;
use crate::support::*;

/// A root that shows the programs of this machine.
fn machine(sandbox: &Sandbox) -> Root {
    let mut root = sandbox.new_root().unwrap();
    for name in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(target) = std::fs::read_link(Path::new("/").join(name)) {
            link(&mut root, name, &target.to_string_lossy());
        }
    }
    root.file("etc/passwd", 0o644, b"root:x:0:0:root:/w:/bin/sh\n")
        .unwrap();
    root.finish().unwrap()
}

fn spec(args: &[&str]) -> ContainerSpec {
    let mut mounts = vec![Mount {
        source: MountSource::Tmpfs {
            size_bytes: 64 << 20,
            mode: 0o755,
        },
        target: "/w".into(),
        read_only: false,
    }];
    for path in ["/usr", "/root/.pyenv"] {
        if Path::new(path).is_dir() {
            mounts.push(Mount {
                source: MountSource::HostReadOnly(path.into()),
                target: path.into(),
                read_only: true,
            });
        }
    }
    ContainerSpec {
        args: args.iter().map(Into::into).collect(),
        env: [
            "GIT_AUTHOR_DATE=2000-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE=2000-01-01T00:00:00Z",
            "GIT_AUTHOR_NAME=a",
            "GIT_AUTHOR_EMAIL=a",
            "GIT_COMMITTER_NAME=a",
            "GIT_COMMITTER_EMAIL=a",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONHASHSEED=0",
            "HOME=/w",
        ]
        .map(Into::into)
        .to_vec(),
        mounts,
        ..ContainerSpec::default()
    }
}

fn python() -> Option<String> {
    let versions = std::fs::read_dir("/root/.pyenv/versions").into_iter();
    let pyenv = versions.flatten().flatten().map(|entry| entry.path());
    let all = pyenv.chain([PathBuf::from("/usr")]);
    let mut programs = all.map(|path| path.join("bin/python3"));
    programs
        .find(|path| path.exists())
        .map(|path| path.to_string_lossy().into_owned())
}

const GIT: &str = "cd /w && git init -q r && cd r && echo x > f && git add f && \
                   git commit -qm one && git log -1 --format=%s && git gc -q && git status -s";

/// One line of strace's: call, paths with where they start, result.
struct Line<'a> {
    call: &'a str,
    start: Option<&'a str>,
    path: Option<&'a str>,
    result: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (_, line) = line.split_once(' ')?;
    let (call, rest) = line.trim_start().split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let start = match arguments.split_once('<') {
        Some((before, after)) if !before.contains(['"', ',']) => after.split_once('>'),
        _ => None,
    };
    let path = arguments.split_once('"').map(|(_, rest)| rest);
    Some(Line {
        call,
        start: start.map(|(start, _)| start),
        path: path.and_then(|rest| Some(rest.split_once('"')?.0)),
        result,
    })
}

/// As the kernel would, on this machine, whose tree the container shows: as
/// far as it exists, plus the rest.
fn resolve(path: &str) -> String {
    let path = Path::new(path);
    if let Ok(full) = std::fs::canonicalize(path) {
        return full.to_string_lossy().into_owned();
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_string_lossy().into_owned();
    };
    let path = Path::new(&resolve(&parent.to_string_lossy())).join(name);
    match std::fs::read_link(&path) {
        Ok(target) => resolve(&path.with_file_name(target).to_string_lossy()),
        Err(_) => path.to_string_lossy().into_owned(),
    }
}

/// What strace shows and the trace lacks.
fn lacking(shown: &str, trace: &Trace) -> BTreeSet<String> {
    let touch = |path: &str| trace.paths.get(&FilePath::new(path)).copied();
    let mut lacking = BTreeSet::new();
    let mut unfinished = BTreeMap::new();
    let mut seen = 0;
    for line in shown.lines() {
        let pid = line.split(' ').next().unwrap_or_default();
        let mut whole = line.to_owned();
        if let Some((begin, _)) = line.split_once("<unfinished ...>") {
            unfinished.insert(pid, begin.to_owned());
            continue;
        }
        if let Some((_, end)) = line.split_once(" resumed>") {
            whole = unfinished.remove(pid).unwrap_or_default() + end;
        }
        let Some(line) = parse(&whole) else { continue };
        if line.call.starts_with("symlink") || line.call == "getcwd" {
            continue;
        }
        let path = match (line.path, line.start) {
            _ if line.call.starts_with("getdents") => line.start.map(str::to_owned),
            (Some(""), Some(start)) => Some(start.to_owned()),
            (Some(path), _) if path.starts_with('/') => Some(path.to_owned()),
            (Some(path), Some(start)) => Some(format!("{start}/{path}")),
            _ => None,
        };
        let Some(path) = path else { continue };
        // Names that are drawn by lot, and what is not the image's.
        let random = [
            "tmp_", ".tmp-", "refs_", "packs_", ".git/t", ".pyc.", "\\", "/tmp", "/proc", "/dev",
            "/sys", "pipe:",
        ];
        if random.iter().any(|part| path.contains(part)) {
            continue;
        }
        seen += 1;
        if line.result.contains("ENOENT") {
            // The machine may have, as a link, what the container has not.
            let found = touch(&resolve(&path)).or_else(|| touch(&path));
            if !found.is_some_and(|touch| touch.has(Touch::MISSING)) {
                lacking.insert(format!("{} {path} ENOENT: {found:?}", line.call));
            }
        } else if !line.result.starts_with('-') {
            let opened = line.result.split_once('<');
            let opened = opened.and_then(|(_, rest)| rest.strip_suffix('>'));
            let resolved = match opened {
                Some(path) => path.to_owned(),
                None if path.starts_with("/w") => path.clone(),
                None => resolve(&path),
            };
            let found = touch(&resolved);
            let enough = found.is_some_and(|touch| match line.call {
                "execve" => touch.has(Touch::EXECUTED),
                "openat" | "open" => touch.has(Touch::OPENED) || touch.has(Touch::CHANGED),
                "getdents64" => touch.has(Touch::LISTED),
                _ => true,
            });
            if !enough {
                lacking.insert(format!("{} {path} {resolved}: {found:?}", line.call));
            }
        }
    }
    assert!(seen > 100, "strace showed {seen} paths only: {shown}");
    lacking
}

fn check(args: &[&str]) {
    let Some(sandbox) = root_tier() else { return };
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let root = machine(&sandbox);
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut strace = vec![
        "strace",
        "-f",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=%file,getdents64,fchdir",
        "-o",
        "/dev/stderr",
    ];
    strace.extend_from_slice(args);
    let file = std::fs::File::create(out.path()).unwrap();
    let seen = ContainerSpec {
        stderr: jettison_sandbox::Stdio::Fd(std::sync::Arc::new(file.into())),
        ..spec(&strace)
    };
    let container = sandbox.start(&root, &seen).unwrap();
    let exit = container.wait(Some(MOMENT)).unwrap().unwrap();
    let shown = std::fs::read_to_string(out.path()).unwrap();
    assert_eq!(exit.code, 0, "{shown}");
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let (trace, said) = traced(&sandbox, &root, by, &spec(args));
        assert!(said.starts_with("0 "), "{said}");
        let lacking = lacking(&shown, &trace);
        assert!(lacking.is_empty(), "{by:?}: {lacking:#?}");
    }
}

#[test]
fn python_and_its_modules() {
    let Some(python) = python() else {
        eprintln!("skipped: python3 is not installed");
        return;
    };
    check(&[&python, "-c", "import http.server, json, ssl"]);
}

#[test]
fn git_and_its_many_processes() {
    if !Path::new("/usr/bin/git").exists() {
        eprintln!("skipped: git is not installed");
        return;
    }
    check(&["/bin/sh", "-c", GIT]);
}

#[test]
#[ignore = "measures; run it alone, in a release build"]
fn what_it_costs() {
    let Some(sandbox) = root_tier() else { return };
    let root = machine(&sandbox);
    let python = python().unwrap_or_default();
    let mut cases = vec![
        ("true", &root, spec(&["/bin/true"])),
        (
            "python imports",
            &root,
            spec(&[&python, "-c", "import http.server, json, ssl"]),
        ),
        ("git", &root, spec(&["/bin/sh", "-c", GIT])),
    ];
    let files = super::probe::compile(&["-static"]).unwrap();
    let mut many = sandbox.new_root().unwrap();
    many.file("p/probe", 0o755, &files[0].1).unwrap();
    for number in 0..40_000 {
        let path = format!("many/{}/{number}", number / 200);
        many.file(&path, 0o644, &[b'x'; 1000]).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        link(&mut many, name, &format!("usr/{name}"));
    }
    let many = many.finish().unwrap();
    cases.push((
        "40,000 files in C",
        &many,
        spec(&["/p/probe", "many", "40000"]),
    ));
    let script = "for i in range(40000):\n open(f'/many/{i//200}/{i}').read()";
    cases.push((
        "40,000 files in python",
        &many,
        spec(&[&python, "-c", script]),
    ));
    let node =
        "for(let i=0;i<40000;i++)require('fs').readFileSync(`/many/${Math.floor(i/200)}/${i}`)";
    if Path::new("/usr/bin/node").exists() {
        cases.push((
            "40,000 files in node",
            &many,
            spec(&["/usr/bin/node", "-e", node]),
        ));
    }
    let only = std::env::var("JETTISON_MEASURE").unwrap_or_default();
    let runs = std::env::var("JETTISON_RUNS").ok();
    let runs = runs.and_then(|runs| runs.parse().ok()).unwrap_or(5);
    for (name, root, spec) in cases {
        if !name.contains(&only) {
            continue;
        }
        let ways = [Tracing::Off, Tracing::ByNotification, Tracing::ByPtrace];
        // Of wall and processor time the least: others use the machine, too.
        let mut least = [[f64::MAX; 2]; 3];
        for _ in 0..runs {
            for (way, least) in ways.into_iter().zip(&mut least) {
                let spec = ContainerSpec {
                    trace: way,
                    ..spec.clone()
                };
                let (before, used) = (Instant::now(), processor_ms());
                let container = sandbox.start(root, &spec).unwrap();
                let exit = container.wait(Some(MOMENT * 20)).unwrap();
                let wall = before.elapsed().as_secs_f64() * 1e3;
                let code = exit.map(|exit| exit.code);
                let said = container.stderr().to_text();
                assert_eq!(code, Some(0), "{name} {way:?} {said}");
                drop(container);
                std::thread::sleep(Duration::from_millis(20));
                let used = processor_ms() - used;
                *least = [least[0].min(wall), least[1].min(used)];
            }
        }
        let [off, notification, ptrace] = least;
        let shown = |way: [f64; 2]| {
            let times = |at: usize| way[at] / off[at];
            format!(
                "{:.1} ms ({:.2}), processor {:.0} ms ({:.2})",
                way[0],
                times(0),
                way[1],
                times(1)
            )
        };
        println!(
            "{name}: {}; notification {}; ptrace {}",
            shown(off),
            shown(notification),
            shown(ptrace)
        );
    }
}

/// What all processes below ours have used, and those below them that have ended.
fn processor_ms() -> f64 {
    let below = |pid: &str| -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        let tasks = tasks.into_iter().flatten().flatten();
        let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
        let children: Vec<String> = children.flatten().collect();
        let pids = children.iter().flat_map(|line| line.split_whitespace());
        pids.map(str::to_owned).collect()
    };
    // utime, stime, cutime and cstime (proc(5)) in hundredths.
    let used = |pid: &String| -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields = rest.split(' ').skip(11).take(4);
        fields.flat_map(str::parse::<f64>).sum::<f64>() * 10.0
    };
    let mut all = below("self");
    let mut next = 0;
    while let Some(pid) = all.get(next).cloned() {
        all.extend(below(&pid));
        next += 1;
    }
    all.iter().map(used).sum()
}
