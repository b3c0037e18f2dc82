//! Errors tell what happened, where it began and who passed it on; they read well and come back
//! as the types they were.

use std::error::Error as _;
use std::fmt::{self, Display};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tractor::{Ending, Error, Portal, open_nursery};

use crate::spawning::who;
use crate::support::{Program, program};

/// An error that is serde, with a source that is not its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("no table `{name}`")]
    NoTable { name: String },
    #[error("the table is torn")]
    Torn(#[source] Torn),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("row {row} ends early")]
pub(crate) struct Torn {
    row: u32,
}

#[tractor::rpc]
pub(crate) async fn load(name: &str) -> Result<u32, LoadError> {
    match name {
        "prices" => Ok(7),
        "torn" => Err(LoadError::Torn(Torn { row: 3 })),
        _ => Err(LoadError::NoTable {
            name: name.to_owned(),
        }),
    }
}

/// The same in an actor so many levels below this one.
#[tractor::rpc]
pub(crate) async fn load_below(levels: u32, name: String) -> tractor::Result<u32> {
    open_nursery(async |nursery| {
        if levels == 1 {
            return nursery
                .run_in_actor("hop1", load(&name))
                .await?
                .result()
                .await;
        }
        let hop = format!("hop{levels}");
        nursery
            .run_in_actor(hop, load_below(levels - 1, name.clone()))
            .await?
            .result()
            .await
    })
    .await
}

#[tractor::rpc]
async fn read_missing() -> std::io::Result<String> {
    std::fs::read_to_string("/no/such/file")
}

#[tractor::rpc]
async fn say(text: String) -> Result<(), String> {
    Err(text)
}

#[tractor::rpc]
async fn anyhow_chain() -> anyhow::Result<()> {
    let torn = Torn { row: 9 };
    Err(torn)
        .context("read the table")
        .context("start the shop")
}

#[tractor::rpc]
async fn index_out_of_bounds(at: usize) -> u8 {
    [1, 2, 3][at]
}

#[tractor::rpc]
fn plain_panic() {
    panic!("plainly");
}

#[tractor::rpc]
async fn panic_with_a_number() {
    std::panic::panic_any(7);
}

/// That the texts stand in it in this order, each once.
pub(crate) fn check_text(error: &impl Display, parts: &[&str]) {
    let text = error.to_string();
    let mut rest = &text[..];
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            panic!("{part:?} is not where it should be in:\n{text}");
        };
        assert_eq!(
            text.matches(part).count(),
            1,
            "{part:?} is there twice:\n{text}"
        );
        rest = behind;
    }
}

async fn with_worker<T>(test: impl AsyncFnOnce(&Portal) -> tractor::Result<T>) {
    let result = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        test(&worker).await?;
        worker.cancel_actor().await
    });
    result.await.expect("nothing fails but what should");
}

#[tractor::test]
async fn a_failure_names_actor_function_type_message_and_causes() {
    with_worker(async |worker| {
        let error = worker.run(load("torn")).await.unwrap_err();
        assert_eq!(
            (error.origin(), error.origin_pid()),
            (worker.aid(), Some(worker.pid()))
        );
        assert_eq!(error.call(), Some("promises::errors::load"));
        assert!(error.relay_path().is_empty() && error.group().is_empty());
        let Ending::Failed(user) = error.ending() else {
            panic!("{error}")
        };
        assert!(
            user.type_name().ends_with("errors::LoadError"),
            "{}",
            user.type_name()
        );
        assert_eq!(
            (user.message(), user.debug()),
            ("the table is torn", "Torn(Torn { row: 3 })")
        );
        assert_eq!(user.chain(), ["row 3 ends early"]);
        let begin = format!(
            "actor 'worker' (pid {}) failed in promises::errors::load",
            worker.pid()
        );
        let parts = [
            &*begin,
            "LoadError: the table is torn",
            "caused by: row 3 ends early",
        ];
        check_text(&error, &parts);
        assert_eq!(format!("{error:?}"), error.to_string());
        Ok(())
    })
    .await;
}

#[tractor::test]
async fn an_error_that_is_serde_comes_back_as_what_it_was() {
    with_worker(async |worker| {
        let error = worker.run(load("gone")).await.unwrap_err();
        let gone = LoadError::NoTable {
            name: "gone".to_owned(),
        };
        assert_eq!(error.downcast_ref(), Some(&gone));
        assert_eq!(
            error.source().and_then(|source| source.downcast_ref()),
            Some(&gone)
        );
        assert_eq!(error.downcast_ref::<Torn>(), None);
        let torn = worker.run(load("torn")).await.unwrap_err();
        assert_eq!(
            torn.downcast_ref(),
            Some(&Torn { row: 3 }),
            "a source counts too"
        );

        assert_eq!(worker.run(load("prices")).nested().await?, Ok(7));
        assert_eq!(worker.run(load("gone")).nested().await?, Err(gone));
        Ok(())
    })
    .await;
}

#[tractor::test]
async fn what_is_not_the_functions_own_error_stays_outside_of_the_nested_result() {
    let result = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let exposed = ["promises::witness"];
        let narrow = nursery.start_actor("narrow").expose(exposed).await?;
        let refused = narrow.run(load("prices")).nested().await.unwrap_err();
        assert!(matches!(refused.ending(), Ending::Refused(_)), "{refused}");
        let below = worker
            .run(load_below(1, "gone".to_owned()))
            .await
            .unwrap_err();
        assert!(below.downcast_ref::<LoadError>().is_some());
        nursery.cancel();
        tractor::Ok(())
    });
    result.await.expect("nothing fails but what should");
}

