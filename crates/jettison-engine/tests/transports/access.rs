//! Ways to a registry: who asks, and through which proxy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use jettison_engine::copy::{CopyOptions, copy};
use jettison_engine::http::{HttpOptions, Proxies, Retry};
use jettison_engine::transport::{
    Environment, Location, RegistryOptions, TransportOptions, Transports,
};
use jettison_image::Schema;

use crate::support::{
    Certificates, Guard, Registry, Scratch, chain, go, has, name, output, sample,
};

/// Knows one registry, and writes down what it is asked.
fn write_helper(folder: &Path, server: &str, answer: &str) {
    let script = format!(
        "#!/bin/sh\nread -r server\necho \"$1 $server\" >> {log}\n\
         if [ \"$server\" = {server} ]; then echo '{answer}'; exit 0; fi\n\
         echo 'credentials not found in native keychain'; exit 1\n",
        log = folder.join("asked").display()
    );
    let path = folder.join("docker-credential-jtest");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Transports of somebody whose docker config is this.
fn configured(scratch: &Scratch, folder: &Path, config: &str) -> Transports {
    std::fs::write(folder.join("config.json"), config).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.display());
    let folder = folder.to_str().unwrap();
    let variables = [("DOCKER_CONFIG", folder), ("PATH", path.as_str())];
    scratch.transports_with(TransportOptions {
        environment: Environment::new(variables),
        ..TransportOptions::default()
    })
}

#[test]
fn a_credential_helper_says_who_asks() {
    if !has("docker-registry", "credential helpers") || !has("htpasswd", "credential helpers") {
        return;
    }
    let scratch = Scratch::new();
    let htpasswd = scratch.path("htpasswd");
    let line = output(Command::new("htpasswd").args(["-Bbn", "ann", "secret:x"]));
    std::fs::write(&htpasswd, line).unwrap();
    let guard = Guard {
        htpasswd: Some(htpasswd),
        ..Guard::default()
    };
    let registry = Registry::start(&scratch, "helped", &guard);
    let host = format!("localhost:{}", registry.port);
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"ServerURL":"x","Username":"ann","Secret":"secret:x"}"#;
    write_helper(folder.path(), &host, good);
    let asked = || std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default();

    let to = registry.location("team/app:1");
    let by_registry = format!(r#"{{"credHelpers":{{"{host}":"jtest"}}}}"#);
    let transports = configured(&scratch, folder.path(), &by_registry);
    sample(&transports, "app:1", Schema::Oci, 1000);
    go(&transports, &name("app:1"), &to);
    assert!(asked().starts_with(&format!("get {host}\n")), "{}", asked());
    // The one for all registries, which docker login leaves an empty entry beside.
    let for_all = format!(r#"{{"credsStore":"jtest","auths":{{"{host}":{{}}}}}}"#);
    let transports = configured(&scratch, folder.path(), &for_all);
    go(&transports, &to, &name("back:1"));

    // What it does not know is asked for anonymously, and the file's own entries count.
    write_helper(folder.path(), "elsewhere.test", good);
    let error = copy(
        &configured(&scratch, folder.path(), &for_all),
        &to,
        &name("x:1"),
        &CopyOptions::default(),
    );
    let text = chain(&error.err().unwrap());
    assert!(text.contains(&format!("docker login {host}")), "{text}");
    // ann:secret:x
    let beside = for_all.replace("{}", r#"{"auth":"YW5uOnNlY3JldDp4"}"#);
    go(
        &configured(&scratch, folder.path(), &beside),
        &to,
        &name("x:1"),
    );

    for (answer, expected) in [
        (
            good.replace("secret:x", "wrong"),
            "credentials that are configured",
        ),
        ("nonsense".to_owned(), "its answer is not understood"),
    ] {
        write_helper(folder.path(), &host, &answer);
        let error = copy(
            &configured(&scratch, folder.path(), &for_all),
            &to,
            &name("x:1"),
            &CopyOptions::default(),
        );
        let text = chain(&error.err().unwrap());
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

/// A forward proxy to this machine, whatever host it is asked for. What it is
/// asked is written down with the proxy's own credentials.
struct ForwardProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || forward(client, &log));
            }
        });
        Self { port, asked }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn forward(mut client: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let text = String::from_utf8(head.clone()).ok()?;
    let mut words = text.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let secret = text.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("proxy-authorization: ")
            .map(|_| line.split(' ').next_back())
    });
    let entry = format!("{method} {target} {}", secret.flatten().unwrap_or_default());
    log.lock().unwrap().push(entry);
    let host = target.strip_prefix("http://").unwrap_or(target);
    let port = host
        .split('/')
        .next()?
        .rsplit(':')
        .next()?
        .parse::<u16>()
        .ok()?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    match method {
        "CONNECT" => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?,
        _ => server.write_all(&head).ok()?,
    }
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    up.join().ok()
}

