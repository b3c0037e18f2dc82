//! [`ReadToken`]: whoever holds it reads the link; the leader may leave a note for the holder.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Exclusive use of what is needed to read a link, without ever waiting for it.
///
/// A link is read by the leader or by whoever waits for one of its frames. The leader that
/// finds the token taken stops watching the link and leaves a note; the holder that finds the
/// note when it releases has the link watched again. So no readiness is lost, and nobody waits.
#[derive(Debug)]
pub(crate) struct ReadToken<T> {
    state: Mutex<T>,
    wanted: AtomicBool,
}

impl<T> ReadToken<T> {
    pub(crate) fn new(state: T) -> Self {
        Self {
            state: Mutex::new(state),
            wanted: AtomicBool::new(false),
        }
    }

    /// Takes the token if it is free.
    pub(crate) fn try_take(&self) -> Option<MutexGuard<'_, T>> {
        match self.state.try_lock() {
            Ok(guard) => Some(guard),
            // The state is a decoder, whole between any two of its calls, which do not panic.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the token, or leaves a note that its holder is sure to find on release.
    pub(crate) fn take_or_note(&self) -> Option<MutexGuard<'_, T>> {
        if let Some(guard) = self.try_take() {
            return Some(guard);
        }
        self.wanted.store(true, Ordering::Relaxed);
        // Either the holder sees the note after its release, or we see the token free: the two
        // fences forbid that both miss (store, fence, load on either side).
        fence(Ordering::SeqCst);
        let guard = self.try_take()?;
        self.wanted.store(false, Ordering::Relaxed);
        Some(guard)
    }

    /// Gives the token back, and tells whether the link must be watched again.
    #[must_use = "a note that is not heeded leaves the link unread"]
    pub(crate) fn release(&self, guard: MutexGuard<'_, T>) -> bool {
        drop(guard);
        fence(Ordering::SeqCst);
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::thread;

    use super::*;

    #[test]
    fn a_note_is_found_by_the_holder() {
        let token = ReadToken::new(());
        let held = token.try_take().unwrap();
        assert!(token.try_take().is_none());
        assert!(token.take_or_note().is_none());
        assert!(token.release(held));
        let held = token.try_take().unwrap();
        assert!(!token.release(held), "a note is heeded once");
    }

    #[test]
    fn no_note_is_lost_between_two_threads() {
        // Each failed take must be followed by a release that reports it.
        let token = Arc::new(ReadToken::new(0_u64));
        let heeded = Arc::new(AtomicU32::new(0));
        let holder = thread::spawn({
            let (token, heeded) = (token.clone(), heeded.clone());
            move || {
                for _ in 0..200_000 {
                    if let Some(mut held) = token.try_take() {
                        *held += 1;
                        if token.release(held) {
                            heeded.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            }
        });
        let mut noted = 0;
        while !holder.is_finished() {
            if let Some(held) = token.take_or_note() {
                // A note that the holder has not come to heed yet is heeded here.
                if token.release(held) {
                    heeded.fetch_add(1, Ordering::SeqCst);
                }
            } else {
                noted += 1;
                while heeded.load(Ordering::SeqCst) < noted {
                    assert!(!holder.is_finished() || heeded.load(Ordering::SeqCst) >= noted);
                    thread::yield_now();
                }
            }
        }
        // A note that was left and taken back may have been heeded in between.
        assert!(heeded.load(Ordering::SeqCst) >= noted);
    }
}
