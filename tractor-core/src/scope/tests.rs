//! Scopes in the hands of tasks and threads.

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::pin_mut;

use super::*;

const NOW: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_secs(60);
const DEADLINE: CancelReason = CancelReason::Deadline;

/// Counts how often a task was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that is polled by hand.
struct Task<F: Future> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            wakes: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}

/// Tells when it is dropped.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn cancelled<T>(reason: CancelReason) -> Result<T, Cancelled> {
    Err(Cancellation { by: None, reason }.into())
}

fn is_ready<T>(poll: &Poll<T>) -> bool {
    matches!(poll, Poll::Ready(_))
}

/// As `block_on`, which refuses to be nested.
fn block_on_nested<F: Future>(future: F) -> F::Output {
    let mut task = Task::new(future);
    loop {
        if let Poll::Ready(value) = task.poll() {
            return value;
        }
        assert!(
            task.wakes.0.swap(0, Ordering::SeqCst) > 0,
            "it waits for ever"
        );
    }
}

#[test]
fn values_pass_through() {
    assert_eq!(block_on(CancelScope::new().run(ready(7))), Ok(7));
    assert_eq!(block_on(timeout(LATE, ready(7))), Ok(7));
    assert_eq!(block_on(shield(ready(7))), Ok(7));
    assert_eq!(block_on(move_on_after(LATE, ready(7))), Some(7));
}

#[test]
fn a_cancel_drops_the_future_at_its_next_poll() {
    let (scope, dropped) = (CancelScope::new(), AtomicBool::new(false));
    let mut task = Task::new(scope.run(async {
        let _flag = Flag(&dropped);
        pending::<()>().await;
    }));
    assert!(task.poll().is_pending());
    let by = Some(ActorId::fresh("root"));
    scope.cancel_with(CancelReason::Asked, by.clone());
    scope.cancel();
    assert!(scope.is_cancelled());
    assert_eq!(task.wakes(), 1);
    assert!(!dropped.load(Ordering::SeqCst));
    let Poll::Ready(Err(error)) = task.poll() else {
        panic!("it goes on");
    };
    assert!(dropped.load(Ordering::SeqCst));
    assert_eq!(
        (error.by(), error.reason()),
        (by.as_ref(), CancelReason::Asked)
    );
}

#[test]
fn a_cancelled_scope_polls_nothing() {
    let scope = CancelScope::new();
    scope.cancel();
    let ended = block_on(scope.run(async { unreachable!("it is polled") }));
    assert_eq!(ended, cancelled::<()>(CancelReason::ScopeCancelled));
    let ended = block_on(timeout(NOW, async { unreachable!("it is polled") }));
    assert_eq!(ended, cancelled::<()>(DEADLINE));
}

#[test]
fn a_value_ready_in_the_poll_of_the_cancel_wins() {
    let scope = CancelScope::new();
    let ended = block_on(scope.run(async {
        scope.cancel();
        7
    }));
    assert_eq!(ended, Ok(7));
}

#[test]
fn a_cancel_from_another_thread_wakes() {
    let scope = CancelScope::new();
    let (polled, is_polled) = mpsc::channel();
    let handle = scope.clone();
    let canceller = std::thread::spawn(move || {
        is_polled.recv().unwrap();
        handle.cancel();
    });
    let ended = block_on(scope.run(poll_fn(|_| {
        polled.send(()).ok();
        Poll::<()>::Pending
    })));
    assert_eq!(ended, cancelled(CancelReason::ScopeCancelled));
    canceller.join().unwrap();
}

#[test]
fn a_deadline_cancels_by_itself() {
    assert_eq!(
        block_on(timeout(SOON, pending::<()>())),
        cancelled(DEADLINE)
    );
    assert_eq!(block_on(move_on_after(SOON, pending::<()>())), None);
    let waited = CancelScope::new().timeout(SOON);
    assert_eq!(block_on(waited.cancelled()).reason, DEADLINE);
    assert!(CancelScope::new().timeout(NOW).is_cancelled());
}

#[test]
fn a_moved_deadline_counts() {
    let scope = CancelScope::new().timeout(LATE);
    let mut task = Task::new(scope.run(pending::<()>()));
    assert!(task.poll().is_pending());
    scope.set_deadline(None);
    assert_eq!(scope.deadline(), None);
    let now = Instant::now();
    scope.set_deadline(Some(now));
    assert_eq!(scope.deadline(), Some(now));
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(), Poll::Ready(cancelled(DEADLINE)));
}

