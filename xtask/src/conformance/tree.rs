//! The file system of an image: layers laid over one another by the rules of the OCI image specification ("layer", Whiteouts),
//! read by the `tar` crate and not by jettison's own reader, which is on trial.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use crate::Problem;
use crate::bench::baseline::hash;

/// What is said of one path: `kind`, `mode`, `owner` and, where they apply, `size`, `sha256` or `text`, `target`, `device`,
/// `xattrs`, `same_as` (the first name of the same file) and `mtime`.
pub(crate) type Facts = BTreeMap<String, Value>;

/// Paths in printable form, each with its facts.
pub(crate) type Listing = BTreeMap<String, Facts>;

/// Without the leading slash, in bytes: names need not be UTF-8.
type Name = Vec<u8>;

#[derive(Clone)]
struct Entry {
    facts: Facts,
    mtime: i64,
    /// Two names with the same number are one file.
    file: usize,
}

/// A file system that grows by layers.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<Name, Entry>,
    files: usize,
}

impl Tree {
    /// Lays a layer, an uncompressed archive, over what is there.
    pub(crate) fn lay(&mut self, layer: impl Read) -> Result<(), Problem> {
        let mut archive = tar::Archive::new(layer);
        let mut new: Vec<(Name, Option<Name>, Entry)> = Vec::new();
        let (mut opaque, mut whited) = (Vec::new(), Vec::new());
        for file in archive.entries()? {
            let mut file = file?;
            let name = clean(&file.path_bytes());
            let (parent, last) = split(&name);
            if last == b".wh..wh..opq" {
                opaque.push(parent.to_vec());
            } else if let Some(gone) = last.strip_prefix(b".wh.") {
                whited.push(join(parent, gone));
            } else {
                self.files += 1;
                let (same_as, entry) = read(&mut file, self.files)?;
                new.push((name, same_as, entry));
            }
        }
        // Whiteouts speak of the layers below, wherever in the archive they stand.
        opaque.iter().for_each(|name| self.remove_below(name));
        for name in &whited {
            self.remove_below(name);
            self.entries.remove(name);
        }
        for (name, same_as, mut entry) in new {
            if let Some(first) = same_as {
                let other = self
                    .entries
                    .get(&first)
                    .ok_or_else(|| format!("{}: a hard link to nothing", printable(&name)))?;
                entry = other.clone();
            }
            if !entry.is_directory() {
                self.remove_below(&name);
            }
            self.make_parents(&name);
            self.entries.insert(name, entry);
        }
        Ok(())
    }

    /// Everything, with the times of those paths alone that are asked for. The root itself is left out: images differ in
    /// whether they have an entry for it.
    pub(crate) fn listing(&self, times: &[String]) -> Listing {
        let mut first_names: BTreeMap<usize, &Name> = BTreeMap::new();
        let mut listing = Listing::new();
        for (name, entry) in self.entries.iter().filter(|(name, _)| !name.is_empty()) {
            let path = printable(name);
            let mut facts = entry.facts.clone();
            let first = *first_names.entry(entry.file).or_insert(name);
            if first != name {
                facts.insert("same_as".to_owned(), json!(printable(first)));
            }
            if times.contains(&path) {
                facts.insert("mtime".to_owned(), json!(entry.mtime));
            }
            listing.insert(path, facts);
        }
        listing
    }

    fn remove_below(&mut self, name: &[u8]) {
        self.entries.retain(|other, _| {
            !(other.len() > name.len()
                && other.starts_with(name)
                && (name.is_empty() || other[name.len()] == b'/'))
        });
    }

    /// Directories that an archive takes for granted.
    fn make_parents(&mut self, name: &[u8]) {
        let (parent, _) = split(name);
        if parent.is_empty() || self.entries.get(parent).is_some_and(Entry::is_directory) {
            return;
        }
        self.make_parents(parent);
        self.files += 1;
        let facts = [
            ("kind", json!("directory")),
            ("mode", json!("0755")),
            ("owner", json!("0:0")),
        ];
        let facts = facts.map(|(key, value)| (key.to_owned(), value)).into();
        let entry = Entry {
            facts,
            mtime: 0,
            file: self.files,
        };
        self.entries.insert(parent.to_vec(), entry);
    }
}

impl Entry {
    fn is_directory(&self) -> bool {
        self.facts
            .get("kind")
            .is_some_and(|kind| kind == "directory")
    }
}

