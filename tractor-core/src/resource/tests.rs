//! What users of one key see, in one process: each test has keys of its own type.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::thread;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{join, join_all, join3};

use super::*;

/// Lets everybody else of its thread run for a while, at several places.
async fn yields(times: usize) {
    for _ in 0..times {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// What a keeper does, one after the other.
#[derive(Default)]
struct Diary(Mutex<Vec<&'static str>>);

impl Diary {
    fn note(&self, what: &'static str) {
        self.lines().push(what);
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(diary: &'static Diary, offer: Offer<u8>) -> Result<(), BoxedError> {
    diary.note("opens");
    yields(3).await;
    let _ = offer.serve(7).await;
    diary.note("closes");
    yields(3).await;
    diary.note("closed");
    Ok(())
}

#[test]
fn users_at_once_share_what_the_first_opens_and_the_last_sees_closed() {
    static DIARY: Diary = Diary(Mutex::new(Vec::new()));
    static USERS: AtomicUsize = AtomicUsize::new(0);
    let user = |_| {
        maybe_open_context(
            "shared",
            |offer| keep(&DIARY, offer),
            async |resource: &u8, access| {
                DIARY.note("uses");
                USERS.fetch_add(1, Ordering::SeqCst);
                while USERS.load(Ordering::SeqCst) < 3 {
                    yields(1).await;
                }
                Ok::<_, Error>((*resource, access.is_shared()))
            },
        )
    };
    let results: Vec<_> = block_on(join_all((1..=3).map(user)))
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(results, [(7, false), (7, true), (7, true)]);
    assert_eq!(
        *DIARY.lines(),
        ["opens", "uses", "uses", "uses", "closes", "closed"]
    );
}

/// T27: who comes while it is being closed gets a fresh one, opened after that.
#[test]
fn who_comes_while_it_is_closed_waits_and_opens_it_anew() {
    static DIARY: Diary = Diary(Mutex::new(Vec::new()));
    let first = maybe_open_context(
        "reopened",
        |offer| keep(&DIARY, offer),
        async |_: &u8, _| Ok::<_, Error>(()),
    );
    let second = async {
        while !DIARY.lines().contains(&"closes") {
            yields(1).await;
        }
        maybe_open_context(
            "reopened",
            |offer| keep(&DIARY, offer),
            async |_: &u8, access| Ok::<_, Error>(access),
        )
        .await
    };
    let (first, second) = block_on(join(first, second));
    first.unwrap();
    assert_eq!(second.unwrap(), Access::Opened);
    let once = ["opens", "closes", "closed"];
    assert_eq!(*DIARY.lines(), [once, once].concat());
}

#[test]
fn an_opening_that_fails_is_told_to_all_who_wait_and_frees_the_key() {
    static OPENED: AtomicUsize = AtomicUsize::new(0);
    static BOTH_WAIT: AtomicBool = AtomicBool::new(false);
    let user = || {
        maybe_open_context(
            "broken",
            |_: Offer<u8>| async {
                OPENED.fetch_add(1, Ordering::SeqCst);
                while !BOTH_WAIT.load(Ordering::SeqCst) {
                    yields(1).await;
                }
                Err(io::Error::from(io::ErrorKind::AddrInUse).into())
            },
            async |_, _| Ok::<_, Error>(()),
        )
    };
    // Polled behind the users, so when both have come.
    let both_wait = async { BOTH_WAIT.store(true, Ordering::SeqCst) };
    let (a, b, ()) = block_on(join3(user(), user(), both_wait));
    for error in [a.unwrap_err(), b.unwrap_err()] {
        let cause = error.downcast_ref::<io::Error>().expect("it is kept");
        assert_eq!(cause.kind(), io::ErrorKind::AddrInUse);
    }
    assert_eq!(OPENED.load(Ordering::SeqCst), 1);
    block_on(user()).expect_err("it is opened anew, and fails again");
    assert_eq!(OPENED.load(Ordering::SeqCst), 2);
}

#[test]
fn an_opener_that_panics_or_offers_nothing_is_an_error() {
    let panicked = block_on(maybe_open_context(
        "panics",
        |_: Offer<u8>| async { panic!("no connection") },
        async |_, _| Ok::<_, Error>(()),
    ));
    let panicked = panicked.unwrap_err();
    assert!(panicked.is_panic(), "{panicked}");
    assert!(panicked.to_string().contains("no connection"), "{panicked}");
    let nothing = block_on(maybe_open_context(
        "offers nothing",
        |offer: Offer<u8>| async move {
            drop(offer);
            Ok(())
        },
        async |_, _| Ok::<_, Error>(()),
    ));
    let nothing = nothing.unwrap_err().to_string();
    assert!(nothing.contains("without offering"), "{nothing}");
}

#[test]
fn the_last_user_receives_the_error_of_the_closing() {
    let closing = |offer: Offer<u8>| async {
        let _ = offer.serve(7).await;
        Err("the disk is full".into())
    };
    let (last_came, last_is_in) = oneshot::channel::<()>();
    let (first_left, first_is_out) = oneshot::channel::<()>();
    let first = maybe_open_context("fails to close", closing, async |_: &u8, _| {
        let _ = last_is_in.await;
        Ok::<_, Error>(())
    })
    .map(|result| {
        drop(first_left);
        result
    });
    let last = maybe_open_context("fails to close", closing, async |_: &u8, _| {
        drop(last_came);
        let _ = first_is_out.await;
        Ok::<_, Error>(())
    });
    let (first, last) = block_on(join(first, last));
    first.unwrap();
    let error = last.unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
}

#[test]
fn a_user_that_is_dropped_leaves_and_the_key_is_free_again() {
    static DIARY: Diary = Diary(Mutex::new(Vec::new()));
    {
        let user = maybe_open_context(
            "dropped",
            |offer| keep(&DIARY, offer),
            async |_: &u8, _| {
                DIARY.note("uses");
                std::future::pending::<Result<(), Error>>().await
            },
        );
        let mut user = pin!(user);
        block_on(poll_fn(|cx| {
            assert!(user.as_mut().poll(cx).is_pending());
            if DIARY.lines().contains(&"uses") {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
    }
    let next = maybe_open_context(
        "dropped",
        |offer| keep(&DIARY, offer),
        async |_: &u8, access| Ok::<_, Error>(access),
    );
    assert_eq!(block_on(next).unwrap(), Access::Opened);
    let once = ["opens", "uses", "closes", "closed"];
    let again = ["opens", "closes", "closed"];
    assert_eq!(*DIARY.lines(), [&once[..], &again[..]].concat());
}

/// Threads that come, use, fail and are dropped as they like: there is one resource at most at
/// any time, and in the end there is none.
#[test]
fn many_threads_never_see_two_resources_of_one_key() {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static OPENINGS: AtomicUsize = AtomicUsize::new(0);
    let keeper = |offer: Offer<usize>| async {
        assert_eq!(OPEN.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
        let number = OPENINGS.fetch_add(1, Ordering::SeqCst);
        yields(number % 3).await;
        let number = offer.serve(number).await;
        yields(number % 4).await;
        assert_eq!(OPEN.fetch_sub(1, Ordering::SeqCst), 1);
        Ok(())
    };
    let user = async |turn: usize| {
        let body = async |_: &usize, _: Access| {
            assert_eq!(OPEN.load(Ordering::SeqCst), 1);
            yields(turn % 5).await;
            Ok::<_, Error>(())
        };
        let mut used = pin!(maybe_open_context("raced", keeper, body));
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            // Every seventh is dropped wherever it is by then.
            if turn.is_multiple_of(7) && polls > turn % 9 {
                return Poll::Ready(Ok(()));
            }
            used.as_mut().poll(cx)
        })
        .await
    };
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for turn in 0..500 {
                    block_on(user(turn + worker)).unwrap();
                }
            });
        }
    });
    block_on(keepers_ended());
    assert_eq!(OPEN.load(Ordering::SeqCst), 0);
}
