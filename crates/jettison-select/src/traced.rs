//! What probes touched, on the original and in vain on the small image.

use jettison_image::Follow;
use jettison_plan::{Reason, ReasonKind, Touch};

use crate::follow::Work;

/// Keeps every path of the image that a probe touched.
///
/// A file that was only asked about stays as well: its absence would be
/// another answer. What exists of a path that was looked for in vain stays, so
/// that the search ends where it ended before.
pub(crate) fn apply(work: &mut Work<'_>) {
    for (probe, trace) in work.facts.traces {
        let reason = Reason::first(ReasonKind::Traced, probe.clone());
        for (path, touch) in &trace.paths {
            if is_of_the_kernel(path.as_bytes()) {
                continue;
            }
            let kept = work.keeping.keep_path(path, Follow::AllButLast, &reason);
            let Some(node) = kept else { continue };
            if touch.has(Touch::LISTED) && node.is_directory() {
                work.listed.insert(node.id());
            }
            if touch.has(Touch::OPENED) && node.is_file() {
                work.opened.insert(node.id());
            }
            if touch.has(Touch::EXECUTED) {
                work.executed.insert(node.id());
            }
        }
        let world = work.world;
        for argv in trace.programs.values() {
            for edge in jettison_closure::scripts::command::edges(&world, argv) {
                let reason = Reason::first(ReasonKind::Traced, format!("{probe}: {}", edge.detail));
                work.keeping.keep_path(&edge.to, Follow::All, &reason);
            }
        }
    }
    for (probe, path) in work.facts.misses {
        let reason = Reason::first(ReasonKind::Missed, probe.clone());
        work.keeping.keep_path(path, Follow::AllButLast, &reason);
    }
}

/// File systems that engines mount.
fn is_of_the_kernel(path: &[u8]) -> bool {
    ["proc", "sys", "dev"].iter().any(|top| {
        path.strip_prefix(top.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    })
}
