//! Where images and caches are kept, and how much room there is.

use std::path::Path;

use super::{DoctorRequest, Row, State};

const AREA: &str = "store";
/// Less than this, and the next image may not fit.
const LITTLE_BYTES: u64 = 1 << 30;
/// Deeper than any directory of a store.
const DEEPEST: usize = 6;

pub(super) fn rows(request: &DoctorRequest<'_>) -> Vec<Row> {
    let path = request.store.display().to_string();
    if let Err(problem) = &request.context {
        let row = Row::new(AREA, path, State::Needed, problem.clone());
        return vec![row.hint("keep the store somewhere else with --store DIR")];
    }
    let megabytes = |bytes: u64| match bytes {
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    };
    let mut rows = vec![Row::new(
        AREA,
        path,
        State::Ok,
        format!(
            "{} of images",
            megabytes(size(&request.store.join("blobs"), 0))
        ),
    )];
    let cached = megabytes(size(&request.store.join("cache"), 0));
    rows.push(Row::new(AREA, "cache", State::Ok, cached));
    rows.push(match rustix::fs::statvfs(request.store) {
        Ok(facts) => {
            let free = facts.f_bavail.saturating_mul(facts.f_frsize);
            let state = match free < LITTLE_BYTES {
                true => State::Limited,
                false => State::Ok,
            };
            let row = Row::new(AREA, "free space", state, megabytes(free));
            match state {
                State::Ok => row,
                _ => row.hint("jettison store prune"),
            }
        }
        Err(error) => Row::new(AREA, "free space", State::Limited, error.to_string()),
    });
    rows
}

/// What the regular files below a directory hold; links are not followed.
fn size(directory: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(facts) if facts.is_file() => facts.len(),
        Ok(facts) if facts.is_dir() && depth < DEEPEST => size(&entry.path(), depth + 1),
        _ => 0,
    };
    entries.flatten().map(of).fold(0, u64::saturating_add)
}
