//! A tree in which nobody can tell of a process.

use std::time::Duration;

use tractor::{Options, current_actor, open_nursery};
use tractor_core::process::{Process, Signal, census};

use crate::calls::start_with;
use crate::{number, say};

/// Kills the only child while one below it starts another, which is stopped before its first act,
/// says who that is, and ends with the nursery. The argument is how many microseconds it waits
/// before it kills.
pub(crate) fn bereaved(args: &[String]) -> tractor::Result<()> {
    let moment = Duration::from_micros(number(args, 0));
    tractor::run(Options::default(), async || {
        let tree = current_actor()?.identity().tree.to_string();
        let ended = open_nursery(async |nursery| {
            let upper = nursery.start_actor("upper").await?;
            let call = async_std::task::spawn(upper.run(have_one_started()));
            let orphan = loop {
                let all = census::marked_processes(&tree);
                if let Some(stopped) = all.iter().find(|process| process.state == 'T') {
                    break stopped.pid;
                }
                async_std::task::sleep(Duration::from_millis(2)).await;
            };
            say(&format!("orphan {orphan}"));
            async_std::task::sleep(moment).await;
            let upper = Process::open(upper.pid()).expect("it lives");
            upper.signal(Signal::Kill).expect("it is ours");
            call.await
        })
        .await;
        let error = ended.expect_err("it was killed");
        assert_eq!(error.signal(), Some(9), "{error}");
        tractor::Ok(())
    })
}

#[tractor::rpc]
async fn have_one_started() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let lower = nursery.start_actor("lower");
        // It does not come to telling of it.
        let lower = lower.env("TRACTOR_FAULTS", "start.launched=delay:60s");
        let lower = lower.await?;
        lower.run(start_with("boot.detected=stop".into())).await
    })
    .await
}