#[test]
fn registries_are_reached_through_a_proxy() {
    if !has("docker-registry", "registries behind a proxy") || !has("openssl", "proxies and TLS") {
        return;
    }
    let scratch = Scratch::new();
    let certificates = Certificates::make(&scratch);
    let guard = Guard {
        tls: Some(certificates.server.clone()),
        ..Guard::default()
    };
    let with_tls = Registry::start(&scratch, "tls", &guard);
    let plain = Registry::start(&scratch, "plain", &Guard::default());
    let proxy = ForwardProxy::start();
    let url = format!("http://user:word@127.0.0.1:{}", proxy.port);
    let transports = |variables: &[(&str, &str)]| {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        scratch.transports_with(TransportOptions {
            http: HttpOptions {
                ca_files: vec![certificates.authority.clone()],
                proxies: Proxies::from_variables(variable),
                retry: Retry {
                    times: 0,
                    ..Retry::default()
                },
                ..HttpOptions::default()
            },
            registry: RegistryOptions {
                plain_http: true,
                ..RegistryOptions::default()
            },
            ..TransportOptions::default()
        })
    };
    let at = |registry: &Registry| {
        Location::parse(&format!("docker://registry.test:{}/app:1", registry.port)).unwrap()
    };
    let through = transports(&[("HTTPS_PROXY", &url), ("http_proxy", &url)]);
    let digest = sample(&through, "app:1", Schema::Oci, 300_000);
    // user:word
    let secret = "dXNlcjp3b3Jk";

    go(&through, &name("app:1"), &at(&with_tls));
    assert_eq!(
        go(&through, &at(&with_tls), &name("one:1")).source_digest,
        digest
    );
    let asked = proxy.take();
    let tunnel = format!("CONNECT registry.test:{} {secret}", with_tls.port);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|line| *line == tunnel), "{asked:?}");

    go(&through, &name("app:1"), &at(&plain));
    assert_eq!(
        go(&through, &at(&plain), &name("two:1")).source_digest,
        digest
    );
    let asked = proxy.take();
    let absolute = format!("http://registry.test:{}/v2/", plain.port);
    let is_absolute = |line: &String| line.contains(&absolute) && line.ends_with(secret);
    assert!(asked.iter().any(is_absolute), "{asked:?}");

    // This machine is reached directly, and so is what the person excepts: the
    // name leads nowhere without the proxy.
    go(&through, &name("app:1"), &plain.location("direct:1"));
    for none in ["registry.test", ".test", "*"] {
        let variables = [("all_proxy", url.as_str()), ("NO_PROXY", none)];
        let around = transports(&variables);
        assert!(around.open(&at(&with_tls), None).is_err(), "{none}");
    }
    assert_eq!(proxy.take(), Vec::<String>::new());
    let all = transports(&[("ALL_PROXY", &url), ("no_proxy", "other.test,10.0.0.0/8")]);
    all.open(&at(&with_tls), None).unwrap();
    assert!(!proxy.take().is_empty());
}
