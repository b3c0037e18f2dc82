//! [`HeldShield`]: a shield that another thread puts around what a task waits for.

use std::task::Waker;

use super::{CancelScope, perform};

/// A shield that stands until this is dropped, on whatever thread. Then the task whose scope it is
/// in is woken: what was put off meanwhile is looked at again.
#[doc(hidden)]
#[derive(Debug)]
pub struct HeldShield {
    shield: CancelScope,
    task: Waker,
}

impl Drop for HeldShield {
    fn drop(&mut self) {
        perform(self.shield.node.end_run());
        self.task.wake_by_ref();
    }
}

impl CancelScope {
    /// Puts a shield inside this scope that no future runs in, for whoever acts on behalf of a
    /// `task` from another thread. `None` if a cancel came before, here or around it; one that comes
    /// later waits for the shield's end.
    #[doc(hidden)]
    pub fn hold_shield(&self, task: Waker) -> Option<HeldShield> {
        let shield = Self::new().shield(true);
        shield.node.begin_run();
        perform(shield.node.enclose(&self.node));
        let held = HeldShield { shield, task };
        // Asked behind it: whoever has not seen the shield has been cancelled before.
        let is_cancelled = self.is_cancelled() || self.node.is_cancelled_around();
        (!is_cancelled).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll, Wake};

    use futures::channel::oneshot;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_puts_a_cancel_off_from_another_thread() {
        let scope = CancelScope::new();
        let (tell, told) = oneshot::channel();
        let mut task = pin!(scope.run(async move {
            let _shield: Option<HeldShield> = told.await.expect("it is sent");
            7
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_pending());
        let outside = scope.clone();
        let shield = std::thread::spawn(move || outside.hold_shield(Waker::noop().clone()));
        let shield = shield.join().expect("it does not panic");
        assert!(shield.is_some());
        scope.cancel();
        assert!(task.as_mut().poll(&mut cx).is_pending(), "it is shielded");
        tell.send(shield).expect("the task waits");
        assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
    }

    #[test]
    fn its_end_lets_a_cancel_through_and_wakes_the_task() {
        let (scope, wakes) = (CancelScope::new(), Arc::new(Wakes::default()));
        let mut task = pin!(scope.run(pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_pending());
        let shield = scope.hold_shield(wakes.clone().into());
        scope.cancel();
        assert!(task.as_mut().poll(&mut cx).is_pending());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
        drop(shield);
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert!(matches!(task.as_mut().poll(&mut cx), Poll::Ready(Err(_))));
    }

    #[test]
    fn who_is_cancelled_gets_none_and_looks_again() {
        let (scope, wakes) = (CancelScope::new(), Arc::new(Wakes::default()));
        scope.cancel();
        assert!(scope.hold_shield(wakes.clone().into()).is_none());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    }
}
