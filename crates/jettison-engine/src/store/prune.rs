//! Takes out of the store what nobody needs.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use jettison_image::Digest;

use super::side::remove;
use super::{Store, StoreError, blob};

/// What to take away, besides blobs that no name leads to and what processes
/// that died have left.
#[derive(Debug, Clone, Default)]
pub struct Prune {
    /// All names and all cached values too.
    pub all: bool,
    /// Names and cached values unused for so long too.
    pub older_than: Option<Duration>,
    /// The longest unused names too, until the blobs of the rest fit.
    pub budget_bytes: Option<u64>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names, sorted.
    pub names: Vec<String>,
    /// Number of blobs.
    pub blobs: u64,
    /// Bytes of everything that went.
    pub freed_bytes: u64,
    /// Bytes of the blobs that stay.
    pub kept_bytes: u64,
    /// Blobs that would have gone if no process were using them.
    pub in_use: u64,
}

/// An index of indexes of indexes is not honest.
const INDEX_DEPTH: usize = 4;

impl Store {
    /// Tidies the store up. Nothing that another process has open, has just
    /// written or looked for is touched; such a process waits meanwhile.
    pub fn prune(&self, what: &Prune) -> Result<Pruned, StoreError> {
        let now = SystemTime::now();
        let too_old = what
            .older_than
            .map(|age| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        let (lock, mut used) = self.inner.lease.shut_others_out()?;
        used.extend(self.inner.lease.held());
        let used = self.reachable_from(used);
        let mut names = self.dated_refs()?;
        names.sort_by_key(|(_, last_use)| std::cmp::Reverse(*last_use));

        let mut pruned = Pruned::default();
        let mut reachable: HashSet<Digest> = HashSet::new();
        let mut reachable_bytes = 0u64;
        let mut over_budget = false;
        for (stored, last_use) in &names {
            let blobs = self.reachable_from([stored.digest]);
            let new_bytes: u64 = blobs
                .difference(&reachable)
                .map(|blob| self.size_on_disk(blob))
                .sum();
            over_budget |= what
                .budget_bytes
                .is_some_and(|budget| reachable_bytes.saturating_add(new_bytes) > budget);
            if what.all || over_budget || too_old.is_some_and(|limit| *last_use < limit) {
                pruned.names.push(stored.name.clone());
                continue;
            }
            reachable_bytes += new_bytes;
            reachable.extend(blobs);
        }
        pruned.names.sort();
        if !what.dry_run {
            for name in &pruned.names {
                self.remove_ref(name)?;
            }
        }

        let blobs = &self.inner.blobs;
        for name in blobs
            .names()
            .map_err(StoreError::io("list", blobs.path()))?
        {
            let size = match blobs.facts(&name) {
                Ok(Some(facts)) => facts.size_bytes,
                _ => 0,
            };
            let digest = format!("sha256:{name}").parse::<Digest>().ok();
            if digest.is_some_and(|digest| reachable.contains(&digest)) {
                pruned.kept_bytes += size;
            } else if digest.is_some_and(|digest| used.contains(&digest)) {
                pruned.kept_bytes += size;
                pruned.in_use += 1;
            } else {
                pruned.freed_bytes += remove(blobs, &name, what.dry_run)?;
                pruned.blobs += 1;
            }
        }
        let cached_before = if what.all {
            Some(i64::MAX)
        } else {
            too_old.map(seconds)
        };
        pruned.freed_bytes += self.prune_side(cached_before, what.dry_run)?;
        if !what.dry_run {
            let downloads_before = if what.all {
                now
            } else {
                now - Duration::from_secs(86_400)
            };
            pruned.freed_bytes += blob::reap(&self.inner.temporary, Some(downloads_before))?;
        }
        drop(lock);
        Ok(pruned)
    }

    /// Takes blobs away that this process made and needs no more, unless a
    /// name leads to them or another process uses them.
    pub fn discard(&self, digests: &HashSet<Digest>) -> Result<(), StoreError> {
        let (lock, others) = self.inner.lease.shut_others_out()?;
        let named = self.dated_refs()?.into_iter();
        let roots = named.map(|(stored, _)| stored.digest).chain(others);
        let needed = self.reachable_from(roots);
        for digest in digests.difference(&needed) {
            if let Ok(Some(_)) = self.inner.blobs.facts(&digest.hex()) {
                remove(&self.inner.blobs, &digest.hex(), false)?;
            }
        }
        drop(lock);
        Ok(())
    }

    /// These blobs, and those that the manifests and indexes among them name.
    fn reachable_from(&self, roots: impl IntoIterator<Item = Digest>) -> HashSet<Digest> {
        let mut found = HashSet::new();
        let mut next: Vec<Digest> = roots.into_iter().collect();
        for _ in 0..INDEX_DEPTH {
            let mut deeper = Vec::new();
            for digest in next {
                if found.insert(digest)
                    && let Some(manifest) = self.manifest_blobs(&digest)
                {
                    let (blobs, manifests) = manifest.digests();
                    found.extend(blobs);
                    deeper.extend(manifests);
                }
            }
            next = deeper;
        }
        found
    }

    fn size_on_disk(&self, digest: &Digest) -> u64 {
        match self.inner.blobs.facts(&digest.hex()) {
            Ok(Some(facts)) => facts.size_bytes,
            _ => 0,
        }
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
