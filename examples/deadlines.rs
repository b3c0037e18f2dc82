//! Deadlines: one that travels with a call from actor to actor, and one that ends a process.
//!
//! Run it with `cargo run --example deadlines`. A deadline of the caller holds for everything
//! that is called for it, each level with a little less, so that the innermost is the first to
//! report. A deadline of a one-shot is enforced on the process, whatever its code is doing.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{Duration, Instant};

use tractor::prelude::*;

/// How much time is left for this call, and for the one that it makes to `next`.
#[tractor::rpc]
async fn time_left(next: Option<String>) -> tractor::Result<Vec<Duration>> {
    let at = tractor::current_deadline().expect("the caller has set one");
    let mut times = vec![at.saturating_duration_since(Instant::now())];
    if let Some(name) = next {
        times.extend(wait_for_actor(&name).await?.run(time_left(None)).await?);
    }
    tractor::Ok(times)
}

#[tractor::rpc]
async fn never() {
    std::future::pending().await
}

/// A plain function, which nothing but the end of its process can stop.
#[tractor::rpc]
fn busy() {
    loop {
        std::hint::spin_loop();
    }
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let below = nursery.start_actor("below").await?;

        let mut times = vec![Duration::from_secs(9)];
        let call = worker.run(time_left(Some("below".into())));
        times.extend(
            tractor::timeout(times[0], call)
                .await
                .expect("9 s are long")?,
        );
        println!("root, worker and below have {times:.2?}");
        println!(
            "each has less: {}",
            times.is_sorted_by(|above, below| above > below)
        );

        let late = tractor::timeout(Duration::from_secs(1), worker.run(never())).await;
        println!(
            "{}",
            late.expect("the callee reports first")
                .expect_err("it never returns")
        );

        worker.cancel_actor().await?;
        below.cancel_actor().await
    })
    .await?;

    let begin = Instant::now();
    let outcome: tractor::Result<()> = open_nursery(async |nursery| {
        let hog = nursery
            .run_in_actor("hog", busy())
            .deadline(Duration::from_millis(300))
            .await?;
        hog.result().await
    })
    .await;
    println!("{}", outcome.expect_err("it is over time"));
    println!("its process is gone after {:.1?}", begin.elapsed());
    Ok(())
}
