//! [`sleep`]: a task waits, and no thread does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;

use crate::timer::{self, Timer};

/// Waits until `after` has passed since this call. A time beyond what the clock can tell is never.
///
/// Other tasks of the thread go on meanwhile, as they do not while [`std::thread::sleep`] runs. A
/// time during which this process was stopped does not count, as with deadlines.
///
/// # Cancellation
///
/// Cancel-safe.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use futures::executor::block_on;
/// use tractor_core::sleep; // `tractor::sleep`
///
/// let begin = Instant::now();
/// block_on(sleep(Duration::from_millis(20)));
/// assert!(begin.elapsed() >= Duration::from_millis(20));
/// ```
pub fn sleep(after: Duration) -> Sleep {
    Sleep::until(Instant::now().checked_add(after))
}

/// What [`sleep`] gives.
#[must_use = "nothing waits before this is awaited"]
#[derive(Debug)]
pub struct Sleep {
    /// Without the times during which the process was stopped.
    at: Option<Instant>,
    alarm: Option<(Timer, oneshot::Receiver<()>)>,
}

impl Sleep {
    /// Waits until then, or for ever.
    #[doc(hidden)]
    pub fn until(at: Option<Instant>) -> Self {
        let at = at.map(timer::without_stops);
        Self { at, alarm: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let (_, rings) = self.alarm.get_or_insert_with(|| {
            let (ring, rings) = oneshot::channel();
            let at = timer::with_stops(at);
            (timer::schedule(at, move || drop(ring)), rings)
        });
        // Dropped at its time: that is all it says.
        rings.poll_unpin(cx).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::executor::block_on;
    use futures::future::{Either, select};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn it_lasts_from_the_call_on() {
        let begin = Instant::now();
        let (one, other) = (sleep(SHORT), sleep(SHORT));
        block_on(one);
        assert!(begin.elapsed() >= SHORT);
        // Its time has passed before it was polled.
        let ended = block_on(select(other, sleep(1000 * SHORT)));
        assert!(matches!(ended, Either::Left(_)));
    }

    #[test]
    fn many_sleep_at_once_each_for_its_time() {
        let mut ended = Vec::new();
        let long = async {
            sleep(2 * SHORT).await;
            "long"
        };
        let short = async {
            sleep(SHORT).await;
            "short"
        };
        match block_on(select(pin!(long), pin!(short))) {
            Either::Left((first, second)) => ended.extend([first, block_on(second)]),
            Either::Right((first, second)) => ended.extend([first, block_on(second)]),
        }
        assert_eq!(ended, ["short", "long"]);
    }

    #[test]
    fn a_time_that_never_comes_is_never() {
        let never = sleep(Duration::MAX);
        let ended = block_on(select(never, sleep(SHORT)));
        assert!(matches!(ended, Either::Right(_)));
    }
}
