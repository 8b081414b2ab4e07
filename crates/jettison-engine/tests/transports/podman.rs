//! podman's service as the engine, over the same API as docker's.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jettison_engine::transport::{Environment, Origin, TransportOptions};
use jettison_image::Schema;

use crate::support::{Scratch, chain, go, has, name, output, sample};

/// A service with images of its own, ended with this value.
struct Podman {
    child: Child,
    /// What comes before the words of a command.
    places: Vec<String>,
    socket: String,
}

impl Podman {
    /// None, said aloud, where it does not come up.
    fn start(scratch: &Scratch) -> Option<Self> {
        if !has("podman", "an engine of podman") {
            return None;
        }
        let at = |name: &str| scratch.path(name).display().to_string();
        let places = ["--root", &at("images"), "--runroot", &at("run")];
        let places = places.into_iter().chain(["--storage-driver", "vfs"]);
        let places: Vec<String> = places.map(str::to_owned).collect();
        let socket = format!("unix://{}", at("podman.sock"));
        let log = scratch.path("podman.log");
        let child = Command::new("podman")
            .args(&places)
            .args(["system", "service", "--time=0", &socket])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut podman = Self {
            child,
            places,
            socket,
        };
        let begin = Instant::now();
        while !scratch.path("podman.sock").exists() {
            let ended = podman.child.try_wait().unwrap();
            if ended.is_some() || begin.elapsed() > Duration::from_secs(20) {
                let said = std::fs::read_to_string(&log).unwrap();
                eprintln!("skipped: podman's service does not come up: {said}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(podman)
    }

    fn says(&self, arguments: &[&str]) -> String {
        let said = output(Command::new("podman").args(&self.places).args(arguments));
        String::from_utf8(said).unwrap().trim().to_owned()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn podman_takes_and_gives_images() {
    let scratch = Scratch::new();
    let Some(podman) = Podman::start(&scratch) else {
        return;
    };
    let transports = scratch.transports_with(TransportOptions {
        environment: Environment::new([("CONTAINER_HOST", podman.socket.as_str())]),
        ..TransportOptions::default()
    });
    assert_eq!(transports.engine().unwrap(), podman.socket);
    for (schema, tag) in [(Schema::Oci, "oci"), (Schema::Docker, "docker")] {
        let ours = format!("example.test/team/app:{tag}");
        sample(&transports, &ours, schema, 300_000);
        let original = transports.open(&name(&ours), None).unwrap().image;
        let daemon = name(&format!("docker-daemon:{ours}"));
        let loaded = go(&transports, &name(&ours), &daemon);
        assert_eq!(loaded.written.names, [ours.as_str()]);
        let id = podman.says(&["image", "inspect", "--format", "{{.Id}}", &ours]);
        assert_eq!(id, original.manifest.config.digest.hex());
        let layers = "{{range .RootFS.Layers}}{{.}} {{end}}";
        let layers = podman.says(&["image", "inspect", "--format", layers, &ours]);
        let expected: Vec<String> = original
            .layers
            .iter()
            .map(|layer| layer.diff_id.0.to_string())
            .collect();
        assert_eq!(layers.split(' ').collect::<Vec<_>>(), expected);

        let back = transports.open(&daemon, None).unwrap();
        assert_eq!(back.origin, Origin::Daemon(podman.socket.clone()));
        assert_eq!(back.image.config_bytes, original.config_bytes);
        // As a bare name, when the store has it no more.
        let fresh = Scratch::new();
        let other = fresh.transports_with(TransportOptions {
            environment: Environment::new([("DOCKER_HOST", podman.socket.as_str())]),
            ..TransportOptions::default()
        });
        let found = other.open(&name(&ours), None).unwrap();
        assert!(matches!(found.origin, Origin::Daemon(_)));
        let copied = go(&other, &name(&ours), &fresh.location("oci", "layout:1"));
        assert_eq!(copied.written.moved.blobs, 3);
        let by_id = name(&format!("docker-daemon:sha256:{id}"));
        let by_id = other.open(&by_id, None).unwrap().image;
        assert_eq!(by_id.config_bytes, original.config_bytes);
    }
    // A short name is podman's own business: it is localhost's there.
    let daemon = name("docker-daemon:short:1");
    go(&transports, &name("example.test/team/app:oci"), &daemon);
    podman.says(&["image", "inspect", "localhost/short:1"]);
    transports.open(&daemon, None).unwrap();
    let missing = transports.open(&name("docker-daemon:none:1"), None);
    let text = chain(&missing.err().unwrap());
    assert!(text.contains("has no image none:1"), "{text}");
    // What `podman save` writes, too.
    let saved = scratch.path("saved.tar");
    let to = saved.to_str().unwrap();
    podman.says(&["save", "-o", to, "example.test/team/app:oci"]);
    let from = scratch.location("docker-archive", "saved.tar:example.test/team/app:oci");
    transports.open(&from, None).unwrap();
}
