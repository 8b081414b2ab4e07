//! A client of HTTP that has no opinion: what a server said, as it said it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Status and body, as soon as there is an answer.
#[track_caller]
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let begin = Instant::now();
    loop {
        if let Some(answer) = answer(address, method, path, body) {
            return answer;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "no answer at {address}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answer(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
