//! What a web server offers without being told: the pages that its pages name,
//! the operations that its OpenAPI document describes, a few well-known
//! addresses, and the answer to an address that is not there.
//!
//! Only GET, only this host and port, never an address whose words say that
//! asking for it changes something.

mod html;
mod openapi;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use jettison_plan::{Action, Expectation, Origin, Probe, Scheme};
use url::Url;

use super::life::Life;
use super::reply::{Bytes, Reply, Shape};
use super::schedule::Question;
use super::talk::get;
use crate::prove::RunError;
use html::Named;

/// Questions of one port.
const MOST_PAGES: usize = 40;
/// Requests that are tried for them.
const MOST_REQUESTS: usize = 120;
/// Links are followed this far.
const DEPTH: usize = 3;
/// Files of one kind in one directory: the fortieth icon shows nothing new.
const ALIKE: usize = 6;
/// Queries of one path.
const QUERIES: usize = 3;
/// Time for one port.
const TIME: Duration = Duration::from_secs(10);
/// Bytes that are read for one port.
const BYTES: u64 = 64 << 20;

/// Asked although nothing names them; kept when they are there.
const WELL_KNOWN: [&str; 18] = [
    "/openapi.json",
    "/openapi.yaml",
    "/swagger.yaml",
    "/swagger.json",
    "/v3/api-docs",
    "/v2/api-docs",
    "/api-docs",
    "/swagger/v1/swagger.json",
    "/api/openapi.json",
    "/api/swagger.json",
    "/health",
    "/healthz",
    "/readyz",
    "/livez",
    "/ping",
    "/version",
    "/api",
    "/api/health",
];
/// Certainly not there: error pages have templates too.
const NOWHERE: &str = "/no-such-page-1f0c";
/// Words of an address that is left alone.
const HARMFUL: [&str; 24] = [
    "logout",
    "logoff",
    "signout",
    "delete",
    "remove",
    "destroy",
    "drop",
    "shutdown",
    "restart",
    "reboot",
    "kill",
    "quit",
    "exit",
    "stop",
    "reset",
    "purge",
    "clear",
    "unsubscribe",
    "cancel",
    "disable",
    "uninstall",
    "wipe",
    "truncate",
    "terminate",
];

/// Pages beside `/`, in the order in which they were found. `front` is the
/// answer to `/`.
pub(super) fn crawl(
    life: &Life<'_>,
    scheme: Scheme,
    port: u16,
    front: &Reply,
) -> Result<Vec<Question>, RunError> {
    let Some(base) = base(scheme, port) else {
        return Ok(Vec::new());
    };
    let mut crawl = Crawl {
        life,
        scheme,
        port,
        until: Instant::now() + TIME,
        requests: 0,
        bytes: 0,
        known: BTreeSet::from(["/".to_owned()]),
        alike: BTreeMap::new(),
        queue: VecDeque::new(),
        hints: VecDeque::new(),
        found: Vec::new(),
    };
    crawl.read(&base, front, 0);
    crawl.follow(&base)?;
    let nowhere = crawl.ask(NOWHERE)?;
    for path in WELL_KNOWN {
        crawl.guess(&base, path, front, nowhere.as_ref())?;
    }
    while let Some(path) = crawl.hints.pop_front() {
        crawl.guess(&base, &path, front, nowhere.as_ref())?;
    }
    // What the guesses named.
    crawl.follow(&base)?;
    if let Some(reply @ Reply::Http { status, .. }) = &nowhere
        && *status < 500
    {
        crawl.keep(NOWHERE, reply);
    }
    Ok(crawl.found)
}

struct Crawl<'a, 'r> {
    life: &'a Life<'r>,
    scheme: Scheme,
    port: u16,
    until: Instant,
    requests: usize,
    bytes: u64,
    known: BTreeSet<String>,
    alike: BTreeMap<String, usize>,
    /// Path with the depth at which it was named.
    queue: VecDeque<(String, usize)>,
    hints: VecDeque<String>,
    found: Vec<Question>,
}

