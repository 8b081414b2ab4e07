//! Hashing files of the context, on all cores.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jettison_image::{Digest, Error, Node, Sha256Writer};

use super::known::now;
use super::{Context, Hash};

/// More threads than this wait for the disk, not for the cores.
const MOST_THREADS: usize = 32;
const BUFFER_BYTES: usize = 128 << 10;

impl Context {
    /// The digests of files; what no earlier build remembers is read.
    pub(super) fn hash_all(&self, files: &[Node<'_>]) -> Result<Vec<Digest>, Error> {
        let mut wanted: Vec<(usize, Node<'_>)> = files
            .iter()
            .filter_map(|file| Some((self.ordinal(*file)?, *file)))
            .filter(|(at, _)| {
                self.hashes
                    .get(*at)
                    .is_some_and(|hash| hash.get().is_none())
            })
            .collect();
        wanted.sort_unstable_by_key(|(at, _)| *at);
        wanted.dedup_by_key(|(at, _)| *at);
        if !wanted.is_empty() {
            self.hash_abreast(&wanted)?;
            self.known.outgrow();
        }
        let known = |file: &Node<'_>| {
            let hash = self
                .ordinal(*file)
                .and_then(|at| self.hashes.get(at)?.get());
            hash.map(|hash| hash.digest)
                .ok_or_else(|| Error::malformed(self.named(*file), "not a regular file"))
        };
        files.iter().map(known).collect()
    }

    fn hash_abreast(&self, wanted: &[(usize, Node<'_>)]) -> Result<(), Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(MOST_THREADS).min(wanted.len());
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        // Of several failures the first in the order of the tree is told.
        let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        let work = || {
            let mut buffer = vec![0; BUFFER_BYTES];
            while !failed.load(Ordering::Relaxed) {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(at, file)) = wanted.get(turn) else {
                    break;
                };
                if let Err(error) = self.hash_one(at, file, &mut buffer) {
                    failed.store(true, Ordering::Relaxed);
                    let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|(earlier, _)| turn < *earlier) {
                        *first = Some((turn, error));
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    fn hash_one(&self, at: usize, file: Node<'_>, buffer: &mut [u8]) -> Result<(), Error> {
        let started = now();
        let mut content = self.open_checked(file)?;
        let mut hasher = Sha256Writer::new(io::sink());
        loop {
            let count = match content.read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::read(self.named(file), error)),
            };
            hasher
                .write_all(&buffer[..count])
                .expect("a sink takes everything");
        }
        let (_, digest, size_bytes) = hasher.finish();
        let facts = self.facts.get(at).copied().flatten();
        // A file system that makes up sizes (procfs) cannot be copied from.
        if facts.is_none_or(|facts| facts.size_bytes != size_bytes) {
            return Err(Error::malformed(
                self.named(file),
                "its content is not as long as its size says",
            ));
        }
        let rested = facts.is_some_and(|facts| facts.has_rested(started));
        // Another thread may have been first; it read the same.
        let _ = self.hashes[at].set(Hash { digest, rested });
        Ok(())
    }
}
