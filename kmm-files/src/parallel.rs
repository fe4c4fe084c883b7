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
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut reader, mut done) = (ObjectReader::default(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return done;
            };
            done.push((number, run(item, &mut reader)));
        }
    };
    let mut done: Vec<(usize, T)> = Vec::with_capacity(items.len());
    std::thread::scope(|scope| {
        // This thread works as well.
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
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
}
