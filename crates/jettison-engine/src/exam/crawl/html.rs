//! Addresses that a document names: pages, style sheets, scripts, JSON. A
//! tolerant reader, since a browser is one too: what it does not understand it
//! passes over. Every reader takes one pass and gives at most [`MOST`].

/// Addresses of one document.
pub(super) const MOST: usize = 200;
/// The longest address that is taken.
const LONGEST: usize = 500;

/// What a document names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Meant to be fetched: links, images, scripts, targets of GET forms.
    pub(super) links: Vec<String>,
    /// Texts in scripts that look like a path on this host.
    pub(super) hints: Vec<String>,
    /// `<base href>`.
    pub(super) base: Option<String>,
}

impl Named {
    fn link(&mut self, address: &str) {
        let address = unescaped(address.trim());
        let fits = !address.is_empty() && address.len() <= LONGEST && !address.starts_with('#');
        if fits && self.links.len() < MOST && !self.links.contains(&address) {
            self.links.push(address);
        }
    }

    fn hint(&mut self, text: &str) {
        if self.hints.len() < MOST && !self.hints.iter().any(|known| known == text) {
            self.hints.push(text.to_owned());
        }
    }
}

/// Reads a page.
pub(super) fn html(text: &str) -> Named {
    let mut named = Named::default();
    let mut form: Option<Form> = None;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            continue;
        }
        let (tag, behind) = tag(rest);
        rest = behind;
        match tag.name.as_str() {
            "base" => named.base = named.base.or(tag.get("href").map(unescaped)),
            "a" | "area" | "link" => tag.get("href").into_iter().for_each(|a| named.link(a)),
            "form" => {
                form.take()
                    .into_iter()
                    .for_each(|form| form.finish(&mut named));
                form = Form::open(&tag);
            }
            "/form" => form
                .take()
                .into_iter()
                .for_each(|form| form.finish(&mut named)),
            "input" | "select" | "textarea" | "button" => {
                if let Some(form) = &mut form {
                    form.field(&tag);
                }
            }
            "meta" if tag.is("http-equiv", "refresh") => {
                let target = tag.get("content").and_then(|text| text.split_once('='));
                target.into_iter().for_each(|(_, target)| {
                    named.link(target.trim_matches(['\'', '"', ' ']));
                });
            }
            _ => {}
        }
        for name in ["src", "poster", "data-src", "data"] {
            let is_data = name == "data" && tag.name != "object";
            if let Some(address) = tag.get(name).filter(|_| !is_data) {
                named.link(address);
            }
        }
        if let Some(set) = tag.get("srcset") {
            let addresses = set
                .split(',')
                .filter_map(|one| one.split_whitespace().next());
            addresses.for_each(|address| named.link(address));
        }
        if let Some(style) = tag.get("style") {
            css_into(style, &mut named);
        }
        // Their content is no markup.
        if tag.name == "script" || tag.name == "style" {
            let end = find_ignoring_case(rest, &format!("</{}", tag.name)).unwrap_or(rest.len());
            match tag.name.as_str() {
                "script" => script_into(&rest[..end], &mut named),
                _ => css_into(&rest[..end], &mut named),
            }
            rest = &rest[end..];
        }
    }
    form.into_iter().for_each(|form| form.finish(&mut named));
    named
}

/// Reads a style sheet: `url(…)` and `@import "…"` (CSS Values 4.5, Cascade 2).
pub(super) fn css(text: &str) -> Named {
    let mut named = Named::default();
    css_into(text, &mut named);
    named
}

fn css_into(text: &str, named: &mut Named) {
    let mut rest = text;
    while let Some(at) = rest.find("url(") {
        rest = &rest[at + 4..];
        let Some((address, behind)) = rest.split_once(')') else {
            break;
        };
        rest = behind;
        let address = address.trim().trim_matches(['\'', '"']);
        if !address.starts_with("data:") {
            named.link(address);
        }
    }
    for import in text.split("@import").skip(1) {
        let import = import.trim_start();
        if let Some(quote @ ('"' | '\'')) = import.chars().next() {
            let address = import[1..].split(quote).next();
            address.into_iter().for_each(|address| named.link(address));
        }
    }
}

/// Reads a script: quoted texts that look like a path on this host.
pub(super) fn script(text: &str) -> Named {
    let mut named = Named::default();
    script_into(text, &mut named);
    named
}

fn script_into(text: &str, named: &mut Named) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 2 < bytes.len() && named.hints.len() < MOST {
        let quote = bytes[at];
        at += 1;
        if !matches!(quote, b'"' | b'\'' | b'`') || bytes[at] != b'/' {
            continue;
        }
        let is_path = |b: &u8| b.is_ascii_alphanumeric() || b"/-._~?=&%".contains(b);
        let length = bytes[at..]
            .iter()
            .take(120)
            .take_while(|b| is_path(b))
            .count();
        let ends = bytes.get(at + length) == Some(&quote);
        if ends && length > 1 && !bytes[at + 1..].starts_with(b"/") {
            named.hint(&text[at..at + length]);
        }
        at += length;
    }
}

/// Reads a JSON document: texts that are an address of this host, or a path.
pub(super) fn json(text: &str) -> Named {
    let mut named = Named::default();
    let mut todo: Vec<serde_json::Value> = serde_json::from_str(text).into_iter().collect();
    while let Some(value) = todo.pop() {
        match value {
            serde_json::Value::Array(values) => todo.extend(values.into_iter().rev()),
            serde_json::Value::Object(map) => todo.extend(map.into_iter().map(|(_, v)| v).rev()),
            serde_json::Value::String(text) => {
                let is_path = text.starts_with('/') && !text.starts_with("//");
                let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
                if is_plain && text.len() > 1 && text.len() <= LONGEST {
                    if is_path {
                        named.hint(&text);
                    } else if text.starts_with("http://") || text.starts_with("https://") {
                        named.link(&text);
                    }
                }
            }
            _ => {}
        }
    }
    named
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    }
}

