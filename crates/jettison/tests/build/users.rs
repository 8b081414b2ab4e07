//! `build` and `run` for people without rights: an ordinary user, and one whom
//! the kernel allows no namespace.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, have, output, ran};

/// Nobody's, as on a machine where nobody gave it subordinate ids.
const USER: u32 = 54_998;

/// Listens, and says on which file system it finds itself.
const SERVER: &str = r#"package main

import (
	"net"
	"os"
)

func main() {
	if _, err := os.Stat("/usr/bin"); err == nil {
		println("sees the machine")
	}
	listener, err := net.Listen("tcp", ":18973")
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		connection.Close()
	}
}
"#;

/// Comes before a program that shall find that no user namespace can be made:
/// there is one already, and it allows no more inside.
const FORBIDDEN: [&str; 7] = [
    "unshare",
    "--user",
    "--map-current-user",
    "--keep-caps",
    "sh",
    "-c",
    "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all \
     --inh-caps -all --ambient-caps -all \"$0\" \"$@\"",
];

/// A home, a project and the program, all of the user's.
struct Person {
    home: TempDir,
}

impl Person {
    /// None, said aloud, where nobody can become another.
    fn new() -> Option<Self> {
        if !have("go") || !have("setpriv") || !have("unshare") {
            return None;
        }
        if output("id", &["-u"]).trim() != "0" {
            println!("skipped: not root, who alone becomes another user");
            return None;
        }
        let home = TempDir::new().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("app")).unwrap();
        fs::write(at("app/go.mod"), "module example.org/app\n\ngo 1.21\n").unwrap();
        fs::write(at("app/main.go"), SERVER).unwrap();
        // The build directory may be closed to others.
        fs::copy(env!("CARGO_BIN_EXE_jettison"), at("jettison")).unwrap();
        for name in ["", "app", "app/go.mod", "app/main.go"] {
            chown(at(name), Some(USER), Some(USER)).unwrap();
        }
        Some(Self { home })
    }

    /// Runs the program as this person, behind the words of `prefix`.
    fn jettison(&self, prefix: &[&str], arguments: &[&str]) -> Ran {
        let id = USER.to_string();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .arg("--inh-caps=-all")
            .args(prefix)
            .arg(self.home.path().join("jettison"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .current_dir(self.home.path());
        ran(&mut command)
    }

    fn evidence(&self) -> Value {
        let text = fs::read(self.home.path().join("evidence.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

const BUILD: [&str; 7] = [
    "build",
    "app",
    "-o",
    "oci-archive:app.tar",
    "--evidence",
    "evidence.json",
    "--probe=tcp:18973",
];

#[test]
fn an_ordinary_user_builds_and_runs() {
    let Some(person) = Person::new() else {
        return;
    };
    person
        .jettison(&[], &BUILD)
        .says(0, &["whole", "in oci-archive:app.tar", "in local store"]);
    let evidence = person.evidence();
    if evidence["isolation"]["kind"] == "unisolated" {
        println!("skipped: this machine allows ordinary users no sandbox");
        return;
    }
    assert_eq!(evidence["isolation"]["profile"], "hardened", "{evidence}");
    let run = ["run", "app", "--timeout", "1"];
    let tried = person.jettison(&[], &run);
    assert!(tried.stderr.contains("contained by"), "{}", tried.text());
    assert!(
        !tried.text().contains("sees the machine"),
        "{}",
        tried.text()
    );
    // No more is left than what the person asked for.
    let mut left: Vec<String> = fs::read_dir(person.home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "go")
        .collect();
    left.sort();
    assert_eq!(left, ["app", "app.tar", "evidence.json", "jettison"]);
}

#[test]
fn where_nothing_contains_the_own_program_runs_unisolated_and_no_other() {
    let Some(person) = Person::new() else {
        return;
    };
    let allowed = ran(Command::new("setpriv")
        .args(["--reuid", &USER.to_string(), "--clear-groups"])
        .args(FORBIDDEN)
        .arg("true"));
    if allowed.code != Some(0) {
        println!(
            "skipped: no user namespace to forbid others in: {}",
            allowed.text()
        );
        return;
    }
    person.jettison(&FORBIDDEN, &BUILD).says(
        0,
        &[
            "whole",
            "run unisolated, as a plain child process",
            "in local store",
        ],
    );
    let evidence = person.evidence();
    assert_eq!(evidence["isolation"]["kind"], "unisolated", "{evidence}");
    assert_eq!(evidence["verdict"], "whole");

    let run = person.jettison(&FORBIDDEN, &["run", "oci-archive:app.tar"]);
    run.says(125, &["user namespace", "user.max_user_namespaces"]);
    assert_eq!(run.stdout, "");
    // Who is not root has no chroot either: nobody recommends it.
    assert!(!run.text().contains("--allow-chroot"), "{}", run.text());
    let doctor = person.jettison(&FORBIDDEN, &["doctor"]);
    doctor.says(0, &["no images of others"]);
    assert!(
        !doctor.text().contains("--allow-chroot"),
        "{}",
        doctor.text()
    );
    let image = "oci-archive:app.tar";
    person
        .jettison(&FORBIDDEN, &["slim", image, "-o", "oci-archive:small.tar"])
        .says(3, &["user.max_user_namespaces"]);
    person
        .jettison(&FORBIDDEN, &["verify", image, image])
        .says(3, &["user.max_user_namespaces"]);
    // Nothing is judged here: the column of the start says why it is empty.
    person
        .jettison(&FORBIDDEN, &["compare", image, image])
        .says(0, &["uncontained"]);
    // A companion is somebody else's, and its program is not judged without it.
    let service = ["--service", "db=oci-archive:app.tar"];
    person
        .jettison(&FORBIDDEN, &[&BUILD[..], &service].concat())
        .says(3, &["not run", "db", "nothing was delivered"]);
    // A server that is there answers, though not under that name.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let service = format!("db=tcp:{}", listener.local_addr().unwrap());
    person
        .jettison(&FORBIDDEN, &[&BUILD[..], &["--service", &service]].concat())
        .says(0, &["whole", "service db is not known under that name"]);
}
