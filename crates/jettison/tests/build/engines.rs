//! What was proven here answers the same in a Docker engine.

use std::process::Command;

use serde_json::{Value, json};

use crate::ask::ask;
use crate::support::{Bench, have, output, provided, ran};

/// A tag and a container that end with this value.
pub(crate) struct Shipped {
    /// Has it in its store as well.
    pub(crate) bench: Bench,
    host: String,
    pub(crate) name: String,
}

impl Shipped {
    /// Builds an example with `-t` and these flags.
    pub(crate) fn build(example: &str, program: &str, arguments: &[&str]) -> Option<Self> {
        if !have(program) || !have("docker") {
            return None;
        }
        let host = provided("JETTISON_TEST_DOCKER_HOST")?;
        let name = format!("jettison-test-{example}:{}", std::process::id());
        let bench = Bench::example(example);
        let mut command = bench.command();
        command
            .env("DOCKER_HOST", &host)
            .args(["-t", &name])
            .args(arguments);
        ran(&mut command).says(0, &["whole", "in local store", "in engine at", &name]);
        Some(Self { bench, host, name })
    }

    fn docker(&self, arguments: &[&str]) -> String {
        output("docker", &[&["--host", &self.host], arguments].concat())
    }

    fn config(&self) -> Value {
        let text = self.docker(&["image", "inspect", &self.name]);
        serde_json::from_str::<Value>(&text).unwrap()[0]["Config"].take()
    }

    /// Starts it as hardened as the sandbox does and returns where `port` is.
    fn start(&self, port: u16) -> Container<'_> {
        self.start_with(port, &[])
    }

    pub(crate) fn start_with(&self, port: u16, more: &[&str]) -> Container<'_> {
        let port = port.to_string();
        let publish = format!("127.0.0.1::{port}");
        let flags = "run --detach --read-only --cap-drop ALL --publish";
        let flags: Vec<&str> = flags
            .split(' ')
            .chain([publish.as_str()])
            .chain(more.iter().copied())
            .chain([self.name.as_str()])
            .collect();
        Container {
            image: self,
            id: self.docker(&flags).trim().to_owned(),
        }
    }
}

impl Drop for Shipped {
    fn drop(&mut self) {
        Command::new("docker")
            .args(["--host", &self.host, "rmi", "--force", &self.name])
            .output()
            .ok();
    }
}

pub(crate) struct Container<'a> {
    image: &'a Shipped,
    id: String,
}

impl Container<'_> {
    /// Where a port of it is published.
    pub(crate) fn address(&self, port: u16) -> String {
        let published = self.image.docker(&["port", &self.id, &port.to_string()]);
        published.lines().next().unwrap().trim().to_owned()
    }

    fn get(&self, port: u16, path: &str) -> (u16, String) {
        ask(&self.address(port), "GET", path, "")
    }

    pub(crate) fn stop(&self) -> String {
        self.image.docker(&["stop", &self.id]);
        let format = "{{.State.ExitCode}}";
        let code = self
            .image
            .docker(&["inspect", "--format", format, &self.id]);
        code.trim().to_owned()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        Command::new("docker")
            .args(["--host", &self.image.host, "rm", "--force", &self.id])
            .output()
            .ok();
    }
}

/// Both services of the guides have one interface.
fn info_service(example: &str, toolchain: &str, framework: &str) {
    let Some(shipped) = Shipped::build(example, toolchain, &["--label", "team=a"]) else {
        return;
    };
    let config = shipped.config();
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["ExposedPorts"], json!({"8000/tcp": {}}));
    assert_eq!(config["Cmd"], Value::Null);
    let entrypoint = config["Entrypoint"].as_array().unwrap();
    assert_eq!(entrypoint.len(), 1, "{config}");
    assert!(entrypoint[0].as_str().unwrap().starts_with('/'), "{config}");
    assert_eq!(config["Labels"]["team"], "a");
    assert!(
        config["Labels"]["org.opencontainers.image.title"].is_string(),
        "{config}"
    );

    let container = shipped.start(8000);
    let (status, body) = container.get(8000, "/");
    let info: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert!(
        info["service"]["framework"]
            .as_str()
            .unwrap()
            .contains(framework),
        "{info}"
    );
    // From the /etc/os-release that the image has, not the host's.
    assert!(
        info["system"]["platform_version"]
            .as_str()
            .unwrap()
            .contains("Debian"),
        "{info}"
    );
    assert_eq!(container.get(8000, "/health").0, 200);
    assert_eq!(container.get(8000, "/nothing").0, 404);
    assert_eq!(container.stop(), "0");
}

#[test]
fn devops_info_go() {
    info_service("devops-info-go", "go", "net/http");
}

#[test]
fn devops_info_go_is_small() {
    if !have("go") {
        return;
    }
    let bench = Bench::example("devops-info-go");
    for (keep, most) in [
        ("ca-certificates", 300_000),
        ("ca-certificates,tzdata", 800_000),
    ] {
        let document = bench.document(["--keep", keep]);
        let sizes = &document["sizes"];
        let rows = sizes["rows"].as_array().unwrap();
        let program = |row: &&Value| row["component"].as_str().unwrap().starts_with("program ");
        let program = rows.iter().find(program).unwrap()["unpacked_bytes"]
            .as_u64()
            .unwrap();
        let beside = sizes["unpacked_bytes"].as_u64().unwrap() - program;
        assert!(beside <= most, "{keep}: {beside} bytes beside the program");
    }
    let wire = bench.document([""; 0])["sizes"]["wire_bytes"]
        .as_u64()
        .unwrap();
    assert!(wire < 2_400_000, "{wire} bytes on the wire");
}

#[test]
fn devops_info_rust() {
    info_service("devops-info-rust", "cargo", "");
}

#[test]
fn hello_go() {
    let Some(shipped) = Shipped::build(
        "hello-go",
        "go",
        &["--stop-signal", "SIGINT", "--workdir", "/srv"],
    ) else {
        return;
    };
    let config = shipped.config();
    assert_eq!(config["StopSignal"], "SIGINT");
    assert_eq!(config["WorkingDir"], "/srv");
    let said = shipped.docker(&["run", "--rm", &shipped.name]);
    let here = output(
        "go",
        &[
            "run",
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../examples/hello-go/main.go"
            ),
        ],
    );
    assert_eq!(said, here);
}