impl Crawl<'_, '_> {
    fn is_over(&self) -> bool {
        self.found.len() >= MOST_PAGES
            || self.requests >= MOST_REQUESTS
            || self.bytes >= BYTES
            || Instant::now() > self.until
    }

    fn follow(&mut self, base: &Url) -> Result<(), RunError> {
        while let Some((path, depth)) = self.queue.pop_front() {
            let Some(reply) = self.ask(&path)? else {
                break;
            };
            if let Reply::Http { status, .. } = &reply
                && (*status < 400 || matches!(status, 401 | 403))
            {
                self.keep(&path, &reply);
            }
            if depth < DEPTH
                && let Ok(page) = base.join(&path)
            {
                self.read(&page, &reply, depth);
            }
        }
        Ok(())
    }

    /// Tries an address that nothing named; kept when it is there, and not
    /// what the server says to everything.
    fn guess(
        &mut self,
        base: &Url,
        path: &str,
        front: &Reply,
        nowhere: Option<&Reply>,
    ) -> Result<(), RunError> {
        if !self.known.insert(path.to_owned()) || is_harmful(path) {
            return Ok(());
        }
        let Some(reply) = self.ask(path)? else {
            return Ok(());
        };
        let Reply::Http { status, body, .. } = &reply else {
            return Ok(());
        };
        let is_same =
            |other: &Reply| matches!(other, Reply::Http { body: known, .. } if known == body);
        let is_new = !is_same(front) && !nowhere.is_some_and(is_same);
        if *status < 400 && is_new {
            self.keep(path, &reply);
            if let Ok(page) = base.join(path) {
                self.read(&page, &reply, DEPTH - 1);
            }
        }
        Ok(())
    }

    fn ask(&mut self, path: &str) -> Result<Option<Reply>, RunError> {
        if self.is_over() || self.life.ended()?.is_some() {
            return Ok(None);
        }
        self.requests += 1;
        let action = Action::Http(get(self.scheme, self.port, path));
        let reply = self.life.ask(&action, Shape::Http(200))?;
        if let Reply::Http { body, .. } = &reply {
            self.bytes = self.bytes.saturating_add(body.size);
        }
        Ok(Some(reply))
    }

    fn keep(&mut self, path: &str, reply: &Reply) {
        if self.found.len() < MOST_PAGES {
            self.found.push(Question {
                probe: Probe {
                    action: Action::Http(get(self.scheme, self.port, path)),
                    expectation: Expectation::AnyAnswer,
                    origin: Origin::Free,
                },
                expected: reply.shape(),
            });
        }
    }

    /// Takes the addresses that an answer names.
    fn read(&mut self, page: &Url, reply: &Reply, depth: usize) {
        let Reply::Http { headers, body, .. } = reply else {
            return;
        };
        let header = |wanted: &str| {
            let found = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        if let Some(target) = header("location") {
            self.take(page, target, depth);
        }
        let named = named(
            header("content-type").unwrap_or_default(),
            page.path(),
            body,
        );
        let base = named.base.as_deref().and_then(|base| page.join(base).ok());
        let base = base.as_ref().unwrap_or(page);
        for link in &named.links {
            self.take(base, link, depth);
        }
        for hint in &named.hints {
            if self.hints.len() < MOST_REQUESTS
                && let Some(path) = on_this_host(base, hint)
            {
                self.hints.push_back(path);
            }
        }
    }

    fn take(&mut self, base: &Url, link: &str, depth: usize) {
        let Some(path) = on_this_host(base, link).filter(|path| !is_harmful(path)) else {
            return;
        };
        if self.known.len() >= MOST_REQUESTS * 4 || self.known.contains(&path) {
            return;
        }
        let (plain, query) = path.split_once('?').unwrap_or((&path, ""));
        let (directory, name) = plain.rsplit_once('/').unwrap_or(("", plain));
        let (kind, most) = match (query, name.rsplit_once('.')) {
            ("", Some((_, kind))) => (format!("{directory}/*.{kind}"), ALIKE),
            ("", None) => (format!("{directory}/*"), ALIKE * 2),
            _ => (format!("{plain}?"), QUERIES),
        };
        let count = self.alike.entry(kind).or_default();
        *count += 1;
        if *count <= most {
            self.known.insert(path.clone());
            self.queue.push_back((path, depth + 1));
        }
    }
}

fn base(scheme: Scheme, port: u16) -> Option<Url> {
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    Url::parse(&format!("{scheme}://localhost:{port}/")).ok()
}

/// Path and query of an address, when it is on the host that was asked.
fn on_this_host(base: &Url, link: &str) -> Option<String> {
    let url = base.join(link).ok()?;
    let is_here = matches!(url.scheme(), "http" | "https")
        && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "0.0.0.0"))
        && url.port_or_known_default() == base.port_or_known_default();
    let query = url.query().map(|query| format!("?{query}"));
    let path = format!("{}{}", url.path(), query.unwrap_or_default());
    let fits = path.len() <= 1000 && path.bytes().all(|byte| byte.is_ascii_graphic());
    (is_here && fits).then_some(path)
}

