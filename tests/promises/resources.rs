//! A resource that tasks of one actor share is opened once and closed once, also by a cancel.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::try_join_all;
use tractor::{Access, Offer, OnExit, maybe_open_context, open_nursery_with};

use crate::witness::{events, note, tell, wait_for, wait_for_times};

/// How many connections this actor has opened.
static OPENED: AtomicU32 = AtomicU32::new(0);

async fn keep_connection(offer: Offer<u32>) -> tractor::Result<()> {
    let number = OPENED.fetch_add(1, Ordering::SeqCst);
    note("opened");
    offer.serve(number).await;
    note("closed");
    Ok(())
}

/// Uses the actor's connection until the gate opens.
#[tractor::rpc]
async fn use_connection(gate: String) -> tractor::Result<(u32, bool)> {
    maybe_open_context(
        "db",
        |offer| async { Ok(keep_connection(offer).await?) },
        async |number: &u32, access: Access| {
            note("in");
            wait_for(&gate).await;
            tractor::Ok((*number, access.is_shared()))
        },
    )
    .await
}

#[tractor::test]
async fn calls_at_once_share_one_connection_and_later_ones_get_another() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let actor = nursery.start_actor("user").await?;
        let calls = try_join_all((0..3).map(|_| actor.run(use_connection("go".into()))));
        let open_gate = async {
            actor.run(wait_for_times("in", 3)).await?;
            actor.run(tell("go")).await
        };
        let (mut used, ()) = futures::future::try_join(calls, open_gate).await?;
        used.sort_unstable();
        assert_eq!(used, [(0, false), (0, true), (0, true)]);
        let later = actor.run(use_connection("go".into())).await?;
        assert_eq!(later, (1, false));
        let told = [
            "opened", "in", "in", "in", "go", "closed", "opened", "in", "closed",
        ];
        assert_eq!(actor.run(events()).await?, told);
        Ok(())
    })
    .await
}

/// Uses a connection whose closing is told to the root.
#[tractor::rpc]
async fn close_tells(root: tractor::Portal) -> tractor::Result<()> {
    maybe_open_context(
        "told",
        |offer: Offer<()>| async move {
            offer.serve(()).await;
            root.run(tell("closed behind the cancel")).await?;
            Ok(())
        },
        async |(): &(), _| {
            note("in");
            std::future::pending::<tractor::Result<()>>().await
        },
    )
    .await
}

#[tractor::test]
async fn a_cancelled_actor_closes_its_connection_before_it_ends() -> tractor::Result<()> {
    let root = tractor::get_root().await?;
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let actor = nursery.start_actor("user").await?;
        let call = actor.run(close_tells(root));
        let cancel = async {
            actor.run(wait_for("in")).await?;
            actor.cancel_actor().await
        };
        let (called, cancelled) = futures::future::join(call, cancel).await;
        let error = called.expect_err("it was cancelled");
        assert!(error.is_cancelled(), "{error}");
        cancelled
    })
    .await?;
    assert_eq!(events().await, ["closed behind the cancel"]);
    Ok(())
}
