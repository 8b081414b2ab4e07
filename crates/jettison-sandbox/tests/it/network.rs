//! Ports, names, addresses.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use jettison_sandbox::{Container, ContainerSpec, Network, Root, Sandbox};

use crate::support::*;

fn server(sandbox: &Sandbox, root: &Root, listen: &str) -> Container {
    sandbox
        .start(root, &sh(&format!("busybox httpd -f -p {listen} -h /etc")))
        .unwrap()
}

fn fetch(container: &Container, port: u16) -> std::io::Result<String> {
    let until = Instant::now() + MOMENT;
    let mut stream = loop {
        match container.connect(port, Duration::from_secs(5)) {
            Ok(stream) => break stream,
            Err(e) if Instant::now() > until => return Err(e),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    stream.write_all(b"GET /hostname HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_server_is_reached_as_a_published_port_would_be() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let open = server(&sandbox, &root, "8080");
    let answer = fetch(&open, 8080).unwrap();
    assert!(
        answer.starts_with("HTTP/1.") && answer.contains(open.name()),
        "{answer}"
    );
    let refused = open.connect(8081, Duration::from_secs(5)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_server_on_loopback_only_is_found_out() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let hidden = server(&sandbox, &root, "127.0.0.1:8080");
    let wait = jettison_sandbox::ExecSpec {
        args: [
            "/bin/sh",
            "-c",
            "until busybox wget -q -O- http://127.0.0.1:8080/hostname; do \
             sleep 0.05; done",
        ]
        .map(Into::into)
        .to_vec(),
        ..Default::default()
    };
    let inside = hidden.exec(&wait).unwrap();
    assert_eq!(inside.wait(Some(MOMENT)).unwrap().unwrap().code, 0);
    assert_eq!(inside.stdout().to_text().trim(), hidden.name());
    let refused = hidden.connect(8080, Duration::from_secs(5)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn companions_reach_each_other_by_name_and_services_of_ours_too() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let database = server(&sandbox, &root, "80");
    let address = sandbox.service_address().unwrap();
    let listener = sandbox.listen(address, 5432).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"from outside\n").unwrap();
    });
    fetch(&database, 80).unwrap();
    let spec = ContainerSpec {
        hosts: vec![
            ("db".to_owned(), database.address().unwrap()),
            ("outside".to_owned(), address),
        ],
        ..sh(
            "busybox wget -q -O- http://db/hostname; busybox nc outside 5432 </dev/null; \
              busybox nc -w 2 192.0.2.1 80 </dev/null || echo unreachable",
        )
    };
    let before = Instant::now();
    let (exit, out, err) = run(&sandbox, &root, &spec);
    assert_eq!(exit.code, 0, "{err}");
    assert_eq!(
        out,
        format!("{}\nfrom outside\nunreachable\n", database.name()),
        "{err}"
    );
    assert!(
        before.elapsed() < Duration::from_secs(2),
        "no way out is told at once"
    );
    answering.join().unwrap();
    let late = sandbox.start(
        &root,
        &sh("until grep -q later /etc/hosts; do sleep 0.02; done"),
    );
    let late = late.unwrap();
    late.add_host("later", address).unwrap();
    assert_eq!(finish(&late).0.code, 0);
}

#[test]
fn without_a_network_there_is_loopback_only() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let spec = ContainerSpec {
        network: Network::None,
        ..sh("busybox ip -o addr; cat /etc/hosts")
    };
    let (_, out, _) = run(&sandbox, &root, &spec);
    assert!(out.contains("127.0.0.1/8") && !out.contains("eth0") && !out.contains("172.17"));
}

#[test]
fn the_machines_network_can_be_shared() {
    if !is_root() {
        return;
    }
    let options = jettison_sandbox::Options {
        tier: Some(jettison_sandbox::Tier::Root),
        network: Network::Host,
        ..Default::default()
    };
    let sandbox = Sandbox::open(&options).unwrap();
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        listener
            .accept()
            .unwrap()
            .0
            .write_all(b"the machine\n")
            .unwrap();
    });
    let script = format!("busybox nc 127.0.0.1 {port} </dev/null");
    let spec = ContainerSpec {
        network: Network::Host,
        ..sh(&script)
    };
    let (_, out, err) = run(&sandbox, &root, &spec);
    assert_eq!(out, "the machine\n", "{err}");
    answering.join().unwrap();
}
