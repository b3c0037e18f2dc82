//! Deaths tell what became of the process and which calls were lost with it.

use tractor::{CancelReason, Ending, Error, open_nursery};
use tractor_core::process::Signal;

use crate::errors::check_text;
use crate::spawning::who;
use crate::support::{Program, program, signal};

#[tractor::rpc]
pub(crate) async fn kill_oneself() {
    die();
    std::future::pending::<()>().await;
}

/// Has this process killed by SIGKILL.
pub(crate) fn die() {
    signal(std::process::id(), Signal::Kill);
}

/// What a nursery fails with whose only child gets this call.
async fn death_of(call: tractor::Call<()>) -> Error {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        worker.run(call).await
    })
    .await;
    result.unwrap_err()
}

#[tractor::test]
async fn a_death_names_the_signal_and_the_call_that_was_lost() {
    let killed = death_of(kill_oneself()).await;
    assert_eq!((killed.signal(), killed.exit_code()), (Some(9), None));
    assert!(killed.is_death() && !killed.is_cancelled() && !killed.is_panic());
    assert_eq!(killed.calls_in_flight(), ["promises::deaths::kill_oneself"]);
    let parts = [
        "actor 'worker' (pid ",
        "was killed by signal 9 (SIGKILL) while ",
        "kill_oneself",
    ];
    check_text(&killed, &parts);
}

#[tractor::test]
async fn calls_to_an_actor_that_has_ended_tell_how_it_ended() {
    let mut kept = None;
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        kept = Some(nursery.start_actor("worker").await?);
        nursery
            .run_in_actor("other", kill_oneself())
            .await?
            .result()
            .await
    })
    .await;
    assert_eq!(result.unwrap_err().origin().name(), "other");
    let worker = kept.expect("it was started");
    let error = worker.run(who()).await.unwrap_err();
    let Ending::Cancelled {
        by: Some(by),
        reason: CancelReason::Sibling,
    } = error.ending()
    else {
        panic!("{error}");
    };
    assert_eq!((by.name(), error.origin().name()), ("other", "worker"));
    assert_eq!(error.call(), Some("promises::spawning::who"));
    worker
        .cancel_actor()
        .await
        .expect("it has ended, as wanted");
}

#[tractor::test]
async fn a_death_from_two_hops_away_tells_its_way() {
    #[tractor::rpc]
    async fn above() -> tractor::Result<()> {
        open_nursery(async |nursery| {
            nursery
                .start_actor("below")
                .await?
                .run(kill_oneself())
                .await
        })
        .await
    }
    let result: tractor::Result<()> =
        open_nursery(async |nursery| nursery.run_in_actor("above", above()).await?.result().await)
            .await;
    let error = result.unwrap_err();
    assert_eq!((error.origin().name(), error.signal()), ("below", Some(9)));
    check_text(&error, &["actor 'below'", "signal 9", "relayed by 'above'"]);
}

#[test]
fn a_root_that_panics_leaves_nobody_and_exits_as_any_program() {
    let mut command = program("programs");
    command.arg("panics");
    let ended = Program::start(command).end();
    assert_eq!(ended.status.code(), Some(101), "{}", ended.output);
    check_text(&ended.output, &["the root panics"]);
}

#[test]
fn a_child_whose_main_does_not_lead_to_the_runtime_died_before_it_was_ready() {
    let mut command = program("programs");
    command.arg("returns_early");
    let ended = Program::start(command).end();
    let parts = [
        "Error: actor 'early'",
        "died before it was ready",
        "exited with code 0",
        "main",
    ];
    check_text(&ended.output, &parts);
}
