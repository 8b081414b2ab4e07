//! dpkg's database: `/var/lib/dpkg/status` with `info/*.list`, and distroless'
//! `status.d` with `*.md5sums` beside each record.

use std::collections::{HashMap, HashSet};

use jettison_image::ImagePath;

use super::needs::{Want, Wants};
use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, known, package};
use crate::deb822::{Paragraph, Paragraphs};
use crate::index::parse_relations;

pub(crate) const STATUS: &str = "var/lib/dpkg/status";
pub(crate) const STATUS_D: &str = "var/lib/dpkg/status.d/";
pub(crate) const INFO: &str = "var/lib/dpkg/info/";
/// Which packages came along with others (apt-mark(8)).
const EXTENDED_STATES: &str = "var/lib/apt/extended_states";
pub(crate) const DIVERSIONS: &str = "var/lib/dpkg/diversions";

pub(super) fn is_database(path: &[u8]) -> bool {
    let below = |directory: &str| path.strip_prefix(directory.as_bytes());
    path == STATUS.as_bytes()
        || path == DIVERSIONS.as_bytes()
        || path == EXTENDED_STATES.as_bytes()
        || path == b"var/lib/dpkg/statoverride"
        || path == b"var/lib/dpkg/available"
        || below(STATUS_D).is_some_and(|name| !name.contains(&b'/'))
        || below(INFO).is_some_and(|name| name.ends_with(b".list") || name.ends_with(b".md5sums"))
}

/// A record of `status.d`.
pub(super) fn is_record(path: &[u8]) -> bool {
    path.strip_prefix(STATUS_D.as_bytes())
        .is_some_and(|name| !name.contains(&b'/') && !name.ends_with(b".md5sums"))
}

pub(super) fn scan(scan: &mut Scan<'_>, records: &[ImagePath]) {
    let diversions = scan.content(&known(DIVERSIONS)).unwrap_or_default();
    let diversions = Diversions::parse(&String::from_utf8_lossy(&diversions));
    let status = known(STATUS);
    if let Some(content) = scan.content(&status) {
        let automatic = automatic(scan);
        read_status(scan, &status, &content, &diversions, automatic.as_ref());
    }

    for record in records {
        let Some(content) = scan.content(record) else {
            continue;
        };
        let mut paths = Vec::new();
        if let Some(sums) = sibling(record, b".md5sums").and_then(|path| scan.content(&path)) {
            paths = scan.claim(record, md5sums_paths(&sums));
        }
        paths.push(record.clone());
        read_record(scan, record, &content, paths);
    }
}

fn sibling(record: &ImagePath, ending: &[u8]) -> Option<ImagePath> {
    ImagePath::new([record.as_bytes(), ending].concat()).ok()
}

/// The packages that apt installed for the sake of others; none where it keeps
/// no record.
fn automatic(scan: &mut Scan<'_>) -> Option<HashSet<String>> {
    let record = known(EXTENDED_STATES);
    let content = scan.content(&record)?;
    let mut reader = Paragraphs::new(content.as_slice(), scan.limits.paragraph_bytes);
    let mut paragraph = Paragraph::default();
    let mut names = HashSet::new();
    while let Ok(true) = reader.read_into(&mut paragraph) {
        if paragraph.get("Auto-Installed") == Some("1") {
            names.extend(paragraph.get("Package").map(str::to_owned));
        }
    }
    Some(names)
}

fn read_status(
    scan: &mut Scan<'_>,
    record: &ImagePath,
    content: &[u8],
    diversions: &Diversions,
    automatic: Option<&HashSet<String>>,
) {
    let mut reader = Paragraphs::new(content, scan.limits.paragraph_bytes);
    let mut paragraph = Paragraph::default();
    loop {
        match reader.read_into(&mut paragraph) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return scan.note(record, error),
        }
        if !has_files(paragraph.get("Status").unwrap_or_default()) {
            continue;
        }
        let Some(name) = paragraph.get("Package") else {
            scan.note(record, "a record without Package");
            continue;
        };
        let name = name.to_owned();
        let architecture = paragraph.get("Architecture").unwrap_or_default();
        let mut paths = listed_paths(scan, &name, architecture);
        for path in &mut paths {
            if let Some(moved) = diversions.moved(path, &name) {
                *path = moved.clone();
            }
        }
        let requested = automatic.map(|names| !names.contains(&name));
        push(scan, record, &paragraph, paths, requested);
    }
}

/// Every state in which the package's files are unpacked (dpkg(1), "Package
/// states"); `config-files` and `not-installed` have none.
pub(crate) fn has_files(status: &str) -> bool {
    let state = status.split_ascii_whitespace().nth(2).unwrap_or_default();
    matches!(
        state,
        "installed"
            | "half-installed"
            | "unpacked"
            | "half-configured"
            | "triggers-awaited"
            | "triggers-pending"
    )
}

