//! T45: the link beneath an open stream breaks, at one end or at both, or one end's process is
//! killed, while items are on their way both ways or after both ways were closed.
//!
//! Nobody hangs, the stream, the context and the nursery tell the cause, and nobody is left. Debug
//! mode, without a terminal, changes nothing of this.

use std::future::pending;
use std::time::Instant;

use rstest::rstest;
use rustix::net::Shutdown;
use serde::{Deserialize, Serialize};
use tractor::{Context, Ending, Error, OpenContext, open_nursery, runtime_var, shield};

use crate::chance::Chance;
use crate::cut::{cut_off_from_parent, new_socket, shut, sockets};
use crate::seeds::with_seeds;
use crate::tree::{BOUNDED, assert_alone, assert_killed, hold, kill, within};

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Break {
    /// The parent shuts its end of the link.
    ByParent,
    /// The child does.
    ByChild,
    /// Both do.
    ByBoth,
    /// The child is killed.
    ChildKilled,
    /// The parent is.
    ParentKilled,
}

/// One of the twenty cases, with what its seed decides.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Case {
    breaks: Break,
    /// Whether both ways of the stream are closed before.
    closed: bool,
    /// Whether both actors are in debug mode.
    debug: bool,
    /// After so many items.
    after: u64,
    /// Which directions of the socket are shut.
    parent_shuts: Direction,
    child_shuts: Direction,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Direction {
    Read,
    Write,
    Both,
}

impl From<Direction> for Shutdown {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Read => Self::Read,
            Direction::Write => Self::Write,
            Direction::Both => Self::Both,
        }
    }
}

/// What the parent was told, where, and how much it read before.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// `None` if the link was lost before the child was heard of.
    stream: Option<Result<u64, Error>>,
    context: Option<Error>,
    nursery: Option<Error>,
}

#[rstest]
#[case::shut_by_parent_mid_stream(Break::ByParent, false)]
#[case::shut_by_parent_after_close(Break::ByParent, true)]
#[case::shut_by_child_mid_stream(Break::ByChild, false)]
#[case::shut_by_child_after_close(Break::ByChild, true)]
#[case::shut_by_both_mid_stream(Break::ByBoth, false)]
#[case::shut_by_both_after_close(Break::ByBoth, true)]
#[case::child_killed_mid_stream(Break::ChildKilled, false)]
#[case::child_killed_after_close(Break::ChildKilled, true)]
#[case::parent_killed_mid_stream(Break::ParentKilled, false)]
#[case::parent_killed_after_close(Break::ParentKilled, true)]
#[tractor::test(timeout = 600)]
async fn t45_broken_stream_tells_its_cause(
    #[case] breaks: Break,
    #[case] closed: bool,
    #[values(false, true)] debug: bool,
) -> tractor::Result<()> {
    let what = format!("T45 ({breaks:?}, closed before: {closed}, debug mode: {debug})");
    with_seeds(&what, |seed| broken(breaks, (closed, debug), seed)).await
}

async fn broken(breaks: Break, (closed, debug): (bool, bool), seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let directions = [Direction::Read, Direction::Write, Direction::Both];
    let case = Case {
        breaks,
        closed,
        debug,
        after: chance.below(5000),
        parent_shuts: *chance.pick(&directions),
        child_shuts: *chance.pick(&directions),
    };
    let begin = Instant::now();
    let ended: tractor::Result<Told> = open_nursery(async |nursery| {
        let parent = nursery.start_actor("parent").debug_mode(debug).await?;
        let told = parent.run(talk_with_child(case)).await?;
        parent.cancel_actor().await?;
        tractor::Ok(told)
    })
    .await;
    within(begin, BOUNDED, "the end of a broken stream");
    match (breaks, ended) {
        (Break::ParentKilled, Err(error)) => {
            assert_killed(&error, "parent");
        }
        (Break::ParentKilled, Ok(told)) => panic!("the dead have told: {told:?}"),
        (_, Ok(told)) => check(case, told),
        (_, Err(error)) => return Err(error),
    }
    assert_alone();
    Ok(())
}

