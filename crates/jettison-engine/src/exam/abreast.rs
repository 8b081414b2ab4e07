//! Starts that know nothing of each other go side by side: most of their time
//! is waiting.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Enough to fill the waiting of one with the work of another, few enough that
/// a program is not starved where it has a time to keep.
const MOST: usize = 3;

/// Does `work` on every item, `abreast` or one after the other; the results in
/// the items' order. After an error nothing new is begun.
pub(super) fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    abreast: bool,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let workers = match abreast && cores > 1 {
        true => MOST.min(items.len()),
        false => 1,
    };
    if workers <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::new());
    let worker = || {
        while let Some((number, item)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            items.get(number).map(|item| (number, item))
        } {
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            if let Ok(mut done) = done.lock() {
                done.push((number, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn results_come_in_order() {
        let items: Vec<u64> = (0..20).collect();
        let slow_first = |item: &u64| {
            std::thread::sleep(std::time::Duration::from_millis(20 - item));
            Ok::<_, ()>(item * 2)
        };
        let expected: Vec<u64> = items.iter().map(|item| item * 2).collect();
        for abreast in [false, true] {
            assert_eq!(each(&items, abreast, slow_first), Ok(expected.clone()));
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let items: Vec<u64> = (0..1000).collect();
        let fails = |item: &u64| if *item == 3 { Err(*item) } else { Ok(*item) };
        for abreast in [false, true] {
            assert_eq!(each(&items, abreast, fails), Err(3));
        }
    }
}
