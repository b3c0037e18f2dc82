//! [`HeldShield`]: a shield that another thread puts around what a task waits for.

use super::{CancelScope, perform};

/// A shield that stands until this is dropped, by the task whose scope it is in.
#[doc(hidden)]
#[derive(Debug)]
pub struct HeldShield(CancelScope);

impl Drop for HeldShield {
    fn drop(&mut self) {
        perform(self.0.node.end_run());
    }
}

impl CancelScope {
    /// Puts a shield inside this scope that no future runs in, for whoever acts on behalf of a task
    /// from another thread. A cancel that came before it is seen by
    /// [`is_cancelled`](Self::is_cancelled) afterwards; one that comes later waits for its end.
    #[doc(hidden)]
    pub fn hold_shield(&self) -> HeldShield {
        let shield = Self::new().shield(true);
        shield.node.begin_run();
        perform(shield.node.enclose(&self.node));
        HeldShield(shield)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures::channel::oneshot;

    use super::*;

    #[test]
    fn it_puts_a_cancel_off_from_another_thread() {
        let scope = CancelScope::new();
        let (tell, told) = oneshot::channel();
        let mut task = pin!(scope.run(async move {
            let _shield: HeldShield = told.await.expect("it is sent");
            7
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_pending());
        let outside = scope.clone();
        let shield = std::thread::spawn(move || outside.hold_shield());
        let shield = shield.join().expect("it does not panic");
        assert!(!scope.is_cancelled());
        scope.cancel();
        assert!(task.as_mut().poll(&mut cx).is_pending(), "it is shielded");
        tell.send(shield).expect("the task waits");
        assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
    }

    #[test]
    fn its_end_lets_a_cancel_through() {
        let scope = CancelScope::new();
        let mut task = pin!(scope.run(pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_pending());
        let shield = scope.hold_shield();
        scope.cancel();
        assert!(task.as_mut().poll(&mut cx).is_pending());
        drop(shield);
        assert!(matches!(task.as_mut().poll(&mut cx), Poll::Ready(Err(_))));
    }
}