/// The cause is told at each place, as what it was and with the name of the child.
fn check(case: Case, told: Told) {
    let named = |error: &Error| {
        assert_eq!(error.origin().name(), "child", "{case:?}: {error}");
        let is_cause = match case.breaks {
            Break::ChildKilled => error.signal() == Some(9),
            _ => matches!(error.ending(), Ending::LinkLost { .. }),
        };
        assert!(is_cause, "{case:?}: {error}");
        assert!(error.group().is_empty(), "it is told once: {error}");
    };
    match &told.stream {
        None => {
            let is_by_child = matches!(case.breaks, Break::ByChild | Break::ByBoth);
            let is_first_act = is_by_child && case.after == 0 && !case.closed;
            assert!(is_first_act, "{case:?}: {told:?}");
        }
        Some(Ok(read)) => assert!(case.closed && *read == case.after, "{case:?}: {told:?}"),
        Some(Err(error)) => {
            assert!(!case.closed, "{case:?}: {error}");
            named(error);
        }
    }
    for error in [told.context, told.nursery] {
        named(&error.unwrap_or_else(|| panic!("{case:?}: it went well")));
    }
}

/// The parent: talks with a child of its own until something breaks.
#[tractor::rpc]
async fn talk_with_child(case: Case) -> tractor::Result<Told> {
    assert_eq!(runtime_var("tractor.debug_mode"), Ok(Some(case.debug)));
    let mut stream = None;
    let mut context = None;
    let nursery: tractor::Result<()> = open_nursery(async |nursery| {
        let before = sockets();
        let child = nursery.start_actor("child").await?;
        let link = new_socket(&before);
        let process = hold(child.pid());
        let break_it = || match case.breaks {
            Break::ByParent | Break::ByBoth => shut(&link, case.parent_shuts.into()),
            Break::ChildKilled => kill(&process),
            Break::ParentKilled => kill(&hold(std::process::id())),
            Break::ByChild => {}
        };
        // The block is cancelled by the loss of the child; what its stream says is seen behind a
        // shield.
        let talk = child.open_context(chat(case), async |ctx, ()| {
            let talked = shield(talk(ctx, case, &break_it)).await;
            stream = Some(talked.expect("nobody cancels the shield"));
            pending::<tractor::Result<()>>().await
        });
        context = shield(talk).await.expect("nobody cancels the shield").err();
        pending().await
    })
    .await;
    Ok(Told {
        stream,
        context,
        nursery: nursery.err(),
    })
}

/// Sends and reads until the stream ends, and breaks it on the way, or behind its end.
async fn talk(
    ctx: &OpenContext<u64, u64, ()>,
    case: Case,
    break_it: &(dyn Fn() + Sync),
) -> tractor::Result<u64> {
    let (mut numbers, mut back) = ctx.open_stream()?;
    let sending = async {
        let last = if case.closed { case.after } else { u64::MAX };
        for n in 0..last {
            numbers.send(n).await?;
        }
        tractor::Ok(())
    };
    let reading = async {
        let mut read = 0;
        loop {
            if read == case.after && !case.closed {
                break_it();
            }
            match back.recv().await? {
                Some(n) => assert_eq!(n, read),
                None => break,
            }
            read += 1;
        }
        tractor::Ok(read)
    };
    let (sent, read) = futures::join!(sending, reading);
    numbers.close();
    if case.closed {
        break_it();
    }
    sent.and(read)
}

/// The child: gives every number back. Where the streams are closed, it closes first, so that it
/// knows by the other end that its own was seen.
#[tractor::context]
async fn chat(ctx: Context<(), u64, u64>, case: Case) -> tractor::Result<()> {
    let break_it = || {
        if matches!(case.breaks, Break::ByChild | Break::ByBoth) {
            cut_off_from_parent(case.child_shuts.into());
        }
    };
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    let mut read = 0;
    loop {
        if read == case.after {
            if case.closed {
                out.close();
            } else {
                break_it();
            }
        }
        match numbers.recv().await? {
            Some(n) => out.send(n).await?,
            None => break,
        }
        read += 1;
    }
    break_it();
    pending().await
}
