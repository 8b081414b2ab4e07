//! Registries and web servers that misbehave: each is a few lines of script on
//! loopback, so that every failure happens exactly when it should.
#![expect(clippy::unwrap_used, reason = "tests")]

mod referrers;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jettison_engine::http::{HttpClient, HttpError, HttpOptions, Retry};
use jettison_engine::progress::Silent;
use jettison_engine::store::Store;
use jettison_engine::transport::{
    Environment, Location, Opened, Origin, StoreSource, TransportError, TransportOptions,
    Transports,
};
use jettison_image::{
    Compression, DiffId, Digest, History, ImageConfig, NewImage, NewLayer, Platform, Schema,
};

/// One request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn offset(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

#[derive(Default)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Hang up after so many bytes of the body.
    cut: Option<usize>,
}

impl Reply {
    fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// `script` is given each request and how many of this method and path
    /// came before; what it does not answer is 404.
    fn start(script: impl Fn(&Seen, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::limited(usize::MAX, script)
    }

    /// Reads no more than `most` bytes of the first PATCH and hangs up then.
    fn limited(
        most: usize,
        script: impl Fn(&Seen, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, all) = (Arc::new(script), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen) = (script.clone(), all.clone());
                std::thread::spawn(move || serve(stream.unwrap(), most, &*script, &seen));
            }
        });
        Self { port, seen }
    }

    fn count(&self, method: &str, part: &str) -> usize {
        self.all(method, part).len()
    }

    fn all(&self, method: &str, part: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.method == method && seen.path.contains(part))
            .cloned()
            .collect()
    }
}

type Script = dyn Fn(&Seen, usize) -> Option<Reply> + Send + Sync;

