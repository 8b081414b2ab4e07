//! What a container can do to the program that runs the sandbox.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use jettison_sandbox::{ExecSpec, shield_own_program};

use crate::support::*;

const SHIELDED: &str = "JETTISON_TEST_SHIELDED";

/// Everything that is not the container's own gets another mode.
const ATTACK: &str = "while :; do for p in /proc/[0-9]*; do case \"$(readlink $p/exe)\" in \
     */busybox|'') ;; *) chmod 0711 $p/exe && echo hit;; esac; done; done";

/// How often a container that is watched by an attacker gets `program` as a
/// further command, and how often the attacker reached something of ours.
fn attack(own: &Path, program: &[&str]) -> Option<usize> {
    let sandbox = root_tier()?;
    let mut root = sandbox.new_root().unwrap();
    fill_shell(&mut root)?;
    for name in ["chmod", "readlink"] {
        link(&mut root, &format!("bin/{name}"), "busybox");
    }
    // The libraries of our own program, so that it can run there.
    let libraries = Command::new("ldd").arg(own).output().unwrap().stdout;
    let libraries = String::from_utf8_lossy(&libraries).into_owned();
    for path in libraries.split_whitespace().filter(|w| w.starts_with('/')) {
        let content = std::fs::read(path).unwrap();
        root.file(path.trim_start_matches('/'), 0o755, &content)
            .unwrap();
    }
    let root = root.finish().unwrap();
    let container = sandbox.start(&root, &sh(ATTACK)).unwrap();
    for _ in 0..60 {
        let spec = ExecSpec {
            args: program.iter().map(Into::into).collect(),
            ..ExecSpec::default()
        };
        let command = container.exec(&spec).unwrap();
        command.wait(Some(MOMENT)).unwrap().expect("it ends");
    }
    Some(container.stdout().to_text().lines().count())
}

#[test]
fn a_process_on_its_way_into_a_container_is_out_of_its_reach() {
    let own = std::env::current_exe().unwrap();
    if let Some(hits) = attack(&own, &["/bin/true"]) {
        assert_eq!(hits, 0);
    }
}

#[test]
fn what_runs_our_program_in_a_container_does_not_reach_its_file() {
    let own = std::env::current_exe().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    let before = mode(&own);
    let output = Command::new(&own)
        .args([
            "--exact",
            "own_program::shielded_attack",
            "--ignored",
            "--nocapture",
        ])
        .env(SHIELDED, &own)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert_eq!(mode(&own), before, "{said}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn shielded_attack() {
    let Some(file) = std::env::var_os(SHIELDED) else {
        return;
    };
    shield_own_program(std::env::args_os(), std::env::vars_os()).expect("a copy that runs");
    let own = std::fs::read_link("/proc/self/exe").unwrap();
    assert!(own.starts_with("/memfd:jettison (deleted)"), "{own:?}");
    let writes = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/exe");
    assert!(writes.is_err());
    println!(
        "{:?}",
        attack(Path::new(&file), &["/proc/self/exe", "--list"])
    );
}
