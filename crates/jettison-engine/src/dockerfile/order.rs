//! Stages that do not need each other are built side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};

use jettison_dockerfile::graph::GraphStage;

/// What is known while stages are being built.
struct Progress<T, E> {
    open: BTreeSet<usize>,
    done: BTreeMap<usize, T>,
    failed: Option<E>,
}

/// Builds every stage once those that it needs are there; `threads` at most at
/// a time. The first failure ends what has not begun.
pub(crate) fn each<T, E>(
    stages: &[GraphStage],
    threads: usize,
    build: impl Fn(&GraphStage, BTreeMap<usize, T>) -> Result<T, E> + Sync,
) -> Result<BTreeMap<usize, T>, E>
where
    T: Clone + Send,
    E: Send,
{
    let state = Mutex::new(Progress {
        open: stages.iter().map(|stage| stage.index).collect(),
        done: BTreeMap::<usize, T>::new(),
        failed: None::<E>,
    });
    let changed = Condvar::new();
    let work = || {
        let mut now = state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if now.failed.is_some() || now.open.is_empty() {
                return;
            }
            let ready = stages.iter().find(|stage| {
                let mut needed = stage.needs.iter();
                now.open.contains(&stage.index) && needed.all(|index| now.done.contains_key(index))
            });
            let Some(stage) = ready else {
                now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            now.open.remove(&stage.index);
            let needed = stage.needs.iter();
            let needed = needed.filter_map(|index| Some((*index, now.done.get(index)?.clone())));
            let needed = needed.collect();
            drop(now);
            let built = build(stage, needed);
            now = state.lock().unwrap_or_else(PoisonError::into_inner);
            match built {
                Ok(built) => drop(now.done.insert(stage.index, built)),
                Err(error) => drop(now.failed.get_or_insert(error)),
            }
            changed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, stages.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failed {
        Some(error) => Err(error),
        None => Ok(state.done),
    }
}

#[cfg(test)]
mod tests {
    use jettison_dockerfile::graph::Base;

    use super::*;

    fn stage(index: usize, needs: &[usize]) -> GraphStage {
        GraphStage {
            index,
            base: Base::Name(Vec::new()),
            platform: None,
            needs: needs.iter().copied().collect(),
            is_context: false,
        }
    }

    #[test]
    fn needs_come_first() {
        let stages = [
            stage(0, &[]),
            stage(1, &[]),
            stage(3, &[0, 1]),
            stage(4, &[3]),
        ];
        for threads in [1, 2, 8] {
            let built = each(
                &stages,
                threads,
                |stage, needed: BTreeMap<usize, String>| {
                    let needed: Vec<_> = needed.into_values().collect();
                    Ok::<_, ()>(format!("{}({})", stage.index, needed.join(" ")))
                },
            );
            assert_eq!(built.unwrap()[&4], "4(3(0() 1()))");
        }
    }

    #[test]
    fn a_failure_ends_it() {
        let stages = [stage(0, &[]), stage(1, &[0]), stage(2, &[1])];
        let built = each(&stages, 2, |stage, _: BTreeMap<usize, ()>| {
            match stage.index {
                1 => Err("no"),
                2 => panic!("it needs what failed"),
                _ => Ok(()),
            }
        });
        assert_eq!(built, Err("no"));
    }
}