fn serve(stream: TcpStream, most: usize, script: &Script, all: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((key, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((key.to_owned(), value.to_owned()));
        }
        let mut seen = Seen {
            method,
            path,
            headers,
            body: Vec::new(),
        };
        let before = {
            let all = all.lock().unwrap();
            all.iter()
                .filter(|other| other.method == seen.method && other.path == seen.path)
                .count()
        };
        let length: usize = seen
            .header("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let cut = seen.method == "PATCH" && before == 0 && length > most;
        let mut body = vec![0; if cut { most } else { length }];
        reader.read_exact(&mut body).ok()?;
        seen.body = body;
        all.lock().unwrap().push(seen.clone());
        if cut {
            writer.shutdown(Shutdown::Both).ok()?;
            return None;
        }
        let reply = script(&seen, before).unwrap_or(Reply::new(404));
        let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !reply
            .headers
            .iter()
            .any(|(name, _)| *name == "Content-Length")
        {
            head += &format!("Content-Length: {}\r\n", reply.body.len());
        }
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(b"\r\n").ok()?;
        if seen.method != "HEAD" {
            let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
            writer.write_all(body).ok()?;
        }
        if reply.cut.is_some() {
            writer.shutdown(Shutdown::Both).ok()?;
            return None;
        }
    }
}

fn quick() -> HttpOptions {
    HttpOptions {
        retry: Retry {
            first_pause: Duration::from_millis(5),
            ..Retry::default()
        },
        ..HttpOptions::default()
    }
}

struct Case {
    _scratch: tempfile::TempDir,
    transports: Transports,
    opened: Opened,
}

fn case() -> Case {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(&scratch.path().join("store")).unwrap();
    let options = TransportOptions {
        http: quick(),
        environment: Environment::new([
            ("DOCKER_HOST", "unix:///nowhere"),
            ("DOCKER_CONFIG", scratch.path().to_str().unwrap()),
        ]),
        ..TransportOptions::default()
    };
    let transports = Transports::new(store.clone(), options, Arc::new(Silent)).unwrap();
    let content: Vec<u8> = (0..600_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let layer = store.put_blob(&content).unwrap();
    let mut image = NewImage::new(Schema::Oci, ImageConfig::new(&Platform::host()));
    let layer = NewLayer {
        digest: layer.digest,
        size_bytes: layer.size_bytes,
        diff_id: DiffId(Digest::of(&content)),
        // As far as a registry sees: a plain layer would be packed for it.
        compression: Compression::Gzip,
    };
    image.push_layer(layer, History::default());
    let image = image.finish(Arc::new(StoreSource(store))).unwrap();
    let opened = Opened::new(image, Origin::Store);
    Case {
        _scratch: scratch,
        transports,
        opened,
    }
}

/// A registry that holds the image of a [`case`]; `blob` answers for its layer.
fn registry(
    case: &Case,
    blob: impl Fn(&Seen, usize, &[u8]) -> Reply + Send + Sync + 'static,
) -> Server {
    let image = &case.opened.image;
    let (manifest, config) = (image.manifest_bytes.clone(), image.config_bytes.clone());
    let config_path = format!("/v2/app/blobs/{}", image.manifest.config.digest);
    let mut layer = Vec::new();
    image
        .open_layer(&image.layers[0])
        .unwrap()
        .read_to_end(&mut layer)
        .unwrap();
    Server::start(move |seen, before| match seen.path.as_str() {
        "/v2/" => Some(Reply::new(200)),
        "/v2/app/manifests/1" => {
            let media_type = Schema::Oci.manifest();
            Some(
                Reply::new(200)
                    .header("Content-Type", media_type)
                    .body(&manifest),
            )
        }
        path if path == config_path => Some(Reply::new(200).body(&config)),
        path if path.starts_with("/v2/app/blobs/") => Some(blob(seen, before, &layer)),
        _ => None,
    })
}

fn location(server: &Server, name: &str) -> Location {
    Location::parse(&format!("docker://127.0.0.1:{}/{name}", server.port)).unwrap()
}

fn pull(server: &Server) -> Result<Digest, TransportError> {
    let fresh = case_without_image();
    let opened = fresh.1.open(&location(server, "app:1"), None)?;
    Ok(fresh.1.keep(&opened, &[])?.manifest_digest.unwrap())
}

fn case_without_image() -> (tempfile::TempDir, Transports) {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let options = TransportOptions {
        http: quick(),
        ..TransportOptions::default()
    };
    let transports = Transports::new(store, options, Arc::new(Silent)).unwrap();
    (scratch, transports)
}

#[test]
fn a_download_is_taken_up_where_it_broke() {
    let case = case();
    let server = registry(&case, |seen, before, layer| match (seen.offset(), before) {
        (_, 0) => Reply::new(429).header("Retry-After", 0),
        (_, 1) => Reply::new(503),
        (None, 2) => Reply::new(200).body(layer).cut(200_000),
        (Some(offset), 3) => Reply::new(206)
            .header(
                "Content-Range",
                format!("bytes {offset}-{}/{}", layer.len() - 1, layer.len()),
            )
            .body(&layer[offset..])
            .cut(100_000),
        // From here on the server has forgotten about ranges.
        _ => Reply::new(200).body(layer),
    });
    assert_eq!(pull(&server).unwrap(), case.opened.image.manifest_digest);
    let offsets: Vec<_> = server
        .all("GET", "blobs")
        .iter()
        .filter_map(Seen::offset)
        .collect();
    assert_eq!(offsets.len(), 2, "{offsets:?}");
    assert!(offsets[0] > 0 && offsets[0] <= 200_000 && offsets[1] > offsets[0]);
}

#[test]
fn a_download_goes_on_in_the_next_process() {
    let case = case();
    let server = registry(&case, |seen, before, layer| match (seen.offset(), before) {
        (Some(offset), 20..) => Reply::new(206)
            .header(
                "Content-Range",
                format!("bytes {offset}-{}/{}", layer.len() - 1, layer.len()),
            )
            .body(&layer[offset..]),
        (None, 0) => Reply::new(200).body(layer).cut(300_000),
        _ => Reply::new(if before < 20 { 500 } else { 200 }).body(layer),
    });
    let fresh = case_without_image();
    let mut attempts = 0;
    loop {
        attempts += 1;
        assert!(attempts < 20);
        let opened = fresh.1.open(&location(&server, "app:1"), None).unwrap();
        if fresh.1.keep(&opened, &[]).is_ok() {
            break;
        }
    }
    assert!(attempts > 1);
    let whole = server
        .all("GET", "blobs")
        .iter()
        .filter(|seen| seen.offset().is_none())
        .count();
    // The config and the first attempt at the layer.
    assert!(
        whole <= attempts + 1,
        "{whole} whole requests in {attempts} attempts"
    );
}

#[test]
fn blobs_that_are_not_what_they_should_be_are_refused() {
    type Blob = fn(&Seen, usize, &[u8]) -> Reply;
    let cases: [(&str, Blob, &str); 4] = [
        (
            "short",
            |_, _, layer| Reply::new(200).body(&layer[..layer.len() - 1]),
            "ends blob",
        ),
        (
            "long",
            |_, _, layer| Reply::new(200).body(&[layer, b"x"].concat()),
            "sends more than",
        ),
        (
            "wrong",
            |_, _, layer| Reply::new(200).body(&vec![7; layer.len()]),
            "has the content of",
        ),
        ("gone", |_, _, _| Reply::new(404), "has no blob"),
    ];
    for (what, blob, expected) in cases {
        let case = case();
        let server = registry(&case, blob);
        let error = pull(&server).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn a_manifest_without_end_is_cut_off() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/v2/" => Some(Reply::new(200)),
        _ => Some(Reply::new(200).body(&vec![b' '; 64 << 20])),
    });
    let error = pull(&server).unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn a_manifest_of_another_digest_is_refused() {
    let server = Server::start(|_, _| Some(Reply::new(200).body(b"{}")));
    let fresh = case_without_image();
    let digest = Digest::of(b"wanted");
    let location = location(&server, &format!("app@{digest}"));
    let error = fresh.1.open(&location, None).err().unwrap().to_string();
    assert!(error.contains("was asked for"), "{error}");
}

#[test]
fn an_upload_is_taken_up_where_it_broke() {
    const KEPT: usize = 150_000;
    let case = case();
    let layer = case.opened.image.layers[0].descriptor.digest.to_string();
    let config_bytes = case.opened.image.config_bytes.len();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let store = kept.clone();
    let server = Server::limited(KEPT, move |seen, _| {
        let mut kept = store.lock().unwrap();
        let location = "/v2/app/blobs/uploads/1?state=x";
        Some(
            match (seen.method.as_str(), seen.path.contains("uploads/1")) {
                ("GET", false) => Reply::new(200),
                ("HEAD", _) if seen.path.contains(&layer) => Reply::new(404),
                ("HEAD", _) => Reply::new(200).header("Content-Length", config_bytes),
                ("POST", _) => Reply::new(202).header("Location", location),
                ("GET", true) => {
                    *kept = vec![0; KEPT];
                    let range = format!("0-{}", KEPT - 1);
                    Reply::new(204)
                        .header("Location", location)
                        .header("Range", range)
                }
                ("PATCH", _) => {
                    kept.extend(&seen.body);
                    let range = format!("0-{}", kept.len() - 1);
                    Reply::new(202)
                        .header("Location", location)
                        .header("Range", range)
                }
                _ => Reply::new(201),
            },
        )
    });
    let mut names = vec![];
    if let Location::Registry(reference) = location(&server, "app:1") {
        names.push(reference);
    }
    let written = case.transports.push(&case.opened, &names).unwrap();
    assert_eq!(
        written.manifest_digest,
        Some(case.opened.image.manifest_digest)
    );
    let resumed: Vec<Seen> = server
        .all("PATCH", "uploads")
        .into_iter()
        .filter(|seen| seen.header("content-range") == Some("150000-599999"))
        .collect();
    assert_eq!(resumed.len(), 1);
    assert_eq!(resumed[0].body.len(), 450_000);
    assert_eq!(server.count("PUT", "manifests/1"), 1);
}

#[test]
fn credentials_do_not_follow_to_other_hosts() {
    let storage = Server::start(|_, _| Some(Reply::new(200).body(b"elsewhere")));
    let storage_port = storage.port;
    let server = Server::start(move |seen, _| match seen.header("authorization") {
        None => Some(Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\"")),
        Some(_) => {
            let to = format!("http://127.0.0.1:{storage_port}/somewhere");
            Some(Reply::new(307).header("Location", to))
        }
    });
    let scratch = tempfile::tempdir().unwrap();
    let auths = format!(
        r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"dTpw"}}}}}}"#,
        server.port
    );
    std::fs::write(scratch.path().join("config.json"), auths).unwrap();
    let store = Store::open(&scratch.path().join("store")).unwrap();
    let options = TransportOptions {
        http: quick(),
        environment: Environment::new([("DOCKER_CONFIG", scratch.path().to_str().unwrap())]),
        ..TransportOptions::default()
    };
    let transports = Transports::new(store, options, Arc::new(Silent)).unwrap();
    assert!(transports.open(&location(&server, "app:1"), None).is_err());
    let there = storage.all("GET", "somewhere");
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].header("authorization"), None);
    assert!(
        server
            .all("GET", "manifests")
            .iter()
            .any(|seen| seen.header("authorization") == Some("Basic dTpw"))
    );
}

