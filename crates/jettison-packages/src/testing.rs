//! What several tests share: the machine's mirror, and an archive in memory.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::process::Command;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::apt::{Archives, Sources, from_mirror};
use crate::{Fetch, FetchError, Location, Request};

/// Fetches with curl, and remembers by digest for the run of one test.
#[derive(Default)]
pub(crate) struct Curl {
    seen: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Fetch for Curl {
    fn fetch(&self, wanted: &Request) -> Result<Box<dyn Read + Send>, FetchError> {
        let url = match &wanted.location {
            Location::Url(url) => url.clone(),
            Location::File(path) => format!("file://{}", path.display()),
        };
        if let Some(bytes) = self.seen.lock().unwrap().get(&url) {
            return Ok(Box::new(Cursor::new(bytes.clone())));
        }
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--location", "--max-time", "60", &url])
            .output()
            .map_err(|error| FetchError::Failed(error.into()))?;
        match output.status.code() {
            Some(0) => {
                self.seen.lock().unwrap().insert(url, output.stdout.clone());
                Ok(Box::new(Cursor::new(output.stdout)))
            }
            Some(22) => Err(FetchError::NotFound),
            code => Err(FetchError::Failed(format!("curl: {code:?}").into())),
        }
    }
}

pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

/// The machine's mirror for a release of Debian; none, said aloud, where the
/// machine has no Debian sources or they cannot be reached.
pub(crate) fn mirror(suite: &str) -> Option<Archives> {
    let mut found = Sources::default();
    let lists = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    let paths = lists
        .map(|entry| entry.path())
        .chain(["/etc/apt/sources.list".into()]);
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.read(&name, &std::fs::read_to_string(&path).unwrap_or_default());
    }
    let Ok(own) = crate::apt::choose(&found.sources, None, "amd64") else {
        eprintln!("skipped: this machine's apt sources name no Debian archive");
        return None;
    };
    let archives = if own.suite == suite {
        own
    } else {
        let root = match &own.archives[0].roots[0] {
            Location::Url(url) => url.clone(),
            Location::File(path) => format!("file:{}", path.display()),
        };
        from_mirror(&root, None, suite).unwrap()
    };
    let probe = archives.archives[0].roots[0].join(&format!("dists/{suite}/InRelease"));
    if Curl::default()
        .fetch(&Request::any(probe.unwrap()))
        .is_err()
    {
        eprintln!("skipped: the mirror of this machine cannot be reached for {suite}");
        return None;
    }
    Some(archives)
}

/// Files by path below one root, as an archive of its own.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// Where [`Memory`] pretends to lie.
pub(crate) const ROOT: &str = "http://mirror.example/debian";

impl Fetch for Memory {
    fn fetch(&self, wanted: &Request) -> Result<Box<dyn Read + Send>, FetchError> {
        let Location::Url(url) = &wanted.location else {
            return Err(FetchError::NotFound);
        };
        let path = url
            .strip_prefix(ROOT)
            .and_then(|path| path.strip_prefix('/'));
        let bytes = path
            .and_then(|path| self.files.get(path))
            .ok_or(FetchError::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}
