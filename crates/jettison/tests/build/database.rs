//! The service that keeps users in PostgreSQL, against a real server with a
//! certificate of a test authority: in the sandbox, and in a Docker engine.

use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::ask::ask;
use crate::engines::Shipped;
use crate::postgres::Server;
use crate::support::{Bench, have, provided, published, ran};

#[test]
fn crud_go() {
    if !have("go") || !have("openssl") || !have("setpriv") {
        return;
    }
    let Some(bin) = provided("JETTISON_TEST_POSTGRES_BIN") else {
        return;
    };
    let server = Server::start(&bin, &[]);
    let bench = Bench::example("crud-go");
    let service = format!("db=tcp:127.0.0.1:{}", server.port);
    let (ca, other) = (server.file("ca.pem"), server.file("other.pem"));
    let port = format!("POSTGRES_PORT={}", server.port);
    let build = |mode: &str, flags: &[&str]| {
        let mode = format!("POSTGRES_SSL_MODE={mode}");
        let mut command = bench.command();
        for variable in ["POSTGRES_HOST=db", "POSTGRES_PASSWORD=secret", &port, &mode] {
            command.args(["--env", variable]);
        }
        ran(command.args(flags))
    };
    let with = ["--service", service.as_str()];
    build("require", &with).says(0, &["whole", "migrations", "tzdata", "/api/v1/users"]);
    build("verify-full", &[&with[..], &["--ca", &ca]].concat()).says(0, &["whole"]);
    // Refused, and a person is told which flag brings the authority.
    for flags in [&[][..], &["--ca", &other]] {
        let refused = build("verify-full", &[&with[..], flags].concat());
        refused.says(1, &["authority", "--ca FILE", "nothing was delivered"]);
    }
    let alone = build("require", &[]);
    alone.says(3, &["could not tell", "--service", "nothing was delivered"]);
}

/// One conversation with the service: what it answered, with what differs from
/// one to the next masked.
fn conversation(address: &str) -> Vec<(u16, String)> {
    let mallory = json!({"username": "mallory", "email": "Mallory@example.org"}).to_string();
    let renamed = json!({"username": "trudy", "email": "trudy@example.org"}).to_string();
    let users = "/api/v1/users";
    let mut answers = vec![
        ask(address, "GET", "/health", ""),
        ask(address, "GET", users, ""),
    ];
    let created = ask(address, "POST", users, &mallory);
    let user: Value = serde_json::from_str(&created.1).unwrap();
    // The zone comes from the image: Tallinn is two hours off in winter, three in summer.
    let time = user["created_at"].as_str().unwrap();
    assert!(
        time.ends_with("+02:00") || time.ends_with("+03:00"),
        "{time}"
    );
    let one = format!("{users}/{}", user["id"]);
    answers.push(created);
    for (method, path, body) in [
        ("POST", users, mallory.as_str()),
        ("POST", users, "{}"),
        ("GET", &one, ""),
        ("PUT", &one, &renamed),
        ("GET", users, ""),
        ("DELETE", &one, ""),
        ("DELETE", &one, ""),
        ("GET", users, ""),
        ("GET", "/nothing", ""),
    ] {
        answers.push(ask(address, method, path, body));
    }
    let id = format!("\"id\":{}", user["id"]);
    for (_, body) in &mut answers {
        *body = body.replace(&id, "\"id\":1").replace(time, "NOW");
    }
    answers
}

/// A container of our own that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn crud_go_answers_alike_in_an_engine() {
    if !have("go") || !have("openssl") || !have("setpriv") || !have("docker") {
        return;
    }
    let Some(bin) = provided("JETTISON_TEST_POSTGRES_BIN") else {
        return;
    };
    let Some(host) = provided("JETTISON_TEST_DOCKER_HOST") else {
        return;
    };
    // Where a container finds this machine.
    let gateway = ran(Command::new("docker").args(["--host", &host]).args([
        "network",
        "inspect",
        "bridge",
        "--format",
        "{{(index .IPAM.Config 0).Gateway}}",
    ]));
    let gateway = gateway.stdout.trim();
    if std::net::TcpListener::bind((gateway, 0)).is_err() {
        println!("skipped: the engine has no bridge to this machine ({gateway:?})");
        return;
    }
    let server = Server::start(&bin, &[gateway]);
    let service = format!("db=tcp:127.0.0.1:{}", server.port);
    let port = format!("POSTGRES_PORT={}", server.port);
    let variables: Vec<&str> = [
        "POSTGRES_HOST=db",
        "POSTGRES_PASSWORD=secret",
        "POSTGRES_SSL_MODE=verify-full",
        &port,
    ]
    .into_iter()
    .flat_map(|variable| ["--env", variable])
    .collect();
    let ca = server.file("ca.pem");
    let flags = [&variables[..], &["--service", &service, "--ca", &ca]].concat();
    let Some(shipped) = Shipped::build("crud-go", "go", &flags) else {
        return;
    };
    let mut run = shipped.bench.jettison();
    run.args(["run", &shipped.name, "--hardened", "--port", "0:8080"])
        .args(["--service", &service])
        .args(&variables);
    let (child, address) = published(&mut run);
    let running = Running(child);
    let ours = conversation(&address);
    drop(running);
    assert_eq!(ours[0].0, 200, "{ours:?}");
    let statuses: Vec<u16> = ours.iter().map(|(status, _)| *status).collect();
    assert_eq!(
        statuses,
        [200, 200, 201, 409, 400, 200, 200, 200, 204, 404, 200, 404]
    );

    let known = format!("db:{gateway}");
    let container = shipped.start_with(8080, &[&variables[..], &["--add-host", &known]].concat());
    assert_eq!(conversation(&container.address(8080)), ours);
    assert_eq!(container.stop(), "0");
}