#[tractor::test]
async fn errors_that_are_not_serde_come_back_as_text() {
    with_worker(async |worker| {
        let error = worker.run(read_missing()).await.unwrap_err();
        check_text(
            &error,
            &["'worker'", "read_missing: io::Error: No such file"],
        );
        assert!(error.downcast_ref::<std::io::Error>().is_none());

        let error = worker
            .run(say("a plain text".to_owned()))
            .await
            .unwrap_err();
        check_text(&error, &["'worker'", "a plain text"]);

        let error = worker.run(anyhow_chain()).await.unwrap_err();
        let parts = [
            "start the shop",
            "caused by: read the table",
            "caused by: row 9 ends early",
        ];
        check_text(&error, &parts);
        Ok(())
    })
    .await;
}

#[tractor::test]
async fn long_messages_are_cut_and_say_so() {
    with_worker(async |worker| {
        let error = worker.run(say("ä".repeat(8 << 20))).await.unwrap_err();
        let Ending::Failed(user) = error.ending() else {
            panic!()
        };
        assert!(
            user.message().len() < 1 << 20,
            "{} bytes",
            user.message().len()
        );
        assert!(user.message().ends_with("bytes more)"));
        assert_eq!(worker.run(load("prices")).await?, 7);
        Ok(())
    })
    .await;
}

#[tractor::test]
async fn a_panic_ends_the_call_and_not_the_actor() {
    with_worker(async |worker| {
        let error = worker.run(index_out_of_bounds(5)).await.unwrap_err();
        assert!(error.is_panic() && !error.is_death(), "{error}");
        let Ending::Panicked { message, location } = error.ending() else {
            panic!("{error}")
        };
        assert!(message.contains("len is 3 but the index is 5"), "{message}");
        let location = location.as_deref().expect("the hook has seen it");
        assert!(location.contains("tests/promises/errors.rs:"), "{location}");
        let begin = format!(
            "actor 'worker' (pid {}) panicked in promises::errors::",
            worker.pid()
        );
        check_text(
            &error,
            &[
                &begin,
                "index_out_of_bounds at ",
                "errors.rs:",
                "the index is 5",
            ],
        );

        let error = worker.run(plain_panic()).await.unwrap_err();
        check_text(
            &error,
            &["panicked in promises::errors::plain_panic", "plainly"],
        );
        let error = worker.run(panic_with_a_number()).await.unwrap_err();
        assert!(error.is_panic(), "{error}");
        assert_eq!(worker.run(who()).await?.pid, worker.pid());
        Ok(())
    })
    .await;
}

#[tractor::test]
async fn a_failure_from_three_hops_away_tells_its_way() {
    let error = load_below(3, "gone".to_owned()).await.unwrap_err();
    assert_eq!(
        (error.origin().name(), error.call()),
        ("hop1", Some("promises::errors::load"))
    );
    let relays: Vec<_> = error.relay_path().iter().map(|aid| aid.name()).collect();
    assert_eq!(relays, ["hop2", "hop3"]);
    let gone = LoadError::NoTable {
        name: "gone".to_owned(),
    };
    assert_eq!(error.downcast_ref(), Some(&gone));
    check_text(
        &error,
        &["'hop1'", "no table `gone`", "relayed by 'hop2', 'hop3'"],
    );
}

/// An error of the user's own that takes up those of the runtime.
#[derive(Debug, thiserror::Error)]
enum Shop {
    #[error("the shop does not open")]
    Tractor(#[from] Error),
    #[error("nobody comes")]
    Empty,
}

#[tractor::test]
async fn one_conversion_covers_every_call() {
    async fn open() -> Result<(), Shop> {
        open_nursery(async |nursery| {
            let worker = nursery.start_actor("worker").await?;
            match worker.run(load("prices")).await? {
                7 => worker.run(load("gone")).await?,
                _ => return Err(Shop::Empty),
            };
            Ok(())
        })
        .await
    }
    let Err(Shop::Tractor(error)) = open().await else {
        panic!("it does not open")
    };
    assert!(error.downcast_ref::<LoadError>().is_some());
}

#[tractor::test]
async fn anyhow_shows_everything_once() {
    let error = load_below(1, "torn".to_owned())
        .await
        .context("open the shop")
        .unwrap_err();
    struct Alternate<'a>(&'a anyhow::Error);
    impl Display for Alternate<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:#}", self.0)
        }
    }
    check_text(
        &Alternate(&error),
        &["open the shop", "'hop1'", "LoadError"],
    );
    let debug = format!("{error:?}");
    check_text(&debug, &["open the shop", "'hop1'", "LoadError"]);
    let kept = error.downcast_ref::<Error>().expect("it is whole");
    assert!(kept.downcast_ref::<Torn>().is_some());
}

#[test]
fn main_prints_the_report_and_exits_with_1() {
    let mut command = program("programs");
    command.arg("fails");
    let ended = Program::start(command).end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    let report = "failed in programs::failing::load: LoadError: no table `prices`";
    check_text(
        &ended.output,
        &["Error: actor 'loader' (pid ", report, "caused by: no disk"],
    );
}
