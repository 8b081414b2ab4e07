//! dpkg's database: `status` without the packages that are gone, lists and sums
//! of what is left; distroless' `status.d` likewise. Maintainer scripts and
//! triggers go: they act on files that are no longer there.

use std::collections::{HashMap, HashSet};

use jettison_image::ImagePath;

use super::{Cut, Work};
use crate::base::md5_hex;
use crate::deb822::Paragraph;
use crate::installed::dpkg::{DIVERSIONS, Diversions, INFO, STATUS, STATUS_D, has_files};
use crate::installed::{PackageKind, known, parent_bytes};

const ROOT: &str = "var/lib/dpkg/";
pub(super) const OVERRIDES: &str = "var/lib/dpkg/statoverride";
const AVAILABLE: &str = "var/lib/dpkg/available";
/// What dpkg reads beside the packages' own records.
pub(super) const OWN: [&str; 2] = ["var/lib/dpkg/arch", "var/lib/dpkg/info/format"];
/// One paragraph at most; more ends the reading, as in a scan.
const PARAGRAPH: usize = 1 << 20;

pub(super) fn is_of_interest(path: &[u8]) -> bool {
    path.starts_with(ROOT.as_bytes())
}

/// What is true of the packages that are left.
struct Left {
    /// Names and architectures of `status`.
    named: HashSet<(String, Option<String>)>,
    /// Which package a file of `info` or `status.d` tells of.
    records: HashMap<ImagePath, String>,
    diversions: Diversions,
    /// Of files that were rewritten before.
    sums: HashMap<ImagePath, String>,
}

pub(super) fn rewrite(work: &mut Work<'_>, found: &[ImagePath]) {
    let diversions = work.files.content(&known(DIVERSIONS));
    let diversions = Diversions::parse(&String::from_utf8_lossy(&diversions.unwrap_or_default()));
    let mut left = Left {
        named: HashSet::new(),
        records: HashMap::new(),
        diversions,
        sums: (work.done.files.iter())
            .filter_map(|change| Some((change.path.clone(), md5_hex(change.content.as_ref()?))))
            .collect(),
    };
    for package in work.left_of(PackageKind::Deb) {
        if package.record == known(STATUS) {
            let key = (package.name.clone(), package.architecture.clone());
            left.named.insert(key);
        }
        for path in work.installed.files(package) {
            if is_of_interest(path.as_bytes()) {
                left.records.insert(path.clone(), package.name.clone());
            }
        }
        let sums = [package.record.as_bytes(), b".md5sums"].concat();
        if let Ok(sums) = ImagePath::new(sums) {
            left.records.insert(sums, package.name.clone());
        }
    }
    for path in found.iter().filter(|path| is_of_interest(path.as_bytes())) {
        one(work, path, &left);
    }
}

fn one(work: &mut Work<'_>, path: &ImagePath, left: &Left) {
    let bytes = path.as_bytes();
    let is = |known: &str| bytes == known.as_bytes();
    if OWN.iter().any(|own| is(own)) {
        return;
    }
    if is(STATUS) || is(AVAILABLE) {
        if let Some(content) = work.content(path) {
            let cut = stanzas(&content, &left.named, is(STATUS));
            work.put(path, &content, cut, "packages");
        }
    } else if is(DIVERSIONS) {
        if let Some(content) = work.content(path) {
            let cut = diversions(work, &content);
            work.put(path, &content, cut, "diversions");
        }
    } else if is(OVERRIDES) {
        if let Some(content) = work.content(path) {
            let cut = overrides(work, &content);
            work.put(path, &content, cut, "entries");
        }
    } else if bytes.starts_with(INFO.as_bytes()) || bytes.starts_with(STATUS_D.as_bytes()) {
        let Some(package) = left.records.get(path) else {
            return work.goes(path, "nothing is left of its package");
        };
        if bytes.ends_with(b".md5sums") {
            if let Some(content) = work.content(path) {
                let cut = sums(work, &content, package, left);
                work.put(path, &content, cut, "files");
            }
        } else if bytes.starts_with(INFO.as_bytes()) && bytes.ends_with(b".list") {
            if let Some(content) = work.content(path) {
                let cut = list(work, &content, package, left);
                work.put(path, &content, cut, "paths");
            }
        } else if bytes.starts_with(INFO.as_bytes()) {
            work.goes(path, "only an installation or removal would run it");
        }
    } else if bytes.ends_with(b"-old") || bytes.starts_with(b"var/lib/dpkg/triggers/") {
        work.goes(path, "it tells of packages that are gone");
    }
}

