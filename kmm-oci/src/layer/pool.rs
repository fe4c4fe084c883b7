//! Memory that the layers share.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A number of bytes that threads take from and give back to.
#[derive(Debug)]
pub(crate) struct Pool {
    all: u64,
    free: Mutex<u64>,
    freed: Condvar,
}

/// Bytes that were taken; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    pool: &'a Pool,
    bytes: u64,
}

impl Pool {
    pub(crate) fn new(all: u64) -> Self {
        Self {
            all,
            free: Mutex::new(all),
            freed: Condvar::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        *self.free.lock().unwrap()
    }

    /// Waits until there are so many bytes. What asks for more than there are gets all: it then is alone.
    pub(crate) fn take(&self, bytes: u64) -> Taken<'_> {
        let bytes = bytes.min(self.all);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Taken { pool: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.pool.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.pool.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn no_more_is_out_than_there_is() {
        let pool = Pool::new(100);
        let out = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for ask in [30, 60, 1000, 100, 1, 70] {
                let (pool, out) = (&pool, &out);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let taken = pool.take(ask);
                        let now = out.fetch_add(taken.bytes, Ordering::SeqCst) + taken.bytes;
                        assert!(now <= 100);
                        std::thread::yield_now();
                        out.fetch_sub(taken.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*pool.free.lock().unwrap(), 100);
    }
}