fn read(
    file: &mut tar::Entry<'_, impl Read>,
    number: usize,
) -> Result<(Option<Name>, Entry), Problem> {
    let kind = file.header().entry_type();
    let (mut uid, mut gid, mut mtime) = (
        file.header().uid()?,
        file.header().gid()?,
        file.header().mtime()? as i64,
    );
    let mut xattrs = BTreeMap::new();
    for extension in file.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let key = extension.key()?;
        let text = String::from_utf8_lossy(extension.value_bytes()).into_owned();
        let whole = text.split('.').next().unwrap_or_default();
        match key {
            "uid" => uid = whole.parse()?,
            "gid" => gid = whole.parse()?,
            "mtime" => mtime = whole.parse()?,
            _ => {
                if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                    xattrs.insert(name.to_owned(), json!(hex::encode(extension.value_bytes())));
                }
            }
        }
    }
    let link = file.link_name_bytes().map(|name| name.to_vec());
    if kind.is_hard_link() {
        let target = clean(&link.ok_or("a hard link without a target")?);
        let entry = Entry {
            facts: Facts::new(),
            mtime,
            file: number,
        };
        return Ok((Some(target), entry));
    }
    let mut facts = Facts::new();
    let mut say = |key: &str, value: Value| facts.insert(key.to_owned(), value);
    say(
        "mode",
        json!(format!("{:04o}", file.header().mode()? & 0o7777)),
    );
    say("owner", json!(format!("{uid}:{gid}")));
    if !xattrs.is_empty() {
        say("xattrs", json!(xattrs));
    }
    match kind {
        kind if kind.is_dir() => {
            say("kind", json!("directory"));
        }
        kind if kind.is_symlink() => {
            say("kind", json!("link"));
            say("target", json!(text(&link.unwrap_or_default())));
        }
        kind if kind.is_fifo() => {
            say("kind", json!("fifo"));
        }
        kind if kind.is_character_special() => {
            say("kind", json!("character device"));
            say("device", json!(device(file.header())?));
        }
        kind if kind.is_block_special() => {
            say("kind", json!("block device"));
            say("device", json!(device(file.header())?));
        }
        _ => {
            say("kind", json!("file"));
            say("size", json!(file.size()));
            let (key, value) = content(file)?;
            say(key, value);
        }
    }
    Ok((
        None,
        Entry {
            facts,
            mtime,
            file: number,
        },
    ))
}

fn device(header: &tar::Header) -> Result<String, Problem> {
    let numbers = (header.device_major()?, header.device_minor()?);
    Ok(format!(
        "{}:{}",
        numbers.0.unwrap_or(0),
        numbers.1.unwrap_or(0)
    ))
}

/// A short text is kept as it is, so that a difference can be read; everything else by its SHA-256.
fn content(file: &mut tar::Entry<'_, impl Read>) -> Result<(&'static str, Value), Problem> {
    const SHORT_BYTES: u64 = 400;
    if file.size() > SHORT_BYTES {
        return Ok(("sha256", json!(hash(file)?)));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => ("text", json!(text)),
        Err(error) => ("sha256", json!(hash(&mut error.as_bytes())?)),
    })
}

fn clean(name: &[u8]) -> Name {
    let parts: Vec<&[u8]> = name
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    parts.join(&b'/')
}

fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (b"", name),
    }
}

fn join(parent: &[u8], last: &[u8]) -> Name {
    match parent.is_empty() {
        true => last.to_vec(),
        false => [parent, b"/", last].concat(),
    }
}

fn printable(name: &[u8]) -> String {
    format!("/{}", text(name))
}

/// UTF-8 as it is, other bytes as `\xFF`, a backslash twice.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Tree;

    fn layer(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(1);
            header.set_size(0);
            match kind.is_hard_link() {
                true => builder
                    .append_link(&mut header, name, content)
                    .expect("fits"),
                false => {
                    header.set_size(content.len() as u64);
                    builder
                        .append_data(&mut header, name, content.as_bytes())
                        .expect("fits");
                }
            }
        }
        builder.into_inner().expect("in memory")
    }

    fn check(layers: &[&[(&str, tar::EntryType, &str)]], expected: &[&str]) {
        let mut tree = Tree::default();
        for entries in layers {
            tree.lay(layer(entries).as_slice()).expect("a layer");
        }
        let listing = tree.listing(&[]);
        let found: Vec<String> = listing
            .iter()
            .map(|(path, facts)| match facts.get("same_as") {
                Some(first) => format!("{path} = {}", first.as_str().unwrap_or_default()),
                None => path.clone(),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn layers_are_laid() {
        use tar::EntryType::{Directory as D, Link as L, Regular as F};
        let low: &[_] = &[
            ("a", D, ""),
            ("a/b", F, "1"),
            ("a/c", D, ""),
            ("a/c/d", F, "2"),
            ("ab", F, "3"),
        ];
        check(&[low], &["/a", "/a/b", "/a/c", "/a/c/d", "/ab"]);
        check(
            &[low, &[("a/.wh.b", F, "")]],
            &["/a", "/a/c", "/a/c/d", "/ab"],
        );
        check(
            &[low, &[(".wh.a", F, ""), ("a/x", F, "")]],
            &["/a", "/a/x", "/ab"],
        );
        check(
            &[low, &[("a/x", F, ""), ("a/.wh..wh..opq", F, "")]],
            &["/a", "/a/x", "/ab"],
        );
        check(&[low, &[("a", F, "now a file")]], &["/a", "/ab"]);
        check(
            &[low, &[("a/c", D, "")]],
            &["/a", "/a/b", "/a/c", "/a/c/d", "/ab"],
        );
        check(&[&[("z", F, "1"), ("y", L, "z")]], &["/y", "/z = /y"]);
        check(&[&[("z", F, "1")], &[("y", L, "/z")]], &["/y", "/z = /y"]);
        check(
            &[&[("deep/er/x", F, "")]],
            &["/deep", "/deep/er", "/deep/er/x"],
        );
    }
}
