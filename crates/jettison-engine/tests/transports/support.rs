//! A store and places of its own, an image, real registries, and other programs.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jettison_engine::copy::{Copied, CopyOptions, copy};
use jettison_engine::progress::Silent;
use jettison_engine::store::Store;
use jettison_engine::transport::{
    Location, Opened, Origin, StoreSource, TransportOptions, Transports,
};
use jettison_image::{
    Compression, DiffId, Digest, History, ImageConfig, NewImage, NewLayer, Platform, Reference,
    Schema,
};

pub(crate) struct Scratch {
    pub(crate) directory: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn location(&self, transport: &str, name: &str) -> Location {
        Location::parse(&format!("{transport}:{}", self.path(name).display())).unwrap()
    }

    pub(crate) fn transports(&self) -> Transports {
        self.transports_with(TransportOptions::default())
    }

    pub(crate) fn transports_with(&self, options: TransportOptions) -> Transports {
        let store = Store::open(&self.path("store")).unwrap();
        Transports::new(store, options, Arc::new(Silent)).unwrap()
    }
}

/// An image of two layers, one of `big_bytes` that do not compress.
pub(crate) fn sample(
    transports: &Transports,
    name: &str,
    schema: Schema,
    big_bytes: usize,
) -> Digest {
    let store = transports.store();
    let mut config = ImageConfig::new(&Platform::host());
    config.run.cmd = vec!["/hello".to_owned()];
    let mut image = NewImage::new(schema, config);
    let mut noise = vec![0u8; big_bytes];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ name.len() as u64;
    for byte in &mut noise {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    for (file, content) in [("hello", &b"#!/bin/sh\n"[..]), ("noise", &noise)] {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(file), content).unwrap();
        let tar = output(
            Command::new("tar")
                .arg("-C")
                .arg(scratch.path())
                .args(["-c", file]),
        );
        let packed = {
            let mut child = Command::new("gzip")
                .args(["-n", "-1"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let plain = tar.clone();
            let feeding = std::thread::spawn(move || stdin.write_all(&plain).unwrap());
            let packed = child.wait_with_output().unwrap().stdout;
            feeding.join().unwrap();
            packed
        };
        let blob = store.put_blob(&packed).unwrap();
        let layer = NewLayer {
            digest: blob.digest,
            size_bytes: blob.size_bytes,
            diff_id: DiffId(Digest::of(&tar)),
            compression: Compression::Gzip,
        };
        let step = History {
            created_by: Some(format!("COPY {file}")),
            ..History::default()
        };
        image.push_layer(layer, step);
    }
    let image = image.finish(Arc::new(StoreSource(store.clone()))).unwrap();
    let digest = image.manifest_digest;
    let name = Reference::parse(name).unwrap();
    let opened = Opened::new(image, Origin::Store);
    transports.keep(&opened, &[name]).unwrap();
    digest
}

pub(crate) fn name(text: &str) -> Location {
    Location::parse(text).unwrap()
}

pub(crate) fn go(transports: &Transports, from: &Location, to: &Location) -> Copied {
    match copy(transports, from, to, &CopyOptions::default()) {
        Ok(copied) => copied,
        Err(error) => panic!("{from} to {to}: {}", chain(&error)),
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    output.stdout
}

pub(crate) fn has(program: &str, test: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: {test} needs {program}");
    }
    found
}

pub(crate) fn has_engine(test: &str) -> bool {
    let answers = Command::new("docker")
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !answers {
        eprintln!("skipped: {test} needs a Docker engine");
    }
    answers
}

/// A real registry on loopback, ended when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) port: u16,
}

#[derive(Default)]
pub(crate) struct Guard {
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) htpasswd: Option<PathBuf>,
}

impl Registry {
    pub(crate) fn start(scratch: &Scratch, name: &str, guard: &Guard) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:{port}\n",
            scratch.path(&format!("{name}-data")).display()
        );
        if let Some((certificate, key)) = &guard.tls {
            config += &format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                certificate.display(),
                key.display()
            );
        }
        if let Some(htpasswd) = &guard.htpasswd {
            config += &format!(
                "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                htpasswd.display()
            );
        }
        let path = scratch.path(&format!("{name}.yml"));
        std::fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    pub(crate) fn location(&self, name: &str) -> Location {
        Location::parse(&format!("docker://localhost:{}/{name}", self.port)).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A test authority and a server certificate for localhost.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) server: (PathBuf, PathBuf),
}

impl Certificates {
    pub(crate) fn make(scratch: &Scratch) -> Self {
        let script = r#"
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                -subj '/CN=test authority' -keyout ca.key -out ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -subj '/CN=localhost' -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > ext
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile ext -out server.pem
        "#;
        output(
            Command::new("sh")
                .args(["-ec", script])
                .current_dir(scratch.directory.path()),
        );
        Self {
            authority: scratch.path("ca.pem"),
            server: (scratch.path("server.pem"), scratch.path("server.key")),
        }
    }
}