#[test]
fn rights_to_the_source_are_asked_for_when_mounting() {
    let seen = |path: &str| path.starts_with("/v2/") || path.starts_with("/token");
    let port = Arc::new(Mutex::new(0));
    let own = port.clone();
    let case = case();
    let manifest = case.opened.image.manifest_bytes.clone();
    let config = case.opened.image.config_bytes.clone();
    let config_path = format!(
        "/v2/from/blobs/{}",
        case.opened.image.manifest.config.digest
    );
    let server = Server::start(move |request, _| {
        assert!(seen(&request.path));
        let port = *own.lock().unwrap();
        if request.path.starts_with("/token") {
            return Some(Reply::new(200).body(br#"{"access_token":"t"}"#));
        }
        if request.header("authorization").is_none() {
            let challenge = format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"s\"");
            return Some(Reply::new(401).header("WWW-Authenticate", challenge));
        }
        Some(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v2/from/manifests/1") => Reply::new(200)
                .header("Content-Type", Schema::Oci.manifest())
                .body(&manifest),
            ("GET", path) if path == config_path => Reply::new(200).body(&config),
            ("HEAD", _) => Reply::new(404),
            ("POST", path) if path.contains("mount=") => Reply::new(201),
            ("PUT", _) => Reply::new(201),
            _ => Reply::new(404),
        })
    });
    *port.lock().unwrap() = server.port;
    let opened = case
        .transports
        .open(&location(&server, "from:1"), None)
        .unwrap();
    let written = case
        .transports
        .write(&opened, &location(&server, "to:1"), &[])
        .unwrap();
    assert_eq!(written.moved.mounted, 2);
    let tokens = server.all("GET", "/token");
    let both = |path: &str| {
        path.contains("repository%3Ato%3Apull%2Cpush") && path.contains("repository%3Afrom%3Apull")
    };
    assert!(tokens.iter().any(|seen| both(&seen.path)), "{tokens:?}");
}

