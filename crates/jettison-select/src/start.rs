//! What stays whatever is asked: the skeleton that engines and every program
//! expect, what the image starts, and the records of what it holds.

use jettison_closure::How;
use jettison_closure::scripts::command;
use jettison_image::{Follow, ImagePath};
use jettison_packages::rewrite::{self, RecordKind};
use jettison_plan::{Reason, ReasonKind};

use crate::follow::Work;

/// Paths that stay where the image has them, each with the reason.
const SKELETON: [(&str, &str); 22] = [
    ("/bin", "programs are named below it"),
    ("/sbin", "programs are named below it"),
    ("/lib", "the dynamic loader is named below it"),
    ("/lib32", "the dynamic loader is named below it"),
    ("/lib64", "the dynamic loader is named below it"),
    ("/libx32", "the dynamic loader is named below it"),
    ("/dev", "engines mount it"),
    ("/proc", "engines mount it"),
    ("/sys", "engines mount it"),
    ("/tmp", "programs write there"),
    ("/var/tmp", "programs write there"),
    ("/run", "programs write there"),
    ("/var/run", "programs write there"),
    ("/var/lock", "programs write there"),
    ("/etc/passwd", "names of users"),
    ("/etc/group", "names of groups"),
    ("/etc/hosts", "engines write it"),
    ("/etc/hostname", "engines write it"),
    ("/etc/resolv.conf", "engines write it"),
    ("/etc/nsswitch.conf", "where names are looked up"),
    ("/etc/localtime", "the time zone"),
    ("/etc/timezone", "the time zone"),
];

/// Directories below which every directory stays: programs write there at
/// times that no probe shows, and an empty directory costs nothing.
const WRITTEN_BELOW: [&str; 9] = [
    "/var/log",
    "/var/lib",
    "/var/cache",
    "/var/spool",
    "/var/run",
    "/run",
    "/var/www",
    "/srv",
    "/home",
];

/// Directories of package managers, which nobody writes to in a small image.
const MANAGERS: [&str; 9] = [
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/lib/rpm",
    "/var/lib/dnf",
    "/var/cache/dnf",
    "/var/lib/systemd",
    "/var/cache/apk",
];

/// Keeps what engines and every program expect.
pub(crate) fn skeleton(work: &mut Work<'_>) {
    for (path, why) in SKELETON {
        let reason = Reason::first(ReasonKind::OnTheWay, why);
        // A link at the top (`/bin` to `usr/bin`) stays with its target.
        work.keeping.keep_path(path, Follow::AllButLast, &reason);
        work.keeping.keep_path(path, Follow::All, &reason);
    }
    let tree = work.facts.tree;
    let managers: Vec<_> = MANAGERS
        .iter()
        .filter_map(|path| tree.get(path))
        .map(|node| node.id()..node.id() + node.subtree().len())
        .collect();
    for below in WRITTEN_BELOW {
        let Ok(top) = tree.resolve(below, Follow::All) else {
            continue;
        };
        for directory in top.subtree().filter(|node| node.is_directory()) {
            if !managers.iter().any(|range| range.contains(&directory.id())) {
                let reason = Reason::first(ReasonKind::OnTheWay, "programs may write there");
                work.keeping.keep(directory, reason);
            }
        }
    }
    let run = work.facts.run;
    for volume in &run.volumes {
        let reason = Reason::first(ReasonKind::Asked, format!("VOLUME {volume}"));
        work.keep_below(volume.as_bytes(), &reason);
    }
    if !run.working_dir.is_empty() {
        let reason = Reason::first(ReasonKind::Started, "WORKDIR");
        work.keeping
            .keep_path(&run.working_dir, Follow::All, &reason);
    }
}

/// Keeps what the image starts.
pub(crate) fn commands(work: &mut Work<'_>) {
    for started in work.facts.commands {
        let world = work.world;
        for edge in command::edges(&world, &started.argv) {
            let reason = Reason::first(
                ReasonKind::Started,
                format!("{}: {}", started.label, edge.detail),
            );
            let end = work.keeping.keep_path(&edge.to, Follow::All, &reason);
            if let Some(program) = end.filter(|_| matches!(edge.how, How::Runs | How::Interpreter))
            {
                work.started.insert(program.id());
            }
        }
    }
}

/// Keeps the records of what is left, so that scanners see it.
pub(crate) fn records(work: &mut Work<'_>) {
    let installed = work.facts.installed;
    let keeping = &work.keeping;
    let tree = work.facts.tree;
    let is_kept = |path: &ImagePath| tree.get(path).is_some_and(|node| keeping.has(node));
    let records = rewrite::records(work.facts.databases, installed, &is_kept);
    for record in records {
        let package = record
            .package
            .map(|at| installed.packages[at].name.as_str());
        let what = match record.kind {
            RecordKind::Distribution => "says which distribution this is",
            RecordKind::Database => "says what is left of",
            RecordKind::Licence => "the licence of",
        };
        let detail = match (package, record.kind) {
            (Some(package), _) => format!("{what} {package}"),
            (None, RecordKind::Database) => "says which packages are left".to_owned(),
            (None, _) => what.to_owned(),
        };
        let reason = Reason::first(ReasonKind::Record, detail);
        work.keeping
            .keep_path(&record.path, Follow::AllButLast, &reason);
    }
}
