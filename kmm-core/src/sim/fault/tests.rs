use super::*;

/// Enough to find a mistake of today; `cargo xtask test` runs many more, with other seeds each time.
const SCHEDULES: u64 = 150;

#[test]
fn everything_holds() {
    let scenes = Scenes::new();
    for seed in 0..SCHEDULES {
        let schedule = Schedule::new(&scenes, seed);
        if let Err(failure) = run(&scenes, &schedule, None) {
            panic!("seed {seed}: {}", shrink(&scenes, &failure, None));
        }
    }
}
