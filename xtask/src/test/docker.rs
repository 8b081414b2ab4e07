//! A Docker engine for the tests: the one that answers, or one started by hand with data of its own and stopped afterwards.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::processes::{Service, go_on};
use crate::{Problem, workspace};

/// The socket that every client looks for, so that tests find the engine whatever they honour.
const SOCKET: &str = "/var/run/docker.sock";

/// An engine that answers.
pub(crate) struct Engine {
    pub(crate) host: String,
    /// Present when it was started here.
    _service: Option<Own>,
}

/// What a machine may not allow, from the usual to the barest, and how each is called aloud.
const WAYS: &[(&str, &[&str])] = &[
    ("", &[]),
    (
        "with the slow vfs storage driver",
        &["--storage-driver=vfs"],
    ),
    (
        "without iptables: containers have no way out",
        &["--iptables=false", "--ip6tables=false"],
    ),
    (
        "with neither bridge nor iptables nor overlay: only --network none and host work",
        &[
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--storage-driver=vfs",
        ],
    ),
];

impl Engine {
    /// Finds or starts one; the error says why there is none.
    pub(crate) fn provide(folder: &Path) -> Result<Self, Problem> {
        for variable in ["JETTISON_TEST_DOCKER_HOST", "DOCKER_HOST"] {
            if let Ok(host) = std::env::var(variable) {
                return match answers(&host) {
                    true => Ok(Self {
                        host,
                        _service: None,
                    }),
                    false => Err(format!("nothing answers at {variable}={host}").into()),
                };
            }
        }
        let host = format!("unix://{SOCKET}");
        if answers(&host) {
            println!("docker engine: the one that answers at {SOCKET}");
            return Ok(Self {
                host,
                _service: None,
            });
        }
        if !nix::unistd::geteuid().is_root() {
            return Err("not root, and none answers".into());
        }
        let dockerd = workspace::find_program("dockerd").ok_or("no dockerd on this machine")?;
        let mut last_words = String::new();
        for (number, (aloud, options)) in WAYS.iter().enumerate() {
            match start(&dockerd, &folder.join(format!("docker-{number}")), options)? {
                Ok(own) => {
                    println!("docker engine: started by hand {aloud}");
                    return Ok(Self {
                        host,
                        _service: Some(own),
                    });
                }
                Err(words) => last_words = words,
            }
        }
        Err(format!("dockerd does not come up: {last_words}").into())
    }
}

/// Ends the engine first and takes its socket away then.
struct Own {
    service: Option<Service>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.service = None;
        remove_stale_socket();
    }
}

/// The outer result is for what stops everything, the inner error is the engine's last words.
fn start(dockerd: &Path, folder: &Path, options: &[&str]) -> Result<Result<Own, String>, Problem> {
    std::fs::create_dir_all(folder)?;
    remove_stale_socket();
    let log: PathBuf = folder.join("log");
    let mut command = Command::new(dockerd);
    command
        .arg(format!("--host=unix://{SOCKET}"))
        .arg(format!("--data-root={}", folder.join("data").display()))
        .arg(format!("--exec-root={}", folder.join("exec").display()))
        .arg(format!("--pidfile={}", folder.join("pid").display()))
        .args(options);
    let mut own = Own {
        service: Some(Service::start("dockerd", &command, File::create(&log)?)?),
    };
    let host = format!("unix://{SOCKET}");
    let ready = own
        .service
        .as_mut()
        .is_some_and(|service| service.wait_until(Duration::from_secs(40), || answers(&host)));
    go_on()?;
    if ready {
        return Ok(Ok(own));
    }
    drop(own);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    Ok(Err(text
        .lines()
        .last()
        .unwrap_or("it said nothing")
        .to_owned()))
}

/// A socket nobody listens on; one that answers is somebody's.
fn remove_stale_socket() {
    let is_socket =
        std::fs::symlink_metadata(SOCKET).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(SOCKET).is_err() {
        // Left in place it does no harm: the engine replaces it.
        let _ = std::fs::remove_file(SOCKET);
    }
}

/// Whether an engine answers a ping there.
fn answers(host: &str) -> bool {
    let limit = Some(Duration::from_secs(3));
    if let Some(path) = host.strip_prefix("unix://") {
        return UnixStream::connect(path).is_ok_and(|mut stream| {
            stream.set_read_timeout(limit).is_ok()
                && stream.set_write_timeout(limit).is_ok()
                && ping(&mut stream)
        });
    }
    host.strip_prefix("tcp://").is_some_and(|address| {
        TcpStream::connect(address).is_ok_and(|mut stream| {
            stream.set_read_timeout(limit).is_ok()
                && stream.set_write_timeout(limit).is_ok()
                && ping(&mut stream)
        })
    })
}

fn ping(stream: &mut (impl Read + Write)) -> bool {
    let mut head = [0; 12];
    stream
        .write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        .is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head.starts_with(b"HTTP/1.")
        && head.ends_with(b" 200")
}