fn stanzas(content: &[u8], named: &HashSet<(String, Option<String>)>, installed: bool) -> Cut {
    let mut cut = Cut::default();
    for stanza in split_stanzas(content) {
        let stays = Paragraph::first(stanza, PARAGRAPH).is_ok_and(|paragraph| {
            let field = |name| {
                let value = paragraph.get(name).filter(|value| !value.is_empty());
                value.map(str::to_owned)
            };
            let status = paragraph.get("Status").unwrap_or_default();
            field("Package").is_some_and(|name| named.contains(&(name, field("Architecture"))))
                && (!installed || has_files(status))
        });
        cut.take(stanza, stays);
    }
    cut
}

/// Paragraphs with the empty lines that end them.
fn split_stanzas(content: &[u8]) -> Vec<&[u8]> {
    let mut stanzas = Vec::new();
    let (mut start, mut at, mut ended) = (0, 0, false);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let is_blank = line.iter().all(u8::is_ascii_whitespace);
        if ended && !is_blank {
            stanzas.push(&content[start..at]);
            start = at;
        }
        ended = is_blank;
        at += line.len();
    }
    if start < at {
        stanzas.push(&content[start..at]);
    }
    stanzas
}

impl Work<'_> {
    fn keeps_listed(&self, path: &[u8], package: &str, left: &Left) -> bool {
        ImagePath::new(path).is_ok_and(|path| {
            path.is_root() || self.keeps(left.diversions.moved(&path, package).unwrap_or(&path))
        })
    }

    /// The sum of a listed file that was rewritten before.
    fn new_sum<'l>(&self, path: &[u8], package: &str, left: &'l Left) -> Option<&'l String> {
        if left.sums.is_empty() {
            return None;
        }
        let path = ImagePath::new(path).ok()?;
        let real = self.real(left.diversions.moved(&path, package).unwrap_or(&path))?;
        left.sums.get(&real)
    }
}

/// Files that are kept, and the directories that lead to them or are kept.
fn list(work: &Work<'_>, content: &[u8], package: &str, left: &Left) -> Cut {
    let lines: Vec<(&[u8], &[u8])> = content
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| (line, line.strip_suffix(b"\n").unwrap_or(line)))
        .collect();
    let holders: HashSet<&[u8]> = lines.iter().map(|(_, path)| parent_bytes(path)).collect();
    let mut parents: HashSet<&[u8]> = HashSet::new();
    let mut stay = Vec::with_capacity(lines.len());
    for (_, path) in &lines {
        // What was unpacked as a directory and is a link today (`/lib`) would,
        // listed without what is below it, be taken for the package's own.
        let is_link = || {
            if !holders.contains(path) {
                return false;
            }
            let path = ImagePath::new(path).unwrap_or_else(|_| ImagePath::root());
            work.files.real_directory(&path).as_ref() != Some(&path)
        };
        let stays = !path.is_empty() && work.keeps_listed(path, package, left) && !is_link();
        stay.push(stays);
        let mut directory = *path;
        while stays && !directory.is_empty() {
            directory = parent_bytes(directory);
            if !parents.insert(directory) {
                break;
            }
        }
    }
    let mut cut = Cut::default();
    for ((line, path), stays) in lines.iter().zip(stay) {
        cut.take(line, stays || parents.contains(path));
    }
    cut
}

fn sums(work: &Work<'_>, content: &[u8], package: &str, left: &Left) -> Cut {
    let mut cut = Cut::default();
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let (sum, path) = line.split_at(line.len().min(32));
        let listed = path.trim_ascii();
        let stays = !listed.is_empty() && work.keeps_listed(listed, package, left);
        // Packages of the system may ship the databases of a language.
        match work.new_sum(listed, package, left).filter(|_| stays) {
            Some(new) => cut.take(&[new.as_bytes(), path].concat(), true),
            None => cut.take(&[sum, path].concat(), stays),
        }
    }
    cut
}

/// Entries of three lines of which one path is left.
fn diversions(work: &Work<'_>, content: &[u8]) -> Cut {
    let lines: Vec<&[u8]> = content.split_inclusive(|&byte| byte == b'\n').collect();
    let mut cut = Cut::default();
    for entry in lines.chunks(3) {
        let stays = entry.len() == 3
            && entry[..2].iter().any(|line| {
                ImagePath::new(line.trim_ascii_end()).is_ok_and(|path| work.keeps(&path))
            });
        cut.take(&entry.concat(), stays);
    }
    cut
}

/// `user group mode path`
fn overrides(work: &Work<'_>, content: &[u8]) -> Cut {
    let mut cut = Cut::default();
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let path = line.splitn(4, |&byte| byte == b' ').nth(3);
        let stays = path
            .and_then(|path| ImagePath::new(path.trim_ascii_end()).ok())
            .is_some_and(|path| work.keeps(&path));
        cut.take(line, stays);
    }
    cut
}
