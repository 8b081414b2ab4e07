//! Hashes of earlier builds: (device, inode, size, ctime, mtime) → SHA-256,
//! one list per context directory in the store's cache.
//!
//! The ctime of a file moves with every change of its content and cannot be
//! set back, so a file changed with its size and mtime kept is seen. What
//! changes within the tick of the clock in which it was hashed would not be:
//! such a hash is not kept, as git does with its index ("racy git").

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jettison_image::{Digest, Timestamp};
use rustix::fs::Stat;

use crate::store::Store;

/// The layout of the list; another layout gets another word.
const KIND: &str = "context-index-1";
const FACTS_BYTES: usize = 48;
const ROW_BYTES: usize = FACTS_BYTES + 32;
/// The clock that stamps files ticks every 10 ms at the slowest.
const TICK_NANOSECONDS: i128 = 50_000_000;
/// Times without nanoseconds come from file systems that count seconds, or pairs of them.
const COARSE_NANOSECONDS: i128 = 2_500_000_000;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    device: u64,
    inode: u64,
    pub(super) size_bytes: u64,
    changed: (i64, u32),
    modified: (i64, u32),
}

/// The hashes that are remembered of a directory.
pub(super) struct Known {
    store: Option<Store>,
    key: String,
    rows: HashMap<Facts, Digest>,
    /// Something was hashed that the list in the store does not have.
    fresh: AtomicBool,
}

impl Facts {
    #[expect(
        clippy::unnecessary_cast,
        reason = "the widths of these fields differ between architectures"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        let nanoseconds = |value: u64| u32::try_from(value).unwrap_or(0);
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            changed: (stat.st_ctime as i64, nanoseconds(stat.st_ctime_nsec as u64)),
            modified: (stat.st_mtime as i64, nanoseconds(stat.st_mtime_nsec as u64)),
        }
    }

    pub(super) fn mtime(&self) -> Timestamp {
        Timestamp {
            seconds: self.modified.0,
            nanoseconds: self.modified.1,
        }
    }

    /// The file itself, whatever its state.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether every change from `now` on will show in the ctime.
    pub(super) fn has_rested(&self, now: i128) -> bool {
        let grain = if self.changed.1 == 0 {
            COARSE_NANOSECONDS
        } else {
            TICK_NANOSECONDS
        };
        nanoseconds(self.changed) + grain < now
    }

    fn to_bytes(self) -> [u8; FACTS_BYTES] {
        let mut row = [0; FACTS_BYTES];
        let fields = [
            self.device.to_le_bytes(),
            self.inode.to_le_bytes(),
            self.size_bytes.to_le_bytes(),
            self.changed.0.to_le_bytes(),
            self.modified.0.to_le_bytes(),
        ];
        for (place, field) in row.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field);
        }
        row[40..44].copy_from_slice(&self.changed.1.to_le_bytes());
        row[44..].copy_from_slice(&self.modified.1.to_le_bytes());
        row
    }

    fn from_bytes(row: &[u8; FACTS_BYTES]) -> Self {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&row[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let nanoseconds = word(40);
        Self {
            device: word(0),
            inode: word(8),
            size_bytes: word(16),
            changed: (word(24).cast_signed(), (nanoseconds & 0xffff_ffff) as u32),
            modified: (word(32).cast_signed(), (nanoseconds >> 32) as u32),
        }
    }
}

impl Known {
    /// Reads the list of a directory; an unreadable one is empty.
    pub(super) fn load(store: Option<&Store>, path: &Path) -> Self {
        let key = path
            .as_os_str()
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let mut rows = HashMap::new();
        if let Some(bytes) = store.and_then(|store| store.cached(KIND, &key)) {
            rows.reserve(bytes.len() / ROW_BYTES);
            for row in bytes.chunks_exact(ROW_BYTES) {
                let (facts, digest) = row.split_at(FACTS_BYTES);
                if let (Ok(facts), Ok(digest)) = (facts.try_into(), digest.try_into()) {
                    rows.insert(Facts::from_bytes(facts), Digest::from_sha256(digest));
                }
            }
        }
        Self {
            store: store.cloned(),
            key,
            rows,
            fresh: AtomicBool::new(false),
        }
    }

    pub(super) fn digest(&self, facts: &Facts) -> Option<Digest> {
        self.rows.get(facts).copied()
    }

    /// Notes that the list in the store is no longer complete.
    pub(super) fn outgrow(&self) {
        self.fresh.store(true, Ordering::Relaxed);
    }

    /// Writes the list when something is new in it. Rows of files that this
    /// build did not see (another ignore file) stay, up to as many again.
    pub(super) fn save(&self, hashed: impl Iterator<Item = (Facts, Digest)>) {
        let Some(store) = &self.store else { return };
        if !self.fresh.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut rows: HashMap<Facts, Digest> = hashed.collect();
        let most = rows.len().saturating_mul(2).saturating_add(1000);
        for (facts, digest) in &self.rows {
            if rows.len() >= most {
                break;
            }
            rows.entry(*facts).or_insert(*digest);
        }
        let mut bytes = Vec::with_capacity(rows.len().saturating_mul(ROW_BYTES));
        for (facts, digest) in rows {
            bytes.extend_from_slice(&facts.to_bytes());
            bytes.extend_from_slice(digest.as_bytes());
        }
        // A store that cannot be written to costs the next build time, nothing else.
        let _ = store.put_cached(KIND, &self.key, &bytes);
    }
}

/// The time in nanoseconds. The clock that stamps files is behind it by less than a tick.
pub(super) fn now() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
    })
}

fn nanoseconds((seconds, nanoseconds): (i64, u32)) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}
