//! What is to be looked at, and when: a queue without doubles.
//!
//! A key that is added while it is worked on is looked at again afterwards. Keys of the same subject are never worked on
//! at the same time, so that two controllers of one node do not write past each other.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Something that can be worked on.
pub(crate) trait Work: Clone + Eq + Hash {
    /// What it is about.
    type Subject: Clone + Debug + Eq + Hash;

    /// What it is about.
    fn subject(&self) -> Self::Subject;
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<K: Work> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K: Work> {
    ready: VecDeque<K>,
    /// The same, for asking.
    waiting: HashSet<K>,
    busy: HashSet<K::Subject>,
    /// By due time; the number tells those of the same time apart.
    later: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    count: u64,
    closed: bool,
}

impl<K: Work> Default for Queue<K> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                waiting: HashSet::new(),
                busy: HashSet::new(),
                later: BTreeMap::new(),
                due: HashMap::new(),
                failures: HashMap::new(),
                count: 0,
                closed: false,
            }),
            changed: Notify::new(),
        }
    }
}

impl<K: Work> Queue<K> {
    /// Adds what is to be looked at now.
    pub(crate) fn add(&self, keys: impl IntoIterator<Item = K>) {
        let mut state = self.lock();
        for key in keys {
            state.add(key);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// How much waits to be looked at.
    pub(crate) fn depth(&self) -> usize {
        self.lock().ready.len()
    }

    /// The next key, when there is one; `None` after the queue was closed.
    ///
    /// It has to be given back with [`Queue::done`].
    pub(crate) async fn next(&self) -> Option<K> {
        loop {
            // Registered before looking, so that nothing added in between is missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let due = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.ripen(Instant::now());
                if let Some(key) = state.take() {
                    return Some(key);
                }
                state.later.keys().next().map(|(due, _)| *due)
            };
            match due {
                Some(due) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Gives a key back; it is asked for again after `again`, or when it is added.
    pub(crate) fn done(&self, key: &K, again: Again) {
        let mut state = self.lock();
        state.busy.remove(&key.subject());
        let wait = match again {
            Again::WhenChanged => None,
            Again::After(wait) => Some(wait),
            Again::Failed => Some(state.failed(key)),
        };
        if again != Again::Failed {
            state.failures.remove(key);
        }
        state.schedule(key, wait);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Nothing is handed out any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // Nothing between taking and giving back the lock can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a key is to be looked at again although nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Never.
    WhenChanged,
    /// After that time.
    After(Duration),
    /// After a while that grows with each failure.
    Failed,
}

impl<K: Work> State<K> {
    fn add(&mut self, key: K) {
        if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let place = self
            .ready
            .iter()
            .position(|key| !self.busy.contains(&key.subject()))?;
        let key = self.ready.remove(place)?;
        self.waiting.remove(&key);
        self.busy.insert(key.subject());
        Some(key)
    }

    fn ripen(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let key = entry.remove();
            self.due.remove(&key);
            self.add(key);
        }
    }

    fn failed(&mut self, key: &K) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        let wait = FIRST_WAIT.saturating_mul(1 << (*failures).min(16));
        *failures = failures.saturating_add(1);
        wait.min(LONGEST_WAIT)
    }

    /// Takes the last wish, and forgets earlier ones.
    fn schedule(&mut self, key: &K, wait: Option<Duration>) {
        if let Some(old) = self.due.remove(key) {
            self.later.remove(&old);
        }
        if let Some(wait) = wait {
            self.count += 1;
            let due = (Instant::now() + wait, self.count);
            self.later.insert(due, key.clone());
            self.due.insert(key.clone(), due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Work for (u32, u32) {
        type Subject = u32;

        fn subject(&self) -> u32 {
            self.0
        }
    }

    async fn nothing(queue: &Queue<(u32, u32)>) -> bool {
        tokio::time::timeout(Duration::from_millis(1), queue.next())
            .await
            .is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_handed_out_once() {
        let queue = Queue::default();
        queue.add([(1, 1), (1, 1)]);
        assert_eq!(queue.next().await, Some((1, 1)));
        assert!(nothing(&queue).await);
        queue.add([(1, 1)]);
        // Not while it is worked on.
        assert!(nothing(&queue).await);
        queue.done(&(1, 1), Again::WhenChanged);
        assert_eq!(queue.next().await, Some((1, 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_subject_is_worked_on_once() {
        let queue = Queue::default();
        queue.add([(1, 1), (1, 2), (2, 1)]);
        assert_eq!(queue.next().await, Some((1, 1)));
        assert_eq!(queue.next().await, Some((2, 1)));
        assert!(nothing(&queue).await);
        queue.done(&(1, 1), Again::WhenChanged);
        assert_eq!(queue.next().await, Some((1, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_wish_counts() {
        let queue = Queue::default();
        queue.add([(1, 1)]);
        let key = queue.next().await.unwrap();
        queue.done(&key, Again::After(Duration::from_secs(3600)));
        queue.add([key]);
        let key = queue.next().await.unwrap();
        queue.done(&key, Again::After(Duration::from_secs(5)));
        let before = Instant::now();
        assert_eq!(queue.next().await, Some((1, 1)));
        assert_eq!(before.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time() {
        let queue = Queue::default();
        queue.add([(1, 1)]);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let before = Instant::now();
            let key = queue.next().await.unwrap();
            waits.push(before.elapsed().as_millis());
            queue.done(&key, Again::Failed);
        }
        assert_eq!(
            waits,
            [
                0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000
            ]
        );
        let key = queue.next().await.unwrap();
        queue.done(&key, Again::WhenChanged);
        queue.add([(1, 1)]);
        let key = queue.next().await.unwrap();
        queue.done(&key, Again::Failed);
        let before = Instant::now();
        queue.next().await.unwrap();
        assert_eq!(before.elapsed().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_queue_ends() {
        let queue = Queue::default();
        queue.add([(1, 1)]);
        queue.close();
        assert_eq!(queue.next().await, None);
        assert_eq!(queue.depth(), 1);
    }
}
