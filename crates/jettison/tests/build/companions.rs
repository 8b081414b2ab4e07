//! A service that comes as a container of another image: built on the spot, it
//! runs beside the program as long as that is judged or tried.

use std::process::Stdio;

use crate::support::{Bench, have, ran};

/// Says its one word to whoever connects, after a pause as databases make.
const KEEPER: &str = r#"package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	time.Sleep(300 * time.Millisecond)
	listener, err := net.Listen("tcp", ":9000")
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(connection, os.Args[1:], os.Getenv("WORD"), os.Getuid())
		connection.Close()
	}
}
"#;

/// Needs the other at its start, and passes on what that says.
const ASKER: &str = r#"package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

func word() (string, error) {
	connection, err := net.Dial("tcp", "keeper:9000")
	if err != nil {
		return "", err
	}
	said, err := io.ReadAll(connection)
	return string(said), err
}

func main() {
	if said, err := word(); err != nil {
		log.Fatal(err)
	} else {
		fmt.Print("heard ", said)
	}
	http.HandleFunc("/word", func(w http.ResponseWriter, r *http.Request) {
		said, err := word()
		if err != nil || said != "[one two] secret 65532\n" {
			http.Error(w, said, 500)
		}
	})
	log.Fatal(http.ListenAndServe(":8000", nil))
}
"#;

#[test]
fn a_companion_runs_beside_the_program() {
    if !have("go") {
        return;
    }
    let keeper = Bench::go(KEEPER);
    let archive = format!("oci-archive:{}", keeper.path("keeper.tar").display());
    keeper.build(["-o", &archive]).says(0, &["whole"]);
    let bench = Bench::go(ASKER);
    let service = format!("keeper={archive} one two");
    let build = |more: &[&str]| bench.build(["--probe", "/word"].iter().chain(more));
    let with = ["--service", &service, "--service-env", "keeper:WORD=secret"];
    build(&with).says(0, &["whole", "in local store: app:latest"]);
    // Another word, and the program says so itself.
    build(&with[..2]).says(1, &["500", "nothing was delivered"]);
    build(&[]).says(3, &["could not tell", "--service", "nothing was delivered"]);

    let mut run = bench.jettison();
    run.args(["run", "-q", "--timeout", "1", "app", "--hardened"])
        .args(with);
    let ran = ran(run.stdout(Stdio::piped()));
    assert!(
        ran.stdout.contains("heard [one two] secret 65532"),
        "{}",
        ran.text()
    );
}

#[test]
fn a_companion_that_does_not_start_is_no_fault_of_the_program() {
    if !have("go") {
        return;
    }
    let keeper =
        Bench::go("package main\n\nfunc main() { println(\"no data directory\"); panic(1) }\n");
    let archive = format!("oci-archive:{}", keeper.path("keeper.tar").display());
    keeper
        .build(["-o", &archive, "--probe", "start -> 2"])
        .says(0, &["whole"]);
    let bench = Bench::go(ASKER);
    let service = format!("keeper={archive}");
    let ran = bench.build(["--service", &service]);
    ran.says(
        2,
        &[
            "service keeper",
            "ended with code 2",
            "no data directory",
            "--service",
        ],
    );
    bench
        .build(["--service", "keeper=oci:nowhere"])
        .says(2, &["service keeper", "nowhere"]);
}