#[test]
fn a_url_is_fetched_in_spite_of_everything() {
    let content: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let whole = content.clone();
    let server = Server::start(move |seen, before| {
        Some(match (seen.path.as_str(), before, seen.offset()) {
            ("/file", 0, _) => Reply::new(500),
            ("/file", 1, None) => Reply::new(200)
                .header("ETag", "\"1\"")
                .body(&whole)
                .cut(40_000),
            ("/file", _, Some(offset)) if seen.header("if-range") == Some("\"1\"") => {
                let range = format!("bytes {offset}-99999/100000");
                Reply::new(206)
                    .header("Content-Range", range)
                    .body(&whole[offset..])
            }
            ("/file", _, None) => Reply::new(200).body(&whole),
            ("/changing", 0, _) => Reply::new(200)
                .header("ETag", "\"1\"")
                .body(&whole)
                .cut(40_000),
            ("/changing", ..) => Reply::new(200).header("ETag", "\"2\"").body(&whole),
            ("/there", ..) => Reply::new(302).header("Location", "/file"),
            ("/loop", ..) => Reply::new(302).header("Location", "/loop"),
            ("/busy", ..) => Reply::new(503).header("Retry-After", 3600),
            ("/down", ..) => Reply::new(302).header("Location", "ftp://x.test/"),
            _ => return None,
        })
    });
    let client = HttpClient::new(quick()).unwrap();
    let get = |path: &str, limit| {
        let begin = Instant::now();
        let result = client.get(&format!("http://127.0.0.1:{}{path}", server.port), limit);
        let result = result.and_then(|download| download.bytes());
        assert!(begin.elapsed() < Duration::from_secs(5), "{path}");
        result
    };
    assert_eq!(get("/file", 100_000).unwrap(), content);
    assert!(matches!(
        get("/file", 99_999),
        Err(HttpError::Url { .. } | HttpError::TooLong { .. })
    ));
    assert!(get("/changing", 100_000).is_err());
    assert!(matches!(
        get("/none", 1),
        Err(HttpError::Status { status: 404, .. })
    ));
    assert!(matches!(get("/busy", 1), Err(HttpError::Wait { .. })));
    assert!(
        get("/loop", 1)
            .unwrap_err()
            .to_string()
            .contains("redirects without end")
    );
    assert!(get("/down", 1).is_err());
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("local"), b"here").unwrap();
    let url = format!("file://{}/local", scratch.path().display());
    assert_eq!(client.get(&url, 4).unwrap().bytes().unwrap(), b"here");
    assert!(client.get(&url, 3).is_err());
    assert!(client.get("file:///dev/zero", 3).is_err());
}
