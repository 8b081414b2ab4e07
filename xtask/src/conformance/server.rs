//! What cases fetch by ADD: files of `served/` of their copies, by plain HTTP on the loopback. Beside a file `NAME.headers` may
//! stand: lines of further headers, and `Status: 404 Not Found` for another status than 200.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::Problem;

/// A server that lives as long as this process.
pub(crate) struct Server {
    address: String,
}

impl Server {
    /// Serves `CASE/PATH` from `FOLDER/CASE/served/PATH`.
    pub(crate) fn start(folder: PathBuf) -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}", listener.local_addr()?);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                // A client that goes away is no matter of ours.
                std::thread::spawn(move || drop(answer(stream, &folder)));
            }
        });
        Ok(Self { address })
    }

    /// Where the files of a case are.
    pub(crate) fn of(&self, case: &str) -> String {
        format!("{}/{case}", self.address)
    }

    /// A text without the port, which is another one each time.
    pub(crate) fn mask(&self, text: &str) -> String {
        text.replace(&self.address, "http://server")
    }
}

fn answer(stream: TcpStream, folder: &Path) -> Result<(), Problem> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut input = BufReader::new(stream.try_clone()?).take(1 << 16);
    let mut request = String::new();
    input.read_line(&mut request)?;
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 && !line.trim_end().is_empty() {
        line.clear();
    }
    let mut words = request.split(' ');
    let is_head = words.next() == Some("HEAD");
    let path = words.next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (head, content) = response(folder, path);
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if !is_head {
        stream.write_all(&content)?;
    }
    Ok(())
}

fn response(folder: &Path, path: &str) -> (String, Vec<u8>) {
    let (mut status, mut more, mut content) = ("404 Not Found".to_owned(), String::new(), vec![]);
    if let Some(file) = file(folder, path) {
        if let Ok(bytes) = std::fs::read(&file) {
            (status, content) = ("200 OK".to_owned(), bytes);
        }
        let mut name = file.into_os_string();
        name.push(".headers");
        for line in std::fs::read_to_string(name).unwrap_or_default().lines() {
            match line.strip_prefix("Status: ") {
                Some(other) => status = other.to_owned(),
                None => drop(write!(more, "{line}\r\n")),
            }
        }
    }
    let size = content.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{more}Connection: close\r\n\r\n");
    (head, content)
}

/// The file of a request, if it is one below `served`.
fn file(folder: &Path, path: &str) -> Option<PathBuf> {
    let (case, rest) = path.strip_prefix('/')?.split_once('/')?;
    let rest = if rest.is_empty() { "index" } else { rest };
    let is_plain = |path: &str| {
        // Every component of an empty path is normal.
        !path.is_empty()
            && Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
    };
    (is_plain(case) && is_plain(rest)).then(|| folder.join(case).join("served").join(rest))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::file;

    #[test]
    fn only_what_is_served() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(
                file(Path::new("/f"), path).as_deref(),
                expected.map(Path::new)
            );
        };
        check("/case/a/b", Some("/f/case/served/a/b"));
        check("/case/", Some("/f/case/served/index"));
        check("/case/../x", None);
        check("/../x", None);
        check("/case", None);
        check("//x", None);
    }
}