fn is_harmful(path: &str) -> bool {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let lower: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    let joined = lower.windows(2).map(|pair| pair.concat());
    let mut all = lower.iter().cloned().chain(joined);
    all.any(|word| HARMFUL.contains(&word.as_str()))
}

fn named(content_type: &str, path: &str, body: &Bytes) -> Named {
    let Some(text) = body.text() else {
        return Named::default();
    };
    let is = |words: &[&str]| words.iter().any(|word| content_type.contains(word));
    let start = text.trim_start();
    if is(&["html"]) || (content_type.is_empty() && start.starts_with('<')) {
        html::html(text)
    } else if is(&["css"]) {
        html::css(text)
    } else if is(&["javascript", "ecmascript"]) || path.ends_with(".js") {
        html::script(text)
    } else if is(&["json"]) || start.starts_with('{') {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(document) if openapi::is_openapi(&document) => Named {
                links: openapi::requests(&document),
                ..Named::default()
            },
            _ => html::json(text),
        }
    } else if is(&["yaml"]) || path.ends_with(".yaml") || path.ends_with(".yml") {
        let document = serde_saphyr::from_str(text).ok();
        let document = document.filter(openapi::is_openapi);
        Named {
            links: document.as_ref().map(openapi::requests).unwrap_or_default(),
            ..Named::default()
        }
    } else {
        Named::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Url, is_harmful, named, on_this_host};

    #[test]
    fn addresses_of_this_host() {
        let check = |link: &str, expected: Option<&str>| {
            let base = Url::parse("http://localhost:8080/shop/index.html").expect("an address");
            assert_eq!(on_this_host(&base, link).as_deref(), expected, "{link}");
        };
        check("a b?x=ä#top", Some("/shop/a%20b?x=%C3%A4"));
        check("../x", Some("/x"));
        check("//localhost:8080/y", Some("/y"));
        check("http://127.0.0.1:8080/z", Some("/z"));
        check("http://localhost/other-port", None);
        check("https://example.org/", None);
        check("mailto:a@example.org", None);
        check("javascript:void(0)", None);
    }

    #[test]
    fn what_may_change_something_is_left_alone() {
        for path in [
            "/logout",
            "/user/sign-out",
            "/item/3/delete",
            "/x?action=remove",
            "/admin/Shutdown",
        ] {
            assert!(is_harmful(path), "{path}");
        }
        for path in ["/", "/items/stopwatch", "/about", "/x?q=hello"] {
            assert!(!is_harmful(path), "{path}");
        }
    }

    #[test]
    fn a_description_in_yaml() {
        let links = |text: &str| {
            let body = Bytes::new(text.as_bytes().to_vec());
            named("application/yaml", "/openapi.yaml", &body).links
        };
        let text = "openapi: 3.0.0\npaths:\n  /items:\n    get:\n      responses:\n        200: {description: fine}\n";
        assert_eq!(links(text), ["/items"]);
        // What grows out of bounds, and what is none.
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let inner = format!("*a{}, ", n - 1).repeat(10);
            bomb += &format!("a{n}: &a{n} [{}]\n", inner.trim_end_matches(", "));
        }
        for text in [&bomb, "openapi: [", "paths: 7"] {
            assert!(links(text).is_empty());
        }
    }
}
