//! The same for many, with all processors.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::ObjectReader;

/// Does something for every item, on as many threads as there are processors, each with a reader of its own; gives
/// the results in the order of the items.
///
/// # Example: in order
///
/// ```
/// let doubled = kmm_files::in_parallel(&[1, 2, 3], |number, _| number * 2);
/// assert_eq!(doubled, [2, 4, 6]);
/// ```
pub fn in_parallel<I: Sync, T: Send>(items: &[I], run: impl Fn(&I, &mut ObjectReader) -> T + Sync) -> Vec<T> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    on_threads(items, processors, ObjectReader::default, run)
}

/// As [`in_parallel`], on so many threads at the most, each with what `start` makes: for what waits rather than works.
///
/// # Example: no more than two at once
///
/// ```
/// let squares = kmm_files::on_threads(&[1, 2, 3], 2, || (), |number, ()| number * number);
/// assert_eq!(squares, [1, 4, 9]);
/// ```
pub fn on_threads<I: Sync, S, T: Send>(
    items: &[I],
    threads: usize,
    start: impl Fn() -> S + Sync,
    run: impl Fn(&I, &mut S) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut state, mut done) = (start(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return done;
            };
            done.push((number, run(item, &mut state)));
        }
    };
    let mut done: Vec<(usize, T)> = Vec::with_capacity(items.len());
    std::thread::scope(|scope| {
        // This thread works as well.
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(work)).collect();
        done.extend(work());
        for other in others {
            match other.join() {
                Ok(results) => done.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(in_parallel(&items, |item, _| *item), items);
        assert!(in_parallel(&[] as &[usize], |item, _| *item).is_empty());
    }

    #[test]
    fn no_more_run_at_once_than_are_asked_for() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items: Vec<usize> = (0..100).collect();
        let run = |item: &usize, (): &mut ()| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            *item
        };
        assert_eq!(on_threads(&items, 3, || (), run), items);
        assert!(most.into_inner() <= 3);
    }
}
