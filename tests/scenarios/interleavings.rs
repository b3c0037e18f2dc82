//! Two sides of a context do what their seed says, in whatever order it comes out: they send, read,
//! close, let go of their ends, pause, cancel, fail, panic, and kill each other or themselves.
//!
//! It always ends, nothing is left, and both sides, where they live, have seen the same: the
//! caller is told how the function ended, and who found the end of a stream has all of it.
//! `TRACTOR_CASES` says how many cases are played, `TRACTOR_SEEDS` which.

// One side: what it does, and what it has seen.
mod side;

use std::time::{Duration, Instant};

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use tractor::{CancelScope, Context, Portal, open_nursery, shield};

use self::side::{End, Item, Noted, Script, Seen, Step, play, recv, seen, what_was_seen};
use crate::chance::{Chance, give_up_after};
use crate::contexts::nothing_runs;
use crate::seeds::{HANG, seeds};
use crate::tree::{PROMPT, assert_alone, note, within};

/// Cases that are played if nobody says how many.
const CASES: u64 = 30;

/// The callee's side.
#[tractor::context]
async fn far_side(
    ctx: Context<(), Item, Item>,
    script: Script,
    near: u32,
    (late, drains): (u64, bool),
) -> Result<(), anyhow::Error> {
    let noted = Noted::begin();
    async_std::task::sleep(Duration::from_micros(late)).await;
    ctx.started(())?;
    let (out, mut back) = ctx.open_stream()?;
    if drains {
        // As one who must know whether it has all.
        let drained = shield(recv(&mut back, u64::MAX)).await;
        if let Err(error) = drained.expect("nobody cancels the shield") {
            noted.end(&Err(error.clone().into()));
            return Err(error.into());
        }
    }
    let ended = play("far", &script, (out, back), &|| (), near).await;
    noted.end(&ended);
    ended
}

/// How the caller's side is ended if nothing else does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Limit {
    Deadline,
    Cancel,
    Drop,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Case {
    near: Script,
    far: Script,
    /// Whether the caller is the callee's parent, or its sibling.
    parent: bool,
    late: u64,
    /// Whether the callee first reads everything, behind a shield.
    drains: bool,
    limit: Limit,
    after: Duration,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let parent = chance.coin();
        Self {
            // The root of the test is not to be killed.
            near: Script::new(&mut chance, !parent),
            far: Script::new(&mut chance, !parent),
            parent,
            late: chance.below(4) * chance.below(1000),
            drains: chance.below(3) == 0,
            limit: *chance.pick(&[Limit::Deadline, Limit::Cancel, Limit::Drop]),
            after: chance.delay(60),
        }
    }
}

/// What the caller's side was told, as text, and what it has seen; `None` as text if it was
/// dropped.
type Told = (Option<Result<(), String>>, Seen);

/// The caller's side.
#[tractor::rpc]
async fn near_side(far: Portal, case: Case) -> tractor::Result<Told> {
    *seen() = None;
    let call = far_side(
        case.far.clone(),
        std::process::id(),
        (case.late, case.drains),
    );
    let context = far.open_context(call, async |ctx, ()| {
        let noted = Noted::begin();
        let ends = ctx.open_stream()?;
        let ended = play("near", &case.near, ends, &|| ctx.cancel(), far.pid()).await;
        noted.end(&ended);
        ended
    });
    let context = std::panic::AssertUnwindSafe(context).catch_unwind();
    let scope = CancelScope::new();
    let ended = match case.limit {
        Limit::Deadline => Some(scope.timeout(case.after).run(context).await),
        Limit::Drop => give_up_after(case.after, context).await.map(Ok),
        Limit::Cancel => {
            let asked = scope.clone();
            let cancelling = async_std::task::spawn(async move {
                async_std::task::sleep(case.after).await;
                asked.cancel();
            });
            let ended = scope.run(context).await;
            cancelling.cancel().await;
            Some(ended)
        }
    };
    let told = ended.map(|ended| match ended {
        Err(cancelled) => Err(cancelled.to_string()),
        Ok(Err(_panic)) => Err("the near side panics".to_owned()),
        Ok(Ok(ended)) => ended.map_err(|error| error.to_string()),
    });
    Ok((told, what_was_seen().await))
}