#[test]
fn the_least_deadline_around_counts() {
    let start = Instant::now();
    let at = |seconds| Some(start + Duration::from_secs(seconds));
    let scope = |seconds| CancelScope::new().deadline_at(start + Duration::from_secs(seconds));
    block_on(async {
        assert_eq!(current_deadline(), None);
        let deepest = scope(90);
        let innermost = async {
            assert_eq!(current_deadline(), at(50));
            assert_eq!(deepest.deadline(), at(50));
            scope(70)
                .shield(true)
                .run(async {
                    assert_eq!(current_deadline(), at(70));
                    let plain = CancelScope::new();
                    plain
                        .run(async { assert_eq!(current_deadline(), at(70)) })
                        .await
                })
                .await
                .unwrap()
        };
        let middle = scope(50).run(deepest.run(innermost));
        scope(60)
            .run(middle)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(deepest.deadline(), at(90));
    });
}

#[test]
fn an_outer_deadline_ends_an_inner_scope() {
    let inner = CancelScope::new().timeout(LATE);
    let ended = block_on(timeout(SOON, inner.run(pending::<()>())));
    assert_eq!(ended, cancelled(DEADLINE));
    assert_eq!(inner.cancelled_by().unwrap().reason, DEADLINE);
}

#[test]
fn both_of_two_nested_scopes_keep_their_own_reason() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let mut task = Task::new(outer.run(inner.run(pending::<()>())));
    assert!(task.poll().is_pending());
    inner.cancel_with(CancelReason::Sibling, None);
    outer.cancel_with(CancelReason::Parent, None);
    assert_eq!(inner.cancelled_by().unwrap().reason, CancelReason::Sibling);
    assert_eq!(task.poll(), Poll::Ready(cancelled(CancelReason::Parent)));
}

#[test]
fn a_cancel_reaches_scopes_inside_but_not_around() {
    let scopes: [_; 3] = std::array::from_fn(|_| CancelScope::new());
    let [outer, middle, inner] = &scopes;
    let mut task = Task::new(outer.run(middle.run(inner.run(pending::<()>()))));
    assert!(task.poll().is_pending());
    middle.cancel_with(CancelReason::Asked, None);
    assert!(!outer.is_cancelled());
    assert_eq!(inner.cancelled_by().unwrap().reason, CancelReason::Asked);
    assert_eq!(task.poll(), Poll::Ready(Ok(cancelled(CancelReason::Asked))));
}

#[test]
fn a_scope_inside_a_cancelled_one_runs_nothing() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let ended = block_on(outer.run(async {
        outer.cancel();
        assert!(checkpoint().await.is_err());
        let ended = inner.run(async { unreachable!("it is polled") }).await;
        unreachable!("it goes on with {ended:?}")
    }));
    assert_eq!(ended, cancelled::<()>(CancelReason::ScopeCancelled));
    assert!(inner.is_cancelled());
}

#[test]
fn blocking_inside_a_cancelled_scope_ends() {
    let outer = CancelScope::new();
    let ended = block_on(outer.run(async {
        outer.cancel();
        block_on_nested(timeout(LATE, pending::<()>()))
    }));
    assert_eq!(ended, Ok(cancelled(CancelReason::ScopeCancelled)));
}

#[test]
fn a_shield_finishes_inside_a_cancelled_scope() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let (end, ended) = oneshot::channel();
    let (finished, dropped) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut task = Task::new(outer.run(inner.run(async {
        let _flag = Flag(&dropped);
        shield(async {
            ended.await.unwrap();
            assert_eq!(checkpoint().await, Ok(()));
            finished.store(true, Ordering::SeqCst);
        })
        .await
        .unwrap();
        pending::<()>().await;
    })));
    assert!(task.poll().is_pending());
    outer.cancel();
    assert!(outer.is_cancelled() && inner.is_cancelled());
    assert!(outer.has_active_shield());
    assert!(task.poll().is_pending());
    end.send(()).unwrap();
    assert!(task.poll().is_pending(), "it is at its checkpoint");
    assert!(!dropped.load(Ordering::SeqCst));
    assert_eq!(
        task.poll(),
        Poll::Ready(cancelled(CancelReason::ScopeCancelled))
    );
    assert!(finished.load(Ordering::SeqCst) && dropped.load(Ordering::SeqCst));
    assert!(!outer.has_active_shield());
}

#[test]
fn the_end_of_a_shield_wakes_who_waited_for_it() {
    let (outer, shielded) = (CancelScope::new(), CancelScope::new().shield(true));
    // A task of its own polls the section, so that the outer task learns nothing by itself.
    let section = RefCell::new(Task::new(shielded.run(pending::<()>())));
    let mut task = Task::new(outer.run(poll_fn(|_| section.borrow_mut().poll().map(drop))));
    assert!(task.poll().is_pending());
    outer.cancel();
    assert!(task.poll().is_pending(), "the shield holds");
    let before = task.wakes();
    shielded.cancel();
    assert_eq!((section.borrow().wakes(), task.wakes()), (1, before));
    assert!(is_ready(&section.borrow_mut().poll()));
    assert_eq!(task.wakes(), before + 1);
    let expected = cancelled(CancelReason::ScopeCancelled);
    assert_eq!(task.poll(), Poll::Ready(expected));
}

