//! The probe grammar: what each line means, printed back in its shortest form.

use jettison_plan::{Action, Expectation, Probe, ProbeParseError, Scheme};

/// Parses, prints, and parses again.
#[track_caller]
fn check(line: &str, printed: &str) -> Probe {
    let probe: Probe = line.parse().expect(line);
    assert_eq!(probe.to_string(), printed);
    assert_eq!(printed.parse::<Probe>().expect(printed), probe);
    probe
}

#[track_caller]
fn check_error(line: &str, message: &str) {
    let error = line.parse::<Probe>().expect_err(line).to_string();
    assert!(error.contains(message), "{line}: {error}");
}

#[test]
fn paths() {
    check("/", "/");
    check("GET /health", "/health");
    check("  /a?b=c&d=%20 ", "/a?b=c&d=%20");
    check(":8080/x", ":8080/x");
    check(":8080", ":8080/");
    check("HEAD :8080/x", "HEAD :8080/x");
    check("http://localhost:8080/x", ":8080/x");
    check("http /x", "/x");
}

#[test]
fn https() {
    for line in [
        "https:8443/x",
        "https :8443/x",
        "https://:8443/x",
        "https://localhost:8443/x",
    ] {
        let probe = check(line, "https:8443/x");
        let Action::Http(request) = probe.action else {
            panic!("not http")
        };
        assert_eq!((request.scheme, request.port), (Scheme::Https, Some(8443)));
    }
    check("POST https /x", "POST https/x");
}

#[test]
fn requests_with_headers_body_and_status() {
    let probe = check(
        r#"POST :8080/items -H 'Content-Type: application/json' -d '{"name":"it'\''s"}' -> 201"#,
        r#"POST :8080/items -H 'Content-Type: application/json' -d '{"name":"it'\''s"}' -> 201"#,
    );
    assert_eq!(probe.expectation, Expectation::Exactly(201));
    let Action::Http(request) = probe.action else {
        panic!("not http")
    };
    assert_eq!(request.body.as_deref(), Some(r#"{"name":"it's"}"#));
    check("/missing -> 404", "/missing -> 404");
}

#[test]
fn commands() {
    let probe = check("exec:/app --name 'a b' -> 3", "exec:/app --name 'a b' -> 3");
    assert_eq!(probe.expectation, Expectation::Exactly(3));
    let probe = check(r#"exec:["/app","->","3"]"#, r#"exec:["/app","->","3"]"#);
    assert_eq!(probe.expectation, Expectation::Success);
    check("exec:/app ''", "exec:/app ''");
    check(
        "sh:test -f /x && echo 'a  b'",
        "sh:test -f /x && echo 'a  b'",
    );
    let probe = check("sh:test -f /x -> 1", "sh:test -f /x -> 1");
    assert_eq!(probe.expectation, Expectation::Exactly(1));
    let Action::Shell { command } = probe.action else {
        panic!("not a shell's")
    };
    assert_eq!(command, "test -f /x");
    check("sh:echo a >- && ls -> b", "sh:echo a >- && ls -> b");
    check("sh:x->3", "sh:x->3");
    check("sh:echo -> 3 -> 0", "sh:echo -> 3 -> 0");
    let mut probe: Probe = "sh:x".parse().expect("a probe");
    probe.action = Action::Shell {
        command: "echo -> 3".to_owned(),
    };
    assert_eq!(probe.to_string(), "sh:echo -> 3 -> 0");
}

#[test]
fn words_of_one() {
    check("tcp:5432", "tcp:5432");
    check(r"tcp:6379 -d 'PING\r\n'", r"tcp:6379 -d 'PING\r\n'");
    check(r"tcp:1 -d '\x00\xd2/\\'", r"tcp:1 -d '\x00\xd2/\\'");
    check("tcp:1 -d version", "tcp:1 -d version");
    check("healthcheck", "healthcheck");
    check("stop", "stop");
    check("stop -> 1", "stop -> 1");
    check("start", "start");
    check("start -> 2", "start -> 2");
}

#[test]
fn errors_say_what_is_wrong() {
    check_error("", "empty");
    check_error("tcp:0", "not a port");
    check_error("tcp:http", "not a port");
    check_error("tcp:1 -d", "needs a value");
    check_error(r"tcp:1 -d '\q'", "backslash");
    check_error(r"tcp:1 -d '\x0'", "backslash");
    check_error("tcp:1 x", "not a probe");
    check_error(":99999/x", "not a port");
    check_error("exec:", "needs a command");
    check_error("exec:''", "needs a command");
    check_error("exec:[1]", "JSON");
    check_error("sh:  ", "needs a command");
    check_error("sh: -> 1", "needs a command");
    check_error("sh:x -> 256", "expected status");
    check_error("/x -> 99", "expected status");
    check_error("exec:/x -> 256", "expected status");
    check_error("/x -H nonsense", "header");
    check_error("/x -H", "needs a value");
    check_error("/x 'open", "quote");
    check_error("/a b", "is not a probe");
    check_error("/ü", "percent-encode");
    check_error("ftp://x/", "is not a probe");
    check_error("GET", "is not a probe");
}

#[test]
fn files_name_the_line() {
    let text = "# liveness\n\n/health\n  tcp:5432\n";
    assert_eq!(Probe::parse_lines(text).expect("two probes").len(), 2);
    let error = Probe::parse_lines("/ok\n\nnope\n").expect_err("line 3");
    assert_eq!(error, (3, ProbeParseError::Form("nope".to_owned())));
}

#[test]
fn documents_keep_a_probe() {
    let probe: Probe = "POST /x -d 'a b' -> 201".parse().expect("a probe");
    let json = serde_json::to_string(&probe).expect("serialises");
    assert_eq!(
        json,
        r#"{"line":"POST /x -d 'a b' -> 201","origin":"asked"}"#
    );
    assert_eq!(serde_json::from_str::<Probe>(&json).expect("parses"), probe);
}