/// `info/NAME.list`, or `info/NAME:ARCH.list` for packages that may be there
/// for several architectures at once.
fn listed_paths(scan: &mut Scan<'_>, name: &str, architecture: &str) -> Vec<ImagePath> {
    for stem in [
        format!("{INFO}{name}"),
        format!("{INFO}{name}:{architecture}"),
    ] {
        let path = |ending| ImagePath::new(format!("{stem}{ending}")).ok();
        if let Some(content) = path(".list").and_then(|path| scan.content(&path)) {
            let listed = lines(&content)
                .filter_map(|line| ImagePath::new(line).ok())
                .filter(|path| !path.is_root());
            let mut paths = scan.claim(&known(STATUS), listed);
            // dpkg's own records of the package come and go with it.
            for ending in [
                ".list",
                ".md5sums",
                ".conffiles",
                ".postinst",
                ".preinst",
                ".prerm",
                ".postrm",
                ".triggers",
                ".shlibs",
                ".symbols",
                ".config",
                ".templates",
            ] {
                paths.extend(path(ending));
            }
            return paths;
        }
        if let Some(content) = path(".md5sums").and_then(|path| scan.content(&path)) {
            return scan.claim(&known(STATUS), md5sums_paths(&content));
        }
    }
    Vec::new()
}

fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
}

/// Lines of `hash  path`.
fn md5sums_paths(content: &[u8]) -> impl Iterator<Item = ImagePath> {
    let path = |line: &[u8]| {
        let path = line.get(32..)?.trim_ascii_start();
        ImagePath::new(path).ok().filter(|path| !path.is_root())
    };
    lines(content).filter_map(path)
}

fn read_record(scan: &mut Scan<'_>, record: &ImagePath, content: &[u8], paths: Vec<ImagePath>) {
    match Paragraph::first(content, scan.limits.paragraph_bytes) {
        Ok(paragraph) if paragraph.get("Package").is_some() => {
            push(scan, record, &paragraph, paths, None);
        }
        Ok(_) => scan.note(record, "a record without Package"),
        Err(error) => scan.note(record, error),
    }
}

fn push(
    scan: &mut Scan<'_>,
    record: &ImagePath,
    paragraph: &Paragraph,
    paths: Vec<ImagePath>,
    requested: Option<bool>,
) {
    let field = |name| {
        paragraph
            .get(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let (Some(name), Some(version)) = (field("Package"), field("Version")) else {
        let name = field("Package").unwrap_or_default();
        return scan.note(record, format_args!("{name} has no Version"));
    };
    let mut package = package(PackageKind::Deb, &name, &version, record);
    package.architecture = field("Architecture");
    package.section = field("Section");
    package.priority = field("Priority");
    package.requested = requested;
    package.source = field("Source").map(|source| match source.split_once(" (") {
        Some((name, version)) => (
            name.to_owned(),
            Some(version.trim_end_matches(')').to_owned()),
        ),
        None => (source, None),
    });
    let mut wants = Wants::default();
    for field in ["Pre-Depends", "Depends"] {
        wants
            .needs
            .extend(alternatives(scan, record, paragraph, field));
    }
    wants.recommends = alternatives(scan, record, paragraph, "Recommends");
    wants.provides = alternatives(scan, record, paragraph, "Provides").concat();
    scan.push(Draft {
        package,
        claim: Claim::paths(paths),
        wants,
    });
}

fn alternatives(
    scan: &mut Scan<'_>,
    record: &ImagePath,
    paragraph: &Paragraph,
    field: &str,
) -> Vec<Want> {
    let groups = parse_relations(paragraph.get(field).unwrap_or_default());
    let mut held = Vec::with_capacity(groups.len());
    for group in groups {
        held.push(scan.names(record, group.iter().map(|one| one.name.as_str())));
    }
    held
}

/// Files that lie elsewhere than their packages say (dpkg-divert(1)).
pub(crate) struct Diversions(HashMap<ImagePath, (ImagePath, String)>);

impl Diversions {
    /// Three lines each: the path, where it was moved to, and by which package
    /// (`:` for the administrator).
    pub(crate) fn parse(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let entries = lines.chunks_exact(3).filter_map(|chunk| {
            let (from, to) = (
                ImagePath::new(chunk[0]).ok()?,
                ImagePath::new(chunk[1]).ok()?,
            );
            Some((from, (to, chunk[2].to_owned())))
        });
        Self(entries.collect())
    }

    /// Where a package's file was moved to by another.
    pub(crate) fn moved(&self, path: &ImagePath, package: &str) -> Option<&ImagePath> {
        let (moved, by) = self.0.get(path)?;
        (by != package).then_some(moved)
    }
}
