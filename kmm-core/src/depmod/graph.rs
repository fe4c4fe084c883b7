//! Which module needs which, in which order, and where they go round in circles.

/// The modules sorted so that those that need others come before them, or the circles that prevent it.
pub(crate) type Sorted = Result<Vec<usize>, Vec<Vec<usize>>>;

/// Sorts modules: `dependencies[m]` are the ones that `m` needs directly. Gives the place of each in that order.
pub(crate) fn sort(dependencies: &[Vec<usize>]) -> Sorted {
    let mut users = vec![0_usize; dependencies.len()];
    for needed in dependencies.iter().flatten() {
        if let Some(users) = users.get_mut(*needed) {
            *users += 1;
        }
    }
    let mut free: Vec<usize> = (0..users.len())
        .filter(|module| users.get(*module) == Some(&0))
        .collect();
    let mut places = vec![usize::MAX; users.len()];
    let mut next = 0;
    while let Some(module) = free.pop() {
        if let Some(place) = places.get_mut(module) {
            *place = next;
            next += 1;
        }
        for needed in dependencies.get(module).into_iter().flatten() {
            if let Some(users) = users.get_mut(*needed) {
                *users -= 1;
                if *users == 0 {
                    free.push(*needed);
                }
            }
        }
    }
    if next == users.len() {
        return Ok(places);
    }
    let left: Vec<bool> = users.iter().map(|users| *users > 0).collect();
    Err(cycles(dependencies, &left))
}

/// All that a module needs, directly or not, those that need others first.
pub(crate) fn closure(
    module: usize,
    dependencies: &[Vec<usize>],
    places: &[usize],
    seen: &mut [usize],
) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut stack = vec![module];
    while let Some(next) = stack.pop() {
        for needed in dependencies.get(next).into_iter().flatten() {
            // Marked with the module that it was last seen for.
            if let Some(mark) = seen.get_mut(*needed).filter(|mark| **mark != module) {
                *mark = module;
                found.push(*needed);
                stack.push(*needed);
            }
        }
    }
    found.sort_unstable_by_key(|needed| places.get(*needed).copied());
    found
}

/// One circle, the shortest through its first module, for each set of modules that all need each other.
fn cycles(dependencies: &[Vec<usize>], left: &[bool]) -> Vec<Vec<usize>> {
    let mut known = vec![false; dependencies.len()];
    let mut found = Vec::new();
    for start in (0..dependencies.len()).filter(|module| left.get(*module) == Some(&true)) {
        if known.get(start) == Some(&true) {
            continue;
        }
        let Some(cycle) = shortest(start, dependencies, left) else {
            continue;
        };
        // Modules of this circle, and all in circles with them, have been told about.
        for module in mutual(start, dependencies, left) {
            if let Some(known) = known.get_mut(module) {
                *known = true;
            }
        }
        found.push(cycle);
    }
    found
}

/// The shortest way from a module back to itself.
fn shortest(start: usize, dependencies: &[Vec<usize>], left: &[bool]) -> Option<Vec<usize>> {
    let mut from = vec![None; dependencies.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for needed in dependencies.get(module).into_iter().flatten() {
            if *needed == start {
                let mut way = vec![start, module];
                let mut at = module;
                while at != start {
                    at = from.get(at).copied().flatten()?;
                    way.push(at);
                }
                if module == start {
                    way.truncate(2);
                }
                way.reverse();
                return Some(way);
            }
            if left.get(*needed) == Some(&true)
                && let Some(from) = from.get_mut(*needed).filter(|from| from.is_none())
            {
                *from = Some(module);
                queue.push_back(*needed);
            }
        }
    }
    None
}

/// The modules that need `start` and are needed by it.
fn mutual(start: usize, dependencies: &[Vec<usize>], left: &[bool]) -> Vec<usize> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); dependencies.len()];
    for (module, needed) in dependencies
        .iter()
        .enumerate()
        .filter(|(module, _)| left.get(*module) == Some(&true))
    {
        for needed in needed {
            if let Some(users) = users.get_mut(*needed) {
                users.push(module);
            }
        }
    }
    let below = reach(start, dependencies);
    let above = reach(start, &users);
    (0..dependencies.len())
        .filter(|m| below.get(*m) == Some(&true) && above.get(*m) == Some(&true))
        .collect()
}

fn reach(start: usize, edges: &[Vec<usize>]) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut stack = vec![start];
    while let Some(module) = stack.pop() {
        if let Some(seen) = seen.get_mut(module).filter(|seen| !**seen) {
            *seen = true;
            stack.extend(edges.get(module).into_iter().flatten());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_told_once_each() {
        let dependencies = vec![vec![1], vec![2], vec![0, 3], vec![], vec![4], vec![6], vec![5, 0]];
        assert_eq!(
            sort(&dependencies),
            Err(vec![vec![0, 1, 2, 0], vec![4, 4], vec![5, 6, 5]])
        );
    }

    #[test]
    fn what_needs_others_comes_first() {
        let dependencies = vec![vec![1, 2], vec![2], vec![], vec![]];
        let places = sort(&dependencies).unwrap();
        assert_eq!(places, [1, 2, 3, 0]);
        assert_eq!(closure(0, &dependencies, &places, &mut [usize::MAX; 4]), [1, 2]);
    }
}