/// A tag from behind its `<`, and what follows its `>` (HTML, 13.2.5).
fn tag(text: &str) -> (Tag, &str) {
    let is_end = |c: char| c.is_whitespace() || c == '>';
    let end = text.find(is_end).unwrap_or(text.len());
    let mut name = text[..end].to_ascii_lowercase();
    if name.len() > 1 && name.ends_with('/') {
        name.pop();
    }
    let mut attributes = Vec::new();
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            break;
        }
        if let Some(behind) = rest.strip_prefix('>') {
            rest = behind;
            break;
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
        // A stray `=` is a part of the name.
        let mut behind_first = rest.char_indices().skip(1);
        let end = behind_first
            .find(|(_, c)| is_end(*c))
            .map_or(rest.len(), |(at, _)| at);
        let attribute = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(behind) = rest.strip_prefix('=') {
            let behind = behind.trim_start();
            (value, rest) = match behind.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    behind[1..].split_once(quote).unwrap_or((&behind[1..], ""))
                }
                _ => {
                    let end = behind.find(|c: char| c.is_whitespace() || c == '>');
                    behind.split_at(end.unwrap_or(behind.len()))
                }
            };
        }
        if attributes.len() < 64 {
            attributes.push((attribute, value.to_owned()));
        }
    }
    (Tag { name, attributes }, rest)
}

/// A form that asks by GET, with what its fields hold.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn open(tag: &Tag) -> Option<Self> {
        let method = tag.get("method").unwrap_or("get");
        method.trim().eq_ignore_ascii_case("get").then(|| Self {
            action: tag.get("action").unwrap_or_default().to_owned(),
            fields: Vec::new(),
        })
    }

    fn field(&mut self, tag: &Tag) {
        let name = tag.get("name").filter(|name| !name.is_empty());
        let kind = tag.get("type").unwrap_or_default().to_ascii_lowercase();
        let counts = !matches!(
            kind.as_str(),
            "submit" | "reset" | "button" | "image" | "file"
        ) && tag.name != "button"
            && (!matches!(kind.as_str(), "checkbox" | "radio") || tag.get("checked").is_some());
        if let Some(name) = name.filter(|_| counts && self.fields.len() < 16) {
            let value = tag.get("value").unwrap_or_default();
            self.fields.push((unescaped(name), unescaped(value)));
        }
    }

    fn finish(self, named: &mut Named) {
        if self.action.is_empty() && self.fields.is_empty() {
            return;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.fields);
        let query = query.finish();
        let action = self.action.split(['?', '#']).next().unwrap_or_default();
        match query.is_empty() {
            true => named.link(action),
            false => named.link(&format!("{action}?{query}")),
        }
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&#38;", "&").replace("&#x26;", "&");
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(what.len());
    windows
        .into_iter()
        .position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{css, html, json, script};

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(html(text).links, expected, "{text}");
    }

    #[test]
    fn pages() {
        check(
            "<a href=/a>x</a><A HREF='/b?x=1&amp;y=2'>",
            &["/a", "/b?x=1&y=2"],
        );
        check("<!-- <a href=/no> --><a href=\"/yes\"", &["/yes"]);
        check(
            "<script src=app.js></script><link rel=stylesheet href=s.css />",
            &["app.js", "s.css"],
        );
        check(
            "<script>var x = '<a href=/no>';</script><img src=i.png>",
            &["i.png"],
        );
        check(
            "<img srcset='a.png 1x, b.png 2x' src=c.png>",
            &["c.png", "a.png", "b.png"],
        );
        check(
            "<form action=/go><input name=q value='a b'><input type=submit name=s></form>",
            &["/go?q=a+b"],
        );
        check("<form action=/go method=POST><input name=q></form>", &[]);
        check("<form><input name=q>", &["?q="]);
        check(
            "<meta http-equiv=Refresh content='0; url=/next'>",
            &["/next"],
        );
        check(
            "<div style=\"background:url('bg.png')\"><style>@import \"x.css\"; b{c:url(y.png)}</style>",
            &["bg.png", "y.png", "x.css"],
        );
        check("<a href=#top><a href=''><a>", &[]);
        check("< a href=/no>1 < 2 <b", &[]);
        check("<a é=1 href=/é>", &["/é"]);
        check("<a =\"x\" href=/y>", &["/y"]);
    }

    #[test]
    fn other_documents() {
        assert_eq!(
            css("a{b:url( \"x.png\" )} c{d:url(data:image/png,0)}").links,
            ["x.png"]
        );
        let text =
            "fetch('/api/items'); a=\"//cdn\"; b='/'; c=`/x/${id}`; d=\"/api/items\"; e='/a b'";
        assert_eq!(script(text).hints, ["/api/items"]);
        let named =
            json(r#"{"self":"/api/1","next":{"href":"http://localhost/2"},"n":["/api/1","text"]}"#);
        assert_eq!(named.hints, ["/api/1"]);
        assert_eq!(named.links, ["http://localhost/2"]);
        assert_eq!(json("{"), super::Named::default());
    }

    #[test]
    fn nothing_breaks_it() {
        for text in [
            "<",
            "<a",
            "<a ",
            "<a href",
            "<a href=",
            "<a href='",
            "<!--",
            "<script",
            "</",
            "<a\u{301}=",
            "<form",
        ] {
            html(text);
        }
    }
}
