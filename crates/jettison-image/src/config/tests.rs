//! Configs as engines write them, and as an attacker does.

use super::*;

fn parse(json: &str) -> ImageConfig {
    ImageConfig::parse(json.as_bytes(), &Limits::default()).unwrap()
}

fn check_error(json: &str, expected: &str) {
    let error = ImageConfig::parse(json.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{json}");
}

/// What `docker save` of 20.10 holds for `FROM scratch`, shortened.
const DOCKER: &str = r#"{"architecture":"amd64","config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"ExposedPorts":{"8080/tcp":{}},"Tty":false,"Env":["PATH=/usr/bin","A=1"],"Cmd":null,"Healthcheck":{"Test":["CMD","/app","-check"],"Interval":30000000000,"Retries":3},"Image":"sha256:aa","Volumes":null,"WorkingDir":"/srv","Entrypoint":["/app"],"OnBuild":null,"Labels":{"b":"2","a":"1"}},"container":"f00","container_config":{"Hostname":"f00"},"created":"2026-01-02T03:04:05.678Z","docker_version":"20.10.24","history":[{"created":"2026-01-02T03:04:05Z","created_by":"/bin/sh -c #(nop) COPY file:1 in /app "},{"created_by":"ENTRYPOINT","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#;

#[test]
fn docker_config() {
    let config = parse(DOCKER);
    assert_eq!(config.platform().to_string(), "linux/amd64");
    assert_eq!(config.run.argv(), ["/app"]);
    assert_eq!(config.run.env_value("A"), Some("1"));
    assert_eq!(config.run.working_dir, "/srv");
    assert!(config.run.exposed_ports.contains("8080/tcp"));
    let healthcheck = config.run.healthcheck.as_ref().unwrap();
    assert_eq!(
        (healthcheck.interval_ns, healthcheck.retries),
        (30_000_000_000, 3)
    );
    assert_eq!(config.other["docker_version"], "20.10.24");
    assert_eq!(config.run.other["Image"], "sha256:aa");
    let steps = config.layer_history().unwrap();
    assert!(steps[0].created_by.as_ref().unwrap().contains("COPY"));
}

#[test]
fn written_bytes_depend_on_the_value_alone() {
    let config = parse(DOCKER);
    let bytes = config.to_bytes();
    assert_eq!(
        ImageConfig::parse(&bytes, &Limits::default()).unwrap(),
        config
    );
    let mut again = parse(&String::from_utf8(bytes.clone()).unwrap());
    assert_eq!(again.to_bytes(), bytes);
    again.run.set_env("A", "2");
    again.run.set_env("B", "3");
    assert_eq!(again.run.env, ["PATH=/usr/bin", "A=2", "B=3"]);
    assert_ne!(again.to_bytes(), bytes);
}

#[test]
fn minimal_and_null_fields() {
    let config = parse(r#"{"config":null,"rootfs":{"diff_ids":null},"history":null}"#);
    assert_eq!(config.run, RunConfig::default());
    assert_eq!(config.layer_history(), Some(vec![]));
    let config = parse(r#"{"CONFIG":{"cmd":["a",null],"entrypoint":[]}}"#);
    assert_eq!(config.run.cmd, ["a", ""]);
}

#[test]
fn what_is_refused() {
    check_error(
        r#"{"config":[]}"#,
        "config: config: expected an object, found a list",
    );
    check_error(
        r#"{"config":{"Env":"A=1"}}"#,
        "config: config: Env: expected a list, found a text",
    );
    check_error(
        r#"{"config":{"Env":[1]}}"#,
        "config: config: Env: expected a list of texts, found a number",
    );
    check_error(
        r#"{"config":{"Cmd":[],"cmd":[]}}"#,
        "config: config: says both `Cmd` and `cmd`",
    );
    check_error(
        r#"{"config":{"Labels":{"a":{}}}}"#,
        "config: config: Labels: expected texts only, found an object",
    );
    check_error(
        r#"{"history":[null]}"#,
        "config: history[0]: expected an object, found null",
    );
    check_error(
        r#"{"rootfs":{"diff_ids":["sha256:00"]}}"#,
        "config: rootfs: diff_ids[0]: digest is not sha256: and 64 lower-case hexadecimal digits",
    );
    check_error(
        r#"{"config":{"Healthcheck":{"Interval":1e30}}}"#,
        "config: config: Healthcheck: Interval: expected a whole number, found a number",
    );
    let error = ImageConfig::parse(&vec![b'['; 1 << 20], &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn a_history_that_does_not_fit_names_no_layer() {
    let mut config = parse(DOCKER);
    config.history.push(History::default());
    assert_eq!(config.layer_history(), None);
}