#[test]
fn a_shield_obeys_its_own_deadline() {
    let outer = CancelScope::new();
    let ended = block_on(outer.run(async {
        outer.cancel();
        let shielded = CancelScope::new().shield(true).timeout(SOON);
        shielded.run(pending::<()>()).await
    }));
    assert_eq!(ended, Ok(cancelled(DEADLINE)));
}

#[test]
fn a_shield_resists_a_deadline_around_it() {
    let outer = CancelScope::new().timeout(SOON);
    let ended =
        block_on(outer.run(async { shield(async { outer.cancelled().await.reason }).await }));
    assert_eq!(ended, Ok(Ok(DEADLINE)));
}

#[test]
fn dropping_a_run_detaches_its_scope() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let mut task = Task::new(outer.run(async {
        let mut first = Box::pin(inner.run(pending::<()>()));
        assert!(
            poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        drop(first);
        pending::<()>().await;
    }));
    assert!(task.poll().is_pending());
    outer.cancel();
    assert!(is_ready(&task.poll()));
    assert!(!inner.is_cancelled());
    assert_eq!(block_on(inner.run(ready(7))), Ok(7));
}

#[test]
fn dropping_a_shield_ends_its_protection() {
    let outer = CancelScope::new();
    let mut task = Task::new(outer.run(async {
        let mut section = Box::pin(shield(pending::<()>()));
        let _ = poll_fn(|cx| Poll::Ready(section.as_mut().poll(cx))).await;
        outer.cancel();
        assert!(outer.has_active_shield());
        drop(section);
        pending::<()>().await;
    }));
    assert!(is_ready(&task.poll()));
}

#[test]
fn a_future_that_outlives_a_scope_is_free_of_it() {
    let (first, second) = (CancelScope::new().timeout(LATE), CancelScope::new());
    let inner = CancelScope::new();
    let work = inner.run(poll_fn(|_| Poll::<()>::Pending));
    pin_mut!(work);
    let mut task = Task::new(first.run(poll_fn(|cx| {
        assert!(work.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })));
    assert!(is_ready(&task.poll()));
    drop(task);
    first.cancel();
    assert!(!inner.is_cancelled());
    assert_eq!(inner.deadline(), None);
    let mut task = Task::new(second.run(poll_fn(|cx| work.as_mut().poll(cx))));
    assert!(task.poll().is_pending());
    second.cancel();
    assert!(inner.is_cancelled(), "it belongs to the second scope now");
}

#[test]
fn a_scope_run_inside_itself_ends_once_cancelled() {
    let scope = CancelScope::new();
    let inner = CancelScope::new();
    let again = inner.run(scope.run(inner.run(pending::<()>())));
    let mut task = Task::new(scope.run(again));
    assert!(task.poll().is_pending());
    assert_eq!(inner.deadline(), None);
    scope.cancel();
    assert!(inner.is_cancelled());
    assert_eq!(
        task.poll(),
        Poll::Ready(cancelled(CancelReason::ScopeCancelled))
    );
}

#[test]
fn callbacks_are_called_once() {
    let (scope, calls) = (CancelScope::new(), Arc::new(AtomicUsize::new(0)));
    let count = |calls: &Arc<AtomicUsize>| {
        let calls = calls.clone();
        move || {
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    let kept = scope.on_cancel(count(&calls));
    drop(scope.on_cancel(count(&calls)));
    scope.cancel();
    scope.cancel();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(kept);
    let _at_once = scope.on_cancel(count(&calls));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_callback_may_cancel_and_register_and_panic() {
    let (first, second) = (CancelScope::new(), CancelScope::new());
    let (to_second, back) = (second.clone(), first.clone());
    let _panics = first.on_cancel(|| panic!("told to"));
    let _across = first.on_cancel(move || {
        to_second.cancel_with(CancelReason::Sibling, None);
        drop(to_second.on_cancel(|| ()));
    });
    let _back = second.on_cancel(move || back.cancel());
    first.cancel();
    assert_eq!(second.cancelled_by().unwrap().reason, CancelReason::Sibling);
}

#[test]
fn a_deadline_calls_back() {
    let scope = CancelScope::new().timeout(SOON);
    let (tell, told) = mpsc::channel();
    let _kept = scope.on_cancel(move || tell.send(()).unwrap());
    told.recv().unwrap();
    assert_eq!(scope.cancelled_by().unwrap().reason, DEADLINE);
}

#[test]
fn a_destructor_that_panics_ends_as_cancelled() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("told to");
        }
    }
    let (scope, dropped) = (CancelScope::new(), AtomicBool::new(false));
    let mut task = Task::new(scope.run(async {
        let _flag = Flag(&dropped);
        let _bomb = Bomb;
        pending::<()>().await;
    }));
    assert!(task.poll().is_pending());
    scope.cancel();
    assert_eq!(
        task.poll(),
        Poll::Ready(cancelled(CancelReason::ScopeCancelled))
    );
    assert!(dropped.load(Ordering::SeqCst));
    assert!(current().is_none());
}

#[test]
fn a_panic_of_the_future_leaves_no_current_scope() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new().shield(true));
    let mut task = Task::new(outer.run(inner.run(async { panic!("told to") })));
    let panicking = catch_unwind(AssertUnwindSafe(|| task.poll()));
    assert!(panicking.is_err());
    assert!(current().is_none());
    drop(task);
    assert!(!outer.has_active_shield());
}

