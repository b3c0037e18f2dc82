//! Runtime vars go down the tree and are read by type; a child may be given others.

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tractor::{Address, Ending, open_nursery, runtime_var};

use crate::errors::check_text;
use crate::support::{Program, program};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Limits {
    rows: u32,
    tables: Vec<String>,
}

fn limits(rows: u32) -> Limits {
    Limits {
        rows,
        tables: vec!["prices".to_owned()],
    }
}

fn var<T: serde::de::DeserializeOwned>(key: &str) -> Option<T> {
    runtime_var(key).expect("it is of this type")
}

#[tractor::rpc]
async fn seen_limits() -> Option<Limits> {
    var("limits")
}

/// What an actor reads that is started below this one, with or without a value of its own.
#[tractor::rpc]
async fn seen_below(own: Option<Limits>) -> tractor::Result<Option<Limits>> {
    open_nursery(async |nursery| {
        let below = nursery.run_in_actor("below", seen_limits());
        let below = match &own {
            Some(own) => below.var("limits", own),
            None => below,
        };
        below.await?.result().await
    })
    .await
}

/// The runtime's own: debug mode, whether it is the root, and where root and registrar listen.
#[tractor::rpc]
async fn own_vars() -> (Option<bool>, Option<bool>, Option<Address>, Option<Address>) {
    (
        var("tractor.debug_mode"),
        var("tractor.is_root"),
        var("tractor.root_address"),
        var("tractor.registrar"),
    )
}

#[tractor::rpc]
async fn wrong_type() -> Result<Option<String>, tractor::VarError> {
    runtime_var("limits")
}

#[tractor::test]
async fn a_childs_vars_are_its_own_and_those_of_everybody_below() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let bare = nursery.start_actor("bare").await?;
        let given = nursery
            .start_actor("given")
            .var("limits", &limits(7))
            .await?;
        assert_eq!(bare.run(seen_limits()).await?, None);
        assert_eq!(given.run(seen_limits()).await?, Some(limits(7)));
        assert_eq!(given.run(seen_below(None)).await?, Some(limits(7)));
        assert_eq!(
            given.run(seen_below(Some(limits(8)))).await?,
            Some(limits(8))
        );
        assert_eq!(
            given.run(seen_limits()).await?,
            Some(limits(7)),
            "its own stay"
        );
        assert_eq!(var::<Limits>("limits"), None);
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn another_type_is_an_error_that_names_key_and_types() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let given = nursery
            .start_actor("given")
            .var("limits", &limits(7))
            .await?;
        let error = given.run(wrong_type()).await.unwrap_err();
        check_text(&error, &["'given'", "`limits`", "String", "vars::Limits"]);
        given.cancel_actor().await
    })
    .await
}

#[tractor::test(debug_mode)]
async fn the_runtimes_own_vars_can_be_read_everywhere() -> tractor::Result<()> {
    let (debug, is_root, root_address, registrar) = own_vars().await;
    assert_eq!((debug, is_root), (Some(true), Some(true)));
    assert!(root_address.is_some() && root_address == registrar);
    open_nursery(async |nursery| {
        let same = nursery.run_in_actor("same", own_vars()).await?;
        let off = nursery
            .run_in_actor("off", own_vars())
            .debug_mode(false)
            .await?;
        let seen = try_join_all([same.result(), off.result()]).await?;
        let there = |debug| {
            (
                Some(debug),
                Some(false),
                root_address.clone(),
                root_address.clone(),
            )
        };
        assert_eq!(seen, [there(true), there(false)]);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn names_of_the_runtime_cannot_be_given() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let refused = nursery
            .start_actor("x")
            .var("tractor.is_root", &true)
            .await
            .unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::NotSpawned { .. }),
            "{refused}"
        );
        check_text(&refused, &["`tractor.is_root`"]);
        Ok(())
    })
    .await
}

#[test]
fn what_the_options_give_is_read_in_the_whole_tree() {
    let mut command = program("programs");
    command.arg("vars");
    let ended = Program::start(command).end();
    assert!(ended.status.success(), "{}", ended.output);
    assert!(
        ended.output.contains("root reads 7, below reads 7"),
        "{}",
        ended.output
    );
}
