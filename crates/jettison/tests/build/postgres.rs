//! A PostgreSQL server that speaks TLS with a certificate of a test authority.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::output;

/// A cluster of its own, stopped and removed with this value.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// On loopback and at these addresses of this machine.
    pub(crate) fn start(bin: &str, more: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        certificates(folder.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // PostgreSQL refuses to run as root.
        let owner = match output("id", &["-u"]).trim() {
            "0" => Some(output("id", &["-u", "nobody"]).trim().parse().unwrap()),
            _ => None,
        };
        fs::create_dir(at("data")).unwrap();
        fs::write(at("password"), "secret").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(at("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        for name in ["data", "password", "server.key"] {
            chown(at(name), owner, owner.map(|_| 65534)).unwrap();
        }
        let command = |program: &str| {
            let program = format!("{bin}/{program}");
            let mut command = match owner {
                Some(_) => Command::new("setpriv"),
                None => Command::new(&program),
            };
            if let Some(owner) = owner {
                let ids = [
                    format!("--reuid={owner}"),
                    "--regid=65534".into(),
                    "--clear-groups".into(),
                ];
                command.args(ids).arg(&program);
            }
            command
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command
        };
        let made = command("initdb")
            .args(["-D", &at("data"), "-U", "postgres", "-A", "scram-sha-256"])
            .args(["--pwfile", &at("password"), "--no-sync", "--locale=C.UTF-8"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let rules = fs::read_to_string(at("data/pg_hba.conf")).unwrap();
        let others = "hostssl all all 0.0.0.0/0 scram-sha-256\n";
        fs::write(at("data/pg_hba.conf"), rules + others).unwrap();
        let addresses = [&["127.0.0.1"], more].concat().join(",");
        let child = command("postgres")
            .args(["-D", &at("data"), "-p", &port.to_string()])
            .args([
                "-c",
                &format!("listen_addresses={addresses}"),
                "-c",
                "unix_socket_directories=",
            ])
            .args([
                "-c",
                "ssl=on",
                "-c",
                &format!("ssl_cert_file={}", at("server.pem")),
            ])
            .args([
                "-c",
                &format!("ssl_key_file={}", at("server.key")),
                "-c",
                "fsync=off",
            ])
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self {
            folder,
            port,
            child,
        };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(server.file("log")).unwrap();
            assert!(begin.elapsed() < Duration::from_secs(30), "{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: the fast shutdown.
        Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .ok();
        self.child.wait().ok();
    }
}

/// Two authorities, and a server's certificate for the name `db` of the first.
fn certificates(folder: &Path) {
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let made = Command::new("openssl")
            .args(words)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    };
    for name in ["ca", "other"] {
        run(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-{name} -keyout {name}.key -out {name}.pem"
        ));
    }
    run(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=db -keyout server.key -out server.csr",
    );
    fs::write(folder.join("extensions"), "subjectAltName=DNS:db\n").unwrap();
    run(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem",
    );
}
