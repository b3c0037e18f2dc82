//! How a context ended: what its handle says, who is named as its canceller, and whose error type
//! comes out.

use std::future::pending;

use serde::{Deserialize, Serialize};
use tractor::{Context, Ending, Error, Portal, find_actor, open_nursery};

use crate::witness::{note, tell, wait_for};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("no room {number}")]
struct NoRoom {
    number: u32,
}

#[tractor::context]
async fn ends(ctx: Context<u8, u8, u8>, how: String) -> Result<u32, NoRoom> {
    ctx.started(1).expect("it is the first time");
    note("started");
    wait_for("may end").await;
    match &*how {
        "returns" => Ok(7),
        "fails" => Err(NoRoom { number: 7 }),
        "panics" => panic!("no room"),
        _ => pending().await,
    }
}

fn canceller(error: &Error) -> Option<&str> {
    match error.ending() {
        Ending::Cancelled { by, .. } => by.as_ref().map(|by| by.name()),
        _ => None,
    }
}

/// B10: before the end the handle says that there is none, afterwards the same as often as it is
/// asked.
#[tractor::test]
async fn the_handle_tells_how_the_function_ended() -> tractor::Result<()> {
    for how in ["returns", "fails", "panics", "is cancelled"] {
        open_nursery(async |nursery| {
            let actor = nursery.start_actor("room").await?;
            let asks = how == "is cancelled";
            let ended: tractor::Result<()> = actor
                .open_context(ends(how.into()), async |ctx, first| {
                    assert_eq!(first, 1);
                    assert_eq!(ctx.callee().name(), "room");
                    assert!(!ctx.is_over() && !ctx.is_cancel_called());
                    // What ends it otherwise would end the block before it has looked.
                    let looked = tractor::shield(async {
                        if asks {
                            ctx.cancel();
                            ctx.cancel();
                        } else {
                            actor.run(tell("may end")).await?;
                        }
                        let (once, again) = (ctx.result().await, ctx.result().await);
                        assert!(ctx.is_over());
                        assert_eq!(ctx.is_cancel_called(), asks);
                        assert_eq!(format!("{once:?}"), format!("{again:?}"));
                        match how {
                            "returns" => assert_eq!(once?, 7),
                            "fails" => {
                                let error = once.expect_err("it fails");
                                assert_eq!(error.downcast_ref(), Some(&NoRoom { number: 7 }));
                                assert_eq!(canceller(&error), None);
                            }
                            "panics" => assert!(once.expect_err("it panics").is_panic()),
                            _ => {
                                let error = once.expect_err("it is cancelled");
                                assert_eq!(canceller(&error), Some("root"));
                            }
                        }
                        tractor::Ok(())
                    });
                    looked.await.expect("nobody cancels the shield")
                })
                .await;
            match how {
                // The block has ended well, and the function has not.
                "fails" => {
                    let error = ended.expect_err("it fails");
                    assert_eq!(error.downcast_ref(), Some(&NoRoom { number: 7 }));
                    assert_eq!(error.origin().name(), "room");
                }
                "panics" => assert!(ended.expect_err("it panics").is_panic()),
                _ => ended?,
            }
            nursery.cancel();
            tractor::Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tractor::rpc]
async fn cancel_by_name(name: String) -> tractor::Result<()> {
    let found = find_actor(&name).await?.expect("it is there");
    found.cancel_actor().await
}

/// Holds a context with the actor, tells when it stands, and gives what it was told of its end:
/// who cancelled it.
#[tractor::rpc]
async fn hold_context(service: Portal) -> tractor::Result<String> {
    let ended: tractor::Result<()> = service
        .open_context(ends("stays".into()), async |_, _| {
            note("it stands");
            pending().await
        })
        .await;
    let error = ended.expect_err("it has no other end");
    Ok(canceller(&error).map_or_else(|| error.to_string(), str::to_owned))
}

/// B11: an actor is cancelled by one of its peers. Everybody who holds a context with it is told
/// who that was: its parent, with several, and others over links of their own.
#[tractor::test]
async fn every_holder_of_a_context_is_told_the_true_canceller() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let service = nursery.start_actor("service").await?;
        let canceller = nursery.start_actor("canceller").await?;
        let mut holders = Vec::new();
        for name in ["first", "second"] {
            let holder = nursery.start_actor(name).await?;
            let told = async_std::task::spawn(holder.run(hold_context(service.clone())));
            holder.run(wait_for("it stands")).await?;
            holders.push(told);
        }
        let ours: Vec<_> = (0..2)
            .map(|_| async_std::task::spawn(hold_context(service.clone())))
            .collect();
        service
            .run(crate::witness::wait_for_times("started", 4))
            .await?;
        canceller.run(cancel_by_name("service".into())).await?;
        for told in holders {
            assert_eq!(told.await?, "canceller");
        }
        for told in ours {
            assert_eq!(told.await?, "canceller");
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}
