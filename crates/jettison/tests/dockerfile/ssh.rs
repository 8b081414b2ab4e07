//! `--ssh`: an agent that RUN steps ask, and git over ssh, with a real agent
//! and a real server.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Bench, have, ran};

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Running {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(quiet.spawn().unwrap())
}

#[track_caller]
fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_there() {
        assert!(Instant::now() < until, "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn make_key(path: &Path) {
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", "a key", "-f"];
    done(Command::new("ssh-keygen").args(words).arg(path));
}

/// An agent that has the key `key` of the bench, and its socket.
fn agent(bench: &Bench) -> (Running, PathBuf) {
    let socket = bench.path("agent.sock");
    let running = start(Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket));
    wait_for("agent", || socket.exists());
    make_key(&bench.path("key"));
    let mut add = Command::new("ssh-add");
    add.arg(bench.path("key")).env("SSH_AUTH_SOCK", &socket);
    done(&mut add);
    (running, socket)
}

#[test]
fn a_step_asks_the_agent() {
    let Some(bench) = Bench::root() else { return };
    if !have("ssh-agent") {
        return;
    }
    let (_agent, socket) = agent(&bench);
    bench.dockerfile(
        "FROM tools\n\
         RUN --mount=type=ssh,required ssh-add -l > /keys\n\
         RUN --mount=type=ssh,id=other,target=/x,uid=7,mode=0660 \\\n\
             stat -c '%u %a' /x >> /keys; SSH_AUTH_SOCK=/x ssh-add -l >> /keys\n\
         RUN --mount=type=ssh,id=third echo \"[$SSH_AUTH_SOCK]\" >> /keys; rm -rf /x /run\n\
         CMD [\"cat\", \"/keys\"]\n",
    );
    let tools = "tools=debian?packages=openssh-client,dash,coreutils&variant=custom";
    let other = format!("other={}", socket.display());
    let words = ["--no-slim", "-t", "made", "--build-context", tools];
    let build = |agents: &[&str]| {
        let mut command = bench.command(&words);
        ran(command.args(agents).env("SSH_AUTH_SOCK", &socket))
    };
    let made = build(&["--ssh", "default", "--ssh", &other]);
    if made.code != Some(0) && made.text().contains("no Debian archive") {
        println!("skipped: no archive of Debian packages can be reached");
        return;
    }
    made.says(0, &[]);
    let said = bench.ran(&["run", "made"]).stdout;
    let lines: Vec<&str> = said.lines().collect();
    let [first, modes, second, third] = lines.as_slice() else {
        panic!("{said}")
    };
    assert!(first.contains("a key (ED25519)"), "{said}");
    assert_eq!((*modes, *second, *third), ("7 660", *first, "[]"));

    build(&["--no-cache"]).says(2, &["the SSH agent `default` is required", "--ssh default"]);
}

#[test]
fn git_comes_over_ssh() {
    let Some(bench) = Bench::root() else { return };
    if !have("sshd") || !have("git") || !have("ssh-agent") {
        return;
    }
    let (_agent, socket) = agent(&bench);
    let script = "set -e; git init -q -b main repo; cd repo; echo one > one; git add .; \
                  git -c user.email=a@b -c user.name=a commit -qm first";
    let mut repository = Command::new("sh");
    repository.args(["-c", script]).current_dir(bench.path(""));
    done(repository.env("HOME", bench.path("")));
    make_key(&bench.path("host"));
    fs::create_dir_all("/run/sshd").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut server = Command::new("/usr/sbin/sshd");
    server.args(["-D", "-f", "/dev/null", "-p", &port.to_string(), "-h"]);
    server.arg(bench.path("host"));
    let authorized = format!("AuthorizedKeysFile={}", bench.path("key.pub").display());
    for option in [
        &authorized,
        "ListenAddress=127.0.0.1",
        "StrictModes=no",
        "PermitRootLogin=yes",
        "PidFile=none",
    ] {
        server.args(["-o", option]);
    }
    let _server = start(&mut server);
    wait_for("ssh server", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });

    let repository = bench.path("repo").display().to_string();
    let url = format!("ssh://root@127.0.0.1:{port}{repository}");
    bench.dockerfile(&format!(
        "FROM base\nADD {url}#main /src\nCMD cat /src/one\n"
    ));
    let known = bench.path("known");
    let build = |agents: &[&str]| {
        let ssh = format!(
            "ssh -oBatchMode=yes -oUserKnownHostsFile={}",
            known.display()
        );
        let mut command = bench.command(&["--no-slim", "-t", "made"]);
        ran(command.args(agents).env("GIT_SSH_COMMAND", ssh))
    };
    let agents = format!("default={}", socket.display());
    build(&["--ssh", &agents]).says(2, &["Host key verification failed", "git ls-remote ssh://"]);
    let key = fs::read_to_string(bench.path("host.pub")).unwrap();
    fs::write(&known, format!("[127.0.0.1]:{port} {key}")).unwrap();
    build(&[]).says(2, &["Permission denied"]);
    build(&["--ssh", &agents]).says(0, &[]);
    assert_eq!(bench.ran(&["run", "made"]).stdout, "one\n");
}