async fn played(case: &Case) -> tractor::Result<()> {
    let mut told = None;
    let mut far_seen = None;
    let far_ended: tractor::Result<()> = open_nursery(async |nursery| {
        let far = nursery.start_actor("far").await?;
        let near = async {
            if case.parent {
                told = Some(near_side(far.clone(), case.clone()).await?);
                return tractor::Ok(());
            }
            open_nursery(async |inner| {
                let near = inner.start_actor("near").await?;
                told = Some(near.run(near_side(far.clone(), case.clone())).await?);
                near.cancel_actor().await
            })
            .await
        };
        let near_ended = shield(near).await.expect("nobody cancels the shield");
        match near_ended {
            Ok(()) => {}
            Err(error) => assert!(dies(&case.near, &case.far) && was_killed(&error), "{error}"),
        }
        nothing_runs(&far).await;
        far_seen = Some(far.run(what_was_seen()).await?);
        far.cancel_actor().await
    })
    .await;
    if let Err(error) = far_ended {
        assert!(dies(&case.far, &case.near) && was_killed(&error), "{error}");
        far_seen = None;
    }
    if let (Some((told, near)), Some(far)) = (told, far_seen) {
        agree(told, &near, &far);
    }
    Ok(())
}

/// Whether the first of two may be killed.
fn dies(one: &Script, other: &Script) -> bool {
    let has = |script: &Script, step: fn(&Step) -> bool| script.steps.iter().any(step);
    has(one, |step| matches!(step, Step::KillSelf))
        || has(other, |step| matches!(step, Step::KillOther))
}

fn was_killed(error: &tractor::Error) -> bool {
    let mut all = error.group().iter().chain([error]);
    all.any(|error| error.signal() == Some(9))
}

/// That both have seen the same.
fn agree(told: Option<Result<(), String>>, near: &Seen, far: &Seen) {
    let case = format!("told {told:?}\nnear {near:?}\nfar {far:?}");
    if near.found_end {
        assert!(far.has_closed(), "it broke off: {case}");
        assert_eq!(near.received, far.sent, "the end behind a part: {case}");
    }
    if far.found_end {
        assert!(near.has_closed(), "it broke off: {case}");
        assert_eq!(far.received, near.sent, "the end behind a part: {case}");
    }
    assert!(
        near.received <= far.sent && far.received <= near.sent,
        "{case}"
    );
    assert_ne!(far.end, End::Running, "{case}");
    let Some(told) = told else { return };
    let tells = |text: &str| told.as_ref().is_err_and(|error| error.contains(text));
    if near.end == End::Panicked {
        // A panic of the block passes everything else.
        return;
    }
    assert_eq!(
        tells("the far side fails"),
        far.end == End::Failed,
        "{case}"
    );
    assert_eq!(
        tells("the far side panics"),
        far.end == End::Panicked,
        "{case}"
    );
    if near.end == End::Failed {
        assert!(tells("the near side fails"), "{case}");
    }
    if near.end == End::Returned && told.is_ok() {
        let is_effect = near.cancelled
            && matches!(far.end, End::Dropped | End::NotBegun | End::StreamFailed(_));
        assert!(far.end == End::Returned || is_effect, "{case}");
    }
}

#[tractor::test(timeout = 600)]
async fn f45_both_sides_see_the_same_whatever_happens() -> tractor::Result<()> {
    let first = seeds().next().expect("there is one at least");
    let cases = std::env::var("TRACTOR_CASES").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("it is a number"));
    for seed in first..first + cases {
        let case = Case::new(seed);
        // Shown only if it fails, and the last one is the one that did.
        note(&format!("{case:?}, seed {seed}"));
        let begin = Instant::now();
        let ended = async_std::future::timeout(HANG, played(&case)).await;
        ended.unwrap_or_else(|_| panic!("it hangs with seed {seed}"))?;
        within(begin, PROMPT, "a case");
        assert_alone();
    }
    Ok(())
}
