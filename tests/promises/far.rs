//! A far actor connects back over the network, and is like any other from then on; nothing of it
//! or below it is reached by a path.

use futures::stream::{Stream, iter};
use tractor::{
    Address, Context, Portal, Transport, current_actor, find_actor, get_root, open_nursery,
    open_worker_pool, runtime_var, wait_for_actor,
};

use crate::spawning::{Who, who};
use crate::support::{Program, program};
use crate::values::ask;

/// Where an actor listens, where it finds the root, and what its variables say of that.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Addresses {
    own: Option<Address>,
    root: Option<Address>,
    told: Option<Address>,
    registrar: Option<Address>,
}

#[tractor::rpc]
async fn addresses() -> tractor::Result<Addresses> {
    let var = |key| runtime_var(key).expect("the runtime has set it");
    Ok(Addresses {
        own: current_actor()?.address(),
        root: get_root().await?.contact().address.clone(),
        told: var("tractor.root_address"),
        registrar: var("tractor.registrar"),
    })
}

/// That all of it is TCP, of the loopback interface.
fn assert_far(addresses: &Addresses) {
    let Addresses {
        own,
        root,
        told,
        registrar,
    } = addresses;
    for address in [own, root, told, registrar] {
        let Some(Address::Tcp(address)) = address else {
            panic!("{addresses:?}")
        };
        assert!(
            address.ip().is_loopback() && address.port() != 0,
            "{addresses:?}"
        );
    }
    assert!(root == told && root == registrar, "{addresses:?}");
}

#[tractor::rpc]
fn count_to(n: u64) -> impl Stream<Item = u64> {
    iter(0..n)
}

#[tractor::context]
async fn doubling(ctx: Context<(), u64, u64>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    while let Some(n) = numbers.recv().await? {
        out.send(2 * n).await?;
    }
    Ok(())
}

#[tractor::rpc]
async fn answer_with(bytes: usize) -> tractor::Bytes {
    vec![7; bytes].into()
}

/// Finds an actor and asks it.
#[tractor::rpc]
async fn find_and_ask(name: &str) -> tractor::Result<Who> {
    let found = find_actor(name).await?.expect("it is ready");
    found.run(who()).await
}

/// Starts a near actor below this one, has it say where it is and whom it finds.
#[tractor::rpc]
async fn below(finds: &str) -> tractor::Result<(Addresses, Who, Who)> {
    open_nursery(async |nursery| {
        let below = nursery.start_actor("below").await?;
        let seen = below.run(addresses()).await?;
        let found = below.run(find_and_ask(finds)).await?;
        let root = below.run(root_seen()).await?;
        below.cancel_actor().await?;
        Ok((seen, found, root))
    })
    .await
}

#[tractor::rpc]
async fn root_seen() -> tractor::Result<Who> {
    get_root().await?.run(who()).await
}

/// Starts a far actor below this one, and gives where that is.
#[tractor::rpc]
async fn far_below() -> tractor::Result<(Addresses, Who)> {
    open_nursery(async |nursery| {
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        let seen = far.run(addresses()).await?;
        let root = far.run(root_seen()).await?;
        far.cancel_actor().await?;
        Ok((seen, root))
    })
    .await
}

#[tractor::test]
async fn a_far_actor_serves_calls_streams_and_contexts() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        let seen = far.run(who()).await?;
        assert_eq!(
            (seen.name.as_str(), seen.pid, seen.depth),
            ("far", far.pid(), 1)
        );
        assert_far(&far.run(addresses()).await?);
        assert_eq!(far.contact().address, far.run(addresses()).await?.own);
        let mut numbers = far.open_stream(count_to(10_000)).await?;
        for n in 0..10_000 {
            assert_eq!(numbers.recv().await?, Some(n));
        }
        assert_eq!(numbers.recv().await?, None);
        far.open_context(doubling(), async |ctx, ()| {
            let (mut out, mut back) = ctx.open_stream()?;
            for n in 0..100 {
                out.send(n).await?;
                assert_eq!(back.recv().await?, Some(2 * n));
            }
            out.close();
            ctx.result().await
        })
        .await?;
        far.cancel_actor().await
    })
    .await
}

