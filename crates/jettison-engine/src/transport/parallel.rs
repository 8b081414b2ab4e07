//! A few things at once, on plain threads.

use std::sync::Mutex;

/// Docker moves three to five layers at once; more gains nothing on one line.
pub(super) const TRANSFERS: usize = 4;

/// Does `work` on all items, a few at a time. After the first error no new
/// item is begun; the first error is returned.
pub(crate) fn each<T: Sync, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = Mutex::new(items.iter());
    let failed = Mutex::new(None);
    let lock_next = || {
        next.lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .next()
    };
    std::thread::scope(|scope| {
        for _ in 0..TRANSFERS.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = lock_next() {
                    let no_error = |failed: &Mutex<Option<E>>| {
                        failed
                            .lock()
                            .unwrap_or_else(|poisoned| poisoned.into_inner())
                            .is_none()
                    };
                    if !no_error(&failed) {
                        return;
                    }
                    if let Err(error) = work(item) {
                        let mut first = failed
                            .lock()
                            .unwrap_or_else(|poisoned| poisoned.into_inner());
                        first.get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    failed
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_are_done_and_the_first_error_stops_the_rest() {
        let items: Vec<usize> = (0..100).collect();
        let done = AtomicUsize::new(0);
        let outcome: Result<(), usize> = each(&items, |_| {
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!((outcome, done.load(Ordering::Relaxed)), (Ok(()), 100));
        assert!(each(&items, |&item| if item >= 3 { Err(item) } else { Ok(()) }).is_err());
    }
}