#[test]
fn the_current_scope_is_set_only_during_polls() {
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let is_current =
        |scope: &CancelScope| current().is_some_and(|it| Arc::ptr_eq(&it.node, &scope.node));
    assert!(current().is_none());
    let mut task = Task::new(outer.run(async {
        assert!(is_current(&outer));
        inner
            .run(async { assert!(is_current(&inner)) })
            .await
            .unwrap();
        assert!(is_current(&outer));
        pending::<()>().await;
    }));
    assert!(task.poll().is_pending());
    assert!(current().is_none());
}

#[test]
fn destructors_see_the_cancelled_scope() {
    struct Asks<'a>(&'a mut Option<CancelReason>);
    impl Drop for Asks<'_> {
        fn drop(&mut self) {
            *self.0 = current()
                .and_then(|it| it.cancelled_by())
                .map(|it| it.reason);
        }
    }
    let (scope, mut seen) = (CancelScope::new(), None);
    let mut task = Task::new(scope.run(async {
        let _asks = Asks(&mut seen);
        pending::<()>().await;
    }));
    assert!(task.poll().is_pending());
    scope.cancel_with(CancelReason::PeerLost, None);
    assert!(is_ready(&task.poll()));
    drop(task);
    assert_eq!(seen, Some(CancelReason::PeerLost));
}

#[test]
fn a_task_scope_encloses_what_it_polls_and_nothing_encloses_it() {
    let (outer, task_scope) = (CancelScope::new(), CancelScope::new().timeout(LATE));
    let inner = CancelScope::new();
    let mut task = Task::new(inner.run(shield(pending::<()>())));
    assert!(task_scope.enter_poll(|| task.poll()).is_pending());
    assert_eq!(inner.deadline(), task_scope.deadline());
    let mut nested = Task::new(outer.run(task_scope.run(pending::<()>())));
    assert!(nested.poll().is_pending());
    outer.cancel();
    assert!(!task_scope.is_cancelled());
    task_scope.cancel();
    assert!(inner.is_cancelled() && task_scope.has_active_shield());
    drop(task);
    assert!(!task_scope.has_active_shield());
}

#[test]
fn checkpoint_yields_once_and_tells_of_the_cancel() {
    let mut outside = Task::new(checkpoint());
    assert!(outside.poll().is_pending());
    assert_eq!(outside.wakes(), 1);
    assert_eq!(outside.poll(), Poll::Ready(Ok(())));
    let scope = CancelScope::new();
    scope.cancel();
    let mut inside = Task::new(checkpoint());
    let expected = Poll::Ready(cancelled(CancelReason::ScopeCancelled));
    assert_eq!(scope.enter_poll(|| inside.poll()), expected);
}

#[test]
fn a_waiter_that_is_dropped_is_not_woken() {
    let scope = CancelScope::new();
    let mut dropped = Task::new(scope.cancelled());
    assert!(dropped.poll().is_pending());
    let wakes = dropped.wakes.clone();
    drop(dropped);
    let mut kept = Task::new(scope.cancelled());
    assert!(kept.poll().is_pending());
    scope.cancel();
    assert_eq!((wakes.0.load(Ordering::SeqCst), kept.wakes()), (0, 1));
    assert!(is_ready(&kept.poll()));
}

#[test]
fn many_cancels_at_once_leave_nothing_asleep() {
    for _ in 0..200 {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let threads =
            [outer.clone(), inner.clone()].map(|scope| std::thread::spawn(move || scope.cancel()));
        let nested = shield(inner.run(pending::<()>()));
        let ended = block_on(outer.run(nested));
        assert!(ended.is_err() || ended == Ok(Ok(cancelled(CancelReason::ScopeCancelled))));
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
