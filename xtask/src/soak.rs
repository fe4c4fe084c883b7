//! `cargo xtask soak`: schedules of faults by the million, and the mistakes that they find.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::sim::fault;
use kmm_core::sim::fault::Mutation;
use kmm_core::sim::fault::Scenes;
use kmm_core::sim::fault::Schedule;

/// Schedules of one `cargo xtask soak`.
const MANY: u64 = 1_000_000;
/// Failing schedules after which nothing is to be learnt from more.
const FAILURES: usize = 20;
/// Schedules within which each mistake is found.
const BOUND: u64 = 20_000;

pub(crate) fn command(words: &[&str]) -> Result<()> {
    let number = |text: &str| {
        let number = text.parse::<u64>();
        number.with_context(|| format!("`{text}` is no number"))
    };
    match words {
        [] => schedules(MANY, fresh()),
        ["--mistakes"] => mistakes(fresh()),
        ["--mistakes", first] => mistakes(number(first)?),
        ["--seed", seed] => replay(number(seed)?),
        [count] => schedules(number(count)?, fresh()),
        [count, first] => schedules(number(count)?, number(first)?),
        _ => bail!("usage: cargo xtask soak [N [FIRST] | --seed SEED | --mistakes [FIRST]]"),
    }
}

/// Where to begin, another place each time.
fn fresh() -> u64 {
    fastrand::u64(..u64::MAX / 2)
}

/// Runs one schedule, and tells all that happened where something does not hold.
fn replay(seed: u64) -> Result<()> {
    let scenes = Scenes::new();
    match fault::run(&scenes, &Schedule::new(&scenes, seed), None) {
        Ok(passed) => {
            println!("seed {seed}: everything held in {} steps", passed.steps);
            Ok(())
        }
        Err(failure) => bail!("seed {seed}: {}", fault::shrink(&scenes, &failure, None)),
    }
}

/// Runs the schedules of as many seeds, one after the other from the first. It ends early where many of them fail.
pub(crate) fn schedules(count: u64, first: u64) -> Result<()> {
    let scenes = Scenes::new();
    let (next, steps, deeds) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    // By their place: the first one is the same whichever thread comes first, as each ends what it began.
    let failed = Mutex::new(BTreeMap::new());
    let failures = AtomicUsize::new(0);
    println!("{count} schedules from seed {first}");
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failures.load(Ordering::Relaxed) < FAILURES {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count {
                        break;
                    }
                    let seed = first.wrapping_add(place);
                    match fault::run(&scenes, &Schedule::new(&scenes, seed), None) {
                        Ok(passed) => {
                            steps.fetch_add(passed.steps, Ordering::Relaxed);
                            deeds.fetch_add(passed.deeds, Ordering::Relaxed);
                        }
                        Err(failure) => {
                            failures.fetch_add(1, Ordering::Relaxed);
                            if let Ok(mut failed) = failed.lock() {
                                failed.insert(place, failure);
                            }
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if let Some((place, failure)) = failed.first_key_value() {
        let shown = fault::shrink(&scenes, failure, None);
        let seed = first.wrapping_add(*place);
        println!("{shown}\nto see it again: cargo xtask soak --seed {seed}\n");
        for (place, failure) in failed.iter().skip(1) {
            let rule = failure.violation.rule;
            println!("seed {} fails too: {rule}", first.wrapping_add(*place));
        }
        let run = next.into_inner().min(count);
        bail!("{} of {run} schedules fail", failed.len());
    }
    let seconds = start.elapsed().as_secs_f64();
    let each = |total: AtomicUsize| total.into_inner() as f64 / count.max(1) as f64;
    println!(
        "everything held; {:.0} schedules each second, {:.0} steps and {:.0} deeds in each",
        count as f64 / seconds,
        each(steps),
        each(deeds),
    );
    Ok(())
}

/// Makes each mistake in the decisions, and sees that it is found by the schedules from a first seed.
pub(crate) fn mistakes(first: u64) -> Result<()> {
    let scenes = Scenes::new();
    println!("each mistake, in at most {BOUND} schedules from seed {first}");
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(mutation) = Mutation::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = (0..BOUND).find_map(|place| {
                        let schedule = Schedule::new(&scenes, first.wrapping_add(place));
                        let failure = fault::run(&scenes, &schedule, Some(*mutation)).err()?;
                        Some((place + 1, failure.violation.rule))
                    });
                    match found {
                        Some((count, rule)) => println!("{count:>8}  {mutation:?}: {rule}"),
                        None => {
                            if let Ok(mut missed) = missed.lock() {
                                missed.push(*mutation);
                            }
                        }
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap_or_default();
    if missed.is_empty() {
        Ok(())
    } else {
        bail!("mistakes that nothing finds: {missed:?}")
    }
}
