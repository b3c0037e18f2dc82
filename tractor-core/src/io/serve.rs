//! Serving one link: read it, handle what came, poll fresh calls where they were read.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use tractor_ipc::limits::FRAME_BYTES_MAX;
use tractor_ipc::{CloseReason, FrameDecoder};

use super::leader::Round;
use super::link::Link;
use super::role::{Role, is_surrounded, user_code};
use super::{Engine, Job};
use crate::actor_loop::{self, Next};
use crate::invoke::RpcTask;

/// Most user code of one round. Beyond it fresh tasks go to the executor, so that the events
/// behind them are not kept waiting.
const ROUND_USER: Duration = Duration::from_micros(200);
/// How often a link is read in one round before the others have their turn.
const READS_MAX: u32 = 16;
/// How long answers are gathered while more calls wait in the same batch.
const CORK: Duration = Duration::from_micros(50);

/// What came of reading a link once.
pub(super) enum Read {
    /// Bytes; `all` tells that the socket is empty now.
    Bytes {
        all: bool,
    },
    Nothing,
    End(CloseReason),
}

/// Reads a link and handles what there is, unless somebody else reads it.
pub(super) fn serve(engine: &'static Engine, link: &Arc<Link>, round: &mut Round) -> Role {
    if link.is_closed() {
        return Role::Kept;
    }
    let Some(mut decoder) = take_or_disarm(link) else {
        return Role::Kept;
    };
    let (mut empty, mut reads, mut cork) = (false, 0, Cork::default());
    let mut limit_raised = false;
    let end = loop {
        if !limit_raised && link.is_open() {
            decoder.set_max_payload(FRAME_BYTES_MAX);
            limit_raised = true;
        }
        let next = match decoder.next() {
            Ok(Some(frame)) => Some(actor_loop::dispatch(link, frame)),
            Ok(None) => None,
            Err(error) => break Some(CloseReason::Frame(error)),
        };
        match next {
            Some(Next::Done) => {}
            Some(Next::Woke) => round.woke = true,
            Some(Next::Violation(reason)) => break Some(violation(reason)),
            Some(Next::Start(task)) => {
                if task.is_cancelled() {
                    engine.push(Job::Drop(task));
                    continue;
                }
                let more = decoder.has_frame();
                if !may_inline(engine, &task, round) {
                    round.woke = true;
                    task.spawn();
                    continue;
                }
                release_and_arm(link, decoder);
                let role = first_poll(engine, link, &task, round, more.then_some(&mut cork));
                if role == Role::Lost {
                    return Role::Lost;
                }
                match take_or_disarm(link) {
                    Some(again) => decoder = again,
                    None => {
                        cork.end(link);
                        return Role::Kept;
                    }
                }
            }
            None if empty || reads == READS_MAX => break None,
            None => {
                // Who waits for these answers has nothing to do until they come.
                cork.end(link);
                reads += 1;
                match read(link, &mut decoder) {
                    Read::Bytes { all } => empty = all && !link.is_ending(),
                    Read::Nothing => empty = true,
                    Read::End(reason) => break Some(reason),
                }
            }
        }
    };
    cork.end(link);
    let end = end.or_else(|| (empty && link.is_ending()).then_some(CloseReason::PeerClosed));
    release_and_arm(link, decoder);
    if let Some(reason) = end {
        link.close(&reason);
    }
    Role::Kept
}

fn violation(message: String) -> CloseReason {
    CloseReason::Os {
        kind: io::ErrorKind::InvalidData,
        message,
    }
}

type Reader<'a> = MutexGuard<'a, FrameDecoder>;

/// Takes the right to read, or has the one who reads say when it is free again.
fn take_or_disarm(link: &Link) -> Option<Reader<'_>> {
    if let Some(decoder) = link.reader.try_take() {
        return Some(decoder);
    }
    // The socket is readable and not ours to read: watching it further would spin. Disarmed
    // before the note is left, so that the holder's re-arming comes after.
    link.disarm();
    let decoder = link.reader.take_or_note();
    if decoder.is_some() {
        link.arm();
    }
    decoder
}

pub(super) fn release_and_arm(link: &Link, decoder: Reader<'_>) {
    if link.reader.release(decoder) {
        link.arm();
    }
}

/// Reads a link once, for the leader or for a waiter. Who meets its end may leave that to the other:
/// it is met again.
pub(super) fn read(link: &Link, decoder: &mut Reader<'_>) -> Read {
    let room = decoder.room_bytes();
    match link.socket.recv(&mut decoder.room()) {
        Ok(0) => Read::End(match decoder.eof() {
            Ok(()) => CloseReason::PeerClosed,
            Err(error) => CloseReason::Frame(error),
        }),
        Ok(n) => {
            decoder.advance(n);
            link.count_in(n);
            Read::Bytes { all: n < room }
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
        Err(error) => Read::End(CloseReason::Os {
            kind: error.kind(),
            message: error.to_string(),
        }),
    }
}

fn may_inline(engine: &Engine, task: &RpcTask, round: &Round) -> bool {
    let quick = engine
        .pace(task.export_index())
        .is_some_and(|pace| pace.is_quick(engine.time_of(task.started())));
    if !quick || !task.may_inline() || round.user >= ROUND_USER {
        return false;
    }
    let has_spare = is_surrounded() && engine.lead.has_spare();
    if !has_spare {
        // The monitor starts one, if there may be more.
        engine.monitor.wake();
    }
    has_spare
}

/// Polls a fresh task where its call was read.
fn first_poll(
    engine: &'static Engine,
    link: &Arc<Link>,
    task: &Arc<RpcTask>,
    round: &mut Round,
    cork: Option<&mut Cork>,
) -> Role {
    let (answer, role) = user_code(engine, || task.poll_inline());
    // It was entered a moment ago: one look at the clock less for every call.
    let took = task.started().elapsed();
    round.user += took;
    if let Some(pace) = engine.pace(task.export_index()) {
        pace.took(took);
        if role == Role::Lost {
            pace.held_up(engine.now());
        }
    }
    match answer {
        Some(answer) => {
            round.answered += 1;
            let corked = role == Role::Kept && cork.is_some();
            task.answer(answer, corked);
            if let Some(cork) = cork.filter(|_| corked) {
                cork.add(link);
            } else {
                link.flush();
            }
        }
        None => round.woke |= task.rest_inline(),
    }
    role
}

/// Answers that are gathered while more calls of the same batch are being handled.
#[derive(Default)]
struct Cork {
    since: Option<Instant>,
}

impl Cork {
    fn add(&mut self, link: &Link) {
        if self.since.get_or_insert_with(Instant::now).elapsed() > CORK {
            self.end(link);
        }
    }

    fn end(&mut self, link: &Link) {
        if self.since.take().is_some() {
            link.flush();
        }
    }
}