/// It is far more than the kernel keeps for a link.
#[tractor::test]
async fn a_large_answer_of_a_far_one_shot_arrives_whole() -> tractor::Result<()> {
    const BYTES: usize = 32 << 20;
    open_nursery(async |nursery| {
        for _ in 0..3 {
            let once = nursery.run_in_actor("once", answer_with(BYTES));
            let once = once.transport(Transport::LoopbackTcp).await?;
            assert_eq!(once.result().await?.len(), BYTES);
        }
        Ok(())
    })
    .await
}

#[tractor::test]
async fn what_is_below_a_far_actor_is_reached_over_the_network_too() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let near = nursery.start_actor("near").await?;
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        let (seen, found, root) = far.run(below("far")).await?;
        assert_far(&seen);
        assert_eq!((found.pid, root.pid), (far.pid(), std::process::id()));
        // Who stands beside it keeps its place, and they find each other.
        let beside = near.run(addresses()).await?;
        assert!(matches!(beside.own, Some(Address::Unix(_))), "{beside:?}");
        assert!(matches!(beside.root, Some(Address::Unix(_))), "{beside:?}");
        assert_eq!(near.run(find_and_ask("far")).await?.pid, far.pid());
        assert_eq!(far.run(find_and_ask("near")).await?.pid, near.pid());
        assert_eq!(wait_for_actor("far").await?.pid(), far.pid());
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_portal_leads_to_a_far_actor_and_from_it() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let near = nursery.start_actor("near").await?;
        let far: Vec<Portal> = vec![
            nursery
                .start_actor("a")
                .transport(Transport::LoopbackTcp)
                .await?,
            nursery
                .start_actor("b")
                .transport(Transport::LoopbackTcp)
                .await?,
        ];
        assert_eq!(near.run(ask(far[0].clone())).await?.pid, far[0].pid());
        assert_eq!(far[0].run(ask(near.clone())).await?.pid, near.pid());
        assert_eq!(far[0].run(ask(far[1].clone())).await?.pid, far[1].pid());
        nursery.cancel();
        Ok(())
    })
    .await
}

/// The root begins to listen for the first of them, wherever it is started, and once.
#[tractor::test]
async fn an_actor_below_the_root_starts_far_actors() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let near = nursery.start_actor("near").await?;
        let other = nursery.start_actor("other").await?;
        let calls = (near.run(far_below()), other.run(far_below()));
        let (first, second) = futures::join!(calls.0, calls.1);
        let ((first, root), (second, _)) = (first?, second?);
        assert_far(&first);
        assert_far(&second);
        assert_eq!((&first.root, root.pid), (&second.root, std::process::id()));
        // A far one may start far ones too.
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        let (below, _) = far.run(far_below()).await?;
        assert_far(&below);
        assert_eq!(below.root, first.root);
        nursery.cancel();
        Ok(())
    })
    .await
}

/// Workers of a pool below a far actor are near to it.
#[tractor::test]
async fn a_pool_below_a_far_actor_works() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn square(n: u64) -> u64 {
        n * n
    }
    #[tractor::rpc]
    async fn sum_of_squares(n: u64) -> tractor::Result<u64> {
        open_worker_pool(2, async |pool| {
            let (mut squares, mut sum) = (pool.map(square, 0..n), 0);
            while let Some(square) = squares.next().await {
                sum += square?;
            }
            Ok(sum)
        })
        .await
    }
    open_nursery(async |nursery| {
        let once = nursery.run_in_actor("far", sum_of_squares(10));
        let once = once.transport(Transport::LoopbackTcp).await?;
        assert_eq!(once.result().await?, 285);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn the_failure_of_a_far_actor_is_told_as_any_other() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn fail() -> Result<(), String> {
        Err("it rains".to_owned())
    }
    let ended = open_nursery(async |nursery| {
        let once = nursery.run_in_actor("far", fail());
        once.transport(Transport::LoopbackTcp).await?.result().await
    })
    .await;
    let error = ended.expect_err("it fails");
    assert_eq!(error.origin().name(), "far");
    assert!(error.to_string().contains("it rains"), "{error}");
    Ok(())
}

/// Where there is no place for sockets a far actor can be reached all the same.
#[test]
fn without_a_place_far_actors_find_the_root() {
    let mut command = program("programs");
    command.arg("placeless");
    let ended = Program::start(command).end();
    assert!(ended.status.success(), "{}", ended.output);
    assert!(
        ended.output.contains("the root was found"),
        "{}",
        ended.output
    );
}
