//! A function that returns `tractor::Error` takes any other error up by `Error::other`.

use std::future::pending;
use std::time::Duration;
use std::{fs, io};

use tractor::{
    CANCEL_WITHIN, CancelReason, DAEMON_NOTICE_AFTER, Ending, Error, open_nursery, runtime_var,
    timeout,
};

#[tractor::rpc]
async fn run_out_of_time() -> tractor::Result<()> {
    let never = timeout(Duration::from_millis(1), pending::<()>());
    never.await.map_err(Error::other)
}

#[tractor::rpc]
async fn mistake_a_var() -> tractor::Result<()> {
    let limit: Option<u32> = runtime_var("limit").map_err(Error::other)?;
    unreachable!("{limit:?} is a text");
}

#[tractor::rpc]
async fn read_nothing() -> tractor::Result<usize> {
    let text = fs::read("/no/such/file").map_err(Error::other)?;
    Ok(text.len())
}

/// Takes up what is taken up already.
#[tractor::rpc]
async fn read_nothing_below() -> tractor::Result<usize> {
    open_nursery(async |nursery| {
        let below = nursery.run_in_actor("below", read_nothing()).await?;
        below.result().await.map_err(Error::other)
    })
    .await
}

#[tractor::test]
async fn each_is_told_as_what_it_was_and_where() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.start_actor("worker").var("limit", "none");
        let worker = start.await?;
        let late = worker.run(run_out_of_time()).await.unwrap_err();
        let mistaken = worker.run(mistake_a_var()).await.unwrap_err();
        let unread = worker.run(read_nothing()).await.unwrap_err();
        for (error, function) in [
            (&late, "run_out_of_time"),
            (&mistaken, "mistake_a_var"),
            (&unread, "read_nothing"),
        ] {
            assert_eq!(error.origin().name(), "worker", "{error}");
            assert_eq!(error.origin_pid(), Some(worker.pid()), "{error}");
            let path = format!("promises::taken_up::{function}");
            assert_eq!(error.call(), Some(&*path), "{error}");
        }
        let Ending::Cancelled { reason, .. } = late.ending() else {
            panic!("{late}")
        };
        assert_eq!(*reason, CancelReason::Deadline);
        assert!(late.is_cancelled());
        let text = mistaken.to_string();
        assert!(
            text.contains("VarError: read runtime var `limit`"),
            "{text}"
        );
        let text = unread.to_string();
        assert!(
            text.contains("io::Error: No such file or directory"),
            "{text}"
        );
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn an_error_of_the_runtimes_stays_itself() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let unread = middle.run(read_nothing_below()).await.unwrap_err();
        assert_eq!(unread.origin().name(), "below");
        assert_eq!(unread.call(), Some("promises::taken_up::read_nothing"));
        let path: Vec<_> = unread.relay_path().iter().map(|it| it.name()).collect();
        assert_eq!(path, ["middle"], "{unread}");
        middle.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn in_its_own_process_it_is_given_back() {
    let read: tractor::Result<Vec<u8>> =
        open_nursery(async |_| fs::read("/no/such/file").map_err(Error::other)).await;
    let error = read.unwrap_err();
    assert_eq!(error.origin().name(), "root");
    let file: &io::Error = error.downcast_ref().expect("it is held");
    assert_eq!(file.kind(), io::ErrorKind::NotFound);
}

/// What the documentation speaks of by name.
#[test]
fn times_that_users_meet_have_names() {
    assert_eq!(CANCEL_WITHIN, Duration::from_secs(4));
    assert_eq!(DAEMON_NOTICE_AFTER, Duration::from_secs(5));
}
