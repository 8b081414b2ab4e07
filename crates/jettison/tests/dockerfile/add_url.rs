//! ADD of a URL: fetched once, and again when the server says so.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::Bench;

/// What the server has, and what it was asked and answered.
#[derive(Default)]
struct Shelf {
    content: String,
    tag: Option<String>,
    answers: Vec<u16>,
}

/// Serves until the test ends.
fn serve(shelf: &Arc<Mutex<Shelf>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let shelf = Arc::clone(shelf);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &shelf);
        }
    });
    port
}

fn answer(stream: TcpStream, shelf: &Mutex<Shelf>) {
    let mut asked = None;
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("if-none-match")
        {
            asked = Some(value.to_owned());
        }
    }
    let mut shelf = shelf.lock().unwrap();
    let tag = shelf.tag.iter().map(|tag| format!("ETag: {tag}\r\n"));
    let tag: String = tag.collect();
    let is_same = asked.is_some() && asked == shelf.tag;
    let text = match is_same {
        true => format!("HTTP/1.1 304 Not Modified\r\n{tag}Connection: close\r\n\r\n"),
        false => format!(
            "HTTP/1.1 200 OK\r\n{tag}Content-Length: {}\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n{}",
            shelf.content.len(),
            shelf.content
        ),
    };
    shelf.answers.push(if is_same { 304 } else { 200 });
    let _ = (&stream).write_all(text.as_bytes());
}

#[test]
fn a_strong_tag_spares_the_download() {
    let Some(bench) = Bench::root() else { return };
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let port = serve(&shelf);
    let build = |content: &str, tag: Option<&str>| {
        {
            let mut shelf = shelf.lock().unwrap();
            shelf.content = content.to_owned();
            shelf.tag = tag.map(str::to_owned);
        }
        let made = bench.document(&["-t", "made"]);
        let answers = std::mem::take(&mut shelf.lock().unwrap().answers);
        (
            bench.ran(&["run", "made"]).stdout,
            answers,
            made["manifest"].clone(),
        )
    };
    bench.dockerfile(&format!(
        "FROM base\nADD http://127.0.0.1:{port}/text /\nCMD cat /text\n"
    ));
    let (text, answers, first) = build("one", Some("\"1\""));
    assert_eq!(
        (text.as_str(), answers.as_slice()),
        ("one", [200].as_slice())
    );
    let (text, answers, again) = build("one", Some("\"1\""));
    assert_eq!(
        (text.as_str(), answers.as_slice()),
        ("one", [304].as_slice())
    );
    assert_eq!(first, again);
    let (text, answers, _) = build("two", Some("\"2\""));
    assert_eq!(
        (text.as_str(), answers.as_slice()),
        ("two", [200].as_slice())
    );
    // Neither a weak tag nor a date promises the same bytes.
    for tag in [Some("W/\"3\""), None] {
        build("six", tag);
        let (text, answers, _) = build("ten", tag);
        assert_eq!(
            (text.as_str(), answers.as_slice()),
            ("ten", [200].as_slice()),
            "{tag:?}"
        );
    }
}

#[test]
fn a_checksum_asks_nobody_twice() {
    let Some(bench) = Bench::root() else { return };
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let port = serve(&shelf);
    shelf.lock().unwrap().content = "one".to_owned();
    let digest = jettison_image::Digest::of(b"one");
    bench.dockerfile(&format!(
        "FROM base\nADD --checksum={digest} http://127.0.0.1:{port}/text /\n"
    ));
    bench.digest(&[]);
    bench.digest(&[]);
    assert_eq!(shelf.lock().unwrap().answers, [200]);
    let digest = jettison_image::Digest::of(b"two");
    bench.dockerfile(&format!(
        "FROM base\nADD --checksum={digest} http://127.0.0.1:{port}/text /\n"
    ));
    bench.build(&["--no-slim"]).says(2, &["digest mismatch"]);
}
