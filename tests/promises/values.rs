//! What one holds of an actor is a value: whoever receives it talks with that actor directly.

use tractor::{Liveness, OnExit, Portal, get_root, open_nursery, open_nursery_with};

use crate::spawning::{Who, who};
use crate::witness::hold;

/// Who answers at the other end of a portal.
#[tractor::rpc]
pub(crate) async fn ask(portal: Portal) -> tractor::Result<Who> {
    portal.run(who()).await
}

#[tractor::rpc]
async fn pass_back(portal: Portal) -> Portal {
    portal
}

/// With how many actors this one is linked.
#[tractor::rpc]
fn linked_with(name: &str) -> tractor::Result<usize> {
    let statistics = tractor::current_actor()?.statistics();
    let links = statistics.links.iter();
    Ok(links.filter(|link| link.peer.name() == name).count())
}

#[tractor::test]
async fn a_portal_that_was_sent_leads_to_its_actor_directly() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let asked = nursery.start_actor("asked").await?;
        let asker = nursery.start_actor("asker").await?;
        assert_eq!(asker.run(linked_with("asked")).await?, 0);
        for _ in 0..3 {
            let found = asker.run(ask(asked.clone())).await?;
            assert_eq!(found.pid, asked.pid());
        }
        let own = asker.run(ask(asker.clone())).await?;
        assert_eq!(own.pid, asker.pid(), "a portal may lead to who receives it");
        let root = asker.run(ask(get_root().await?)).await?;
        assert_eq!(root.pid, std::process::id());
        let back = asker.run(pass_back(asked.clone())).await?;
        assert_eq!(back.run(linked_with("root")).await?, 1, "over the old link");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_link_that_a_sent_portal_made_lives_as_long_as_its_portals() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn hold_at(portal: Portal) -> tractor::Result<()> {
        portal.run(hold("call")).await
    }
    open_nursery(async |nursery| {
        let asked = nursery.start_actor("asked").await?;
        let asker = nursery.start_actor("asker").await?;
        let call = asker.run(hold_at(asked.clone()));
        let begun = asked.run(crate::witness::wait_for("call begins"));
        futures::future::select(std::pin::pin!(call), std::pin::pin!(begun)).await;
        // The call was dropped with the select, and with it the portal that it was given.
        asked.run(crate::witness::wait_for("call dropped")).await?;
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_portal_of_an_actor_that_has_ended_says_so_when_it_is_used() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn use_all_ways(portal: Portal) -> tractor::Result<bool> {
        let error = portal.run(who()).await.expect_err("nobody is there");
        assert!(error.to_string().contains("'ended'"), "{error}");
        portal.cancel_actor().await?;
        Ok(portal.probe(std::time::Duration::MAX).await == Liveness::Gone)
    }
    let ended = open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        nursery.start_actor("ended").await
    })
    .await?;
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        assert!(asker.run(use_all_ways(ended)).await?);
        nursery.cancel();
        Ok(())
    })
    .await
}
