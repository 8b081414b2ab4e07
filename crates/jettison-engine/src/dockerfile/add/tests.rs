//! ADD of what is not in the context: a server of the test's own, a repository
//! served by git's own HTTP files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use jettison_image::Limits;

use super::{AddRequest, fetch, has_remote, select};
use crate::dockerfile::context::Context;
use crate::dockerfile::copy::CopyRequest;
use crate::http::{HttpClient, HttpOptions};

/// Serves files of a directory; where it can be reached.
fn serve(directory: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut byte = [0; 1];
            while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
            let path = path
                .split('?')
                .next()
                .unwrap_or("/")
                .trim_start_matches('/');
            let (status, body) = match fs::read(directory.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\
                 Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    format!("http://{address}")
}

fn http() -> HttpClient {
    HttpClient::new(HttpOptions::default()).expect("a client")
}

fn request(source: &str, destination: &str) -> AddRequest {
    AddRequest {
        copy: CopyRequest {
            sources: vec![source.into()],
            destination: destination.into(),
            working_dir: b"/".to_vec(),
            ..CopyRequest::default()
        },
        ..AddRequest::default()
    }
}

/// The entries of the layer that an ADD makes, and its key; or why not.
fn add(request: &AddRequest) -> Result<(Vec<String>, String), String> {
    let told = |error: &dyn std::error::Error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    let empty = tempfile::tempdir().expect("a directory");
    let context = Context::open(empty.path(), None, None, &Limits::default()).expect("a context");
    let fetched = fetch(request, &http(), None).map_err(|error| told(&error))?;
    let selection = select(request, &fetched, &context).map_err(|error| told(&error))?;
    let plan = selection.plan(None).map_err(|error| told(&error))?;
    let row = |entry: &jettison_image::Entry| {
        let metadata = &entry.metadata;
        format!(
            "{} {:o} @{}",
            entry.path.display(),
            metadata.mode,
            metadata.mtime.seconds
        )
    };
    let rows = plan.entries().map(row).collect();
    Ok((rows, selection.key().to_string()))
}

#[test]
fn files_behind_urls() {
    let served = tempfile::tempdir().expect("a directory");
    fs::write(served.path().join("a.txt"), "hello\n").expect("a file");
    let tar = "mkdir t && echo x > t/x && touch -d @7 t/x && tar -C t -czf a.tgz x && rm -r t";
    let made = Command::new("sh")
        .args(["-c", tar])
        .current_dir(served.path())
        .status();
    assert!(made.expect("a shell").success());
    let server = serve(served.path());

    let plain = request(&format!("{server}/a.txt?token=x#y"), "/d/");
    assert!(has_remote(&plain));
    let (rows, key) = add(&plain).expect("added");
    assert_eq!(rows, ["/d 755 @0", "/d/a.txt 600 @784111777"]);
    assert_eq!(add(&plain).expect("added").1, key);

    fs::write(served.path().join("a.txt"), "other\n").expect("a file");
    assert_ne!(add(&plain).expect("added").1, key);

    let named = request(&format!("{server}/a.txt"), "/name");
    assert_eq!(add(&named).expect("added").0, ["/name 600 @784111777"]);

    let mut archive = request(&format!("{server}/a.tgz"), "/d");
    assert_eq!(add(&archive).expect("added").0, ["/d 600 @784111777"]);
    archive.unpack = Some(true);
    assert_eq!(
        add(&archive).expect("added").0,
        ["/d 755 @0", "/d/x 644 @7"]
    );

    let sum = jettison_image::Digest::of(b"other\n").to_string();
    let mut summed = named.clone();
    summed.checksum = Some(sum.into_bytes());
    assert!(add(&summed).is_ok());
    summed.checksum = Some(jettison_image::Digest::of(b"").to_string().into_bytes());
    let error = add(&summed).expect_err("another digest");
    assert!(error.contains("digest mismatch"), "{error}");
    summed.checksum = Some(b"md5:1".to_vec());
    assert!(add(&summed).expect_err("no digest").contains("md5:1"));

    let error = add(&request(&format!("{server}/nope"), "/x")).expect_err("missing");
    assert!(error.contains("404"), "{error}");
    let local = add(&request("nope", "/x")).expect_err("missing");
    assert_eq!(local, "\"/nope\": not found");
}

#[test]
fn git_repositories() {
    let served = tempfile::tempdir().expect("a directory");
    let script = "set -e; export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
        git init -q -b main work; cd work; git config user.email a@b; git config user.name a
        echo one > one; mkdir sub; echo two > sub/two; chmod 755 one; ln -s one link
        git add .; git commit -qm first; git tag v1
        echo more > one; git commit -qam second; git branch side; cd ..
        git clone -q --bare work repo.git; cd repo.git; git update-server-info
        git rev-parse v1 > ../first";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(served.path())
        .output();
    let Ok(made) = made else { return };
    if !made.status.success() {
        eprintln!("skipped: no repository without git");
        return;
    }
    let server = serve(served.path());
    let url = format!("{server}/repo.git");
    let all = [
        "/d 755 @0",
        "/d/link 777 @0",
        "/d/one 755 @0",
        "/d/sub 755 @0",
        "/d/sub/two 644 @0",
    ];

    let head = add(&request(&url, "/d")).expect("added");
    assert_eq!(head.0, all);
    let tag = add(&request(&format!("{url}#v1"), "/d")).expect("added");
    assert_eq!(tag.0, all);
    assert_ne!(tag.1, head.1, "another commit has another key");
    let branch = add(&request(&format!("{url}?branch=side"), "/d")).expect("added");
    assert_eq!(branch.1, head.1, "the same commit has the same key");
    let below = add(&request(&format!("{url}#main:sub"), "/d/")).expect("added");
    assert_eq!(below.0, ["/d 755 @0", "/d/two 644 @0"]);

    let first = fs::read_to_string(served.path().join("first")).expect("a commit");
    let by_commit = add(&request(&format!("{url}#{}", first.trim()), "/d")).expect("added");
    assert_eq!(by_commit.1, tag.1);
    let mut summed = request(&format!("{url}#v1"), "/d");
    summed.checksum = Some(first.trim().as_bytes().to_vec());
    assert!(add(&summed).is_ok());
    summed.checksum = Some(b"0123456789".to_vec());
    assert!(add(&summed).expect_err("another").contains("mismatch"));

    let mut kept = request(&url, "/d");
    kept.keep_git_dir = Some(true);
    let rows = add(&kept).expect("added").0;
    assert!(rows.iter().any(|row| row.starts_with("/d/.git/HEAD ")));

    for (bad, told) in [
        ("#nowhere", "git checkout failed"),
        ("#main:../..", "not inside"),
        ("#main:link", "no directory link"),
        ("?colour=red", "unexpected query"),
    ] {
        let error = add(&request(&format!("{url}{bad}"), "/d")).expect_err(bad);
        assert!(error.contains(told), "{bad}: {error}");
    }
}
