//! Bare TCP connections: whether the program takes them, and what it says.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::judge::{POLL, sandbox};
use super::running::{Listener, RunError, Running};

/// How long a program may take to accept a connection.
const ACCEPT: Duration = Duration::from_secs(2);
/// A reply is over when nothing more comes for this long.
const QUIET: Duration = Duration::from_millis(60);
/// Bytes of a reply that are read.
const REPLY_BYTES: usize = 64 << 10;

/// A connection counts when the program has accepted it: the kernel makes it
/// for whoever listens, also for a program that hangs.
pub(crate) fn accepted(
    running: &dyn Running,
    port: u16,
) -> Result<Result<TcpStream, String>, RunError> {
    let connection = match running.connect(port) {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(format!("port {port}: {error}"))),
    };
    let begin = Instant::now();
    let waits = |listener: &Listener| listener.port == port && listener.waiting > 0;
    while running.listeners().map_err(sandbox)?.iter().any(waits) {
        if begin.elapsed() > ACCEPT {
            let reason = format!("port {port}: the program listens, but accepts no connection");
            return Ok(Err(reason));
        }
        thread::sleep(POLL);
    }
    Ok(Ok(connection))
}

/// Says something, or nothing, and reads what comes: until the program hangs
/// up, has nothing more to say, or has been silent for `patience`.
pub(crate) fn converse(
    running: &dyn Running,
    port: u16,
    say: &[u8],
    patience: Duration,
) -> io::Result<Vec<u8>> {
    let mut stream = running.connect(port)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(say)?;
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    let until = Instant::now() + patience;
    while reply.len() < REPLY_BYTES {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if reply.is_empty() {
            left
        } else {
            left.min(QUIET)
        };
        if wait.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(wait))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => reply.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                break;
            }
            Err(_) if !reply.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(reply)
}
