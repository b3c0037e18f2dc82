//! One side of a context: the script that a seed writes, how it is played, what was seen.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tractor::{Bytes, RecvStream, SendStream};
use tractor_core::process::{Process, Signal};

use crate::calls::signal_self;
use crate::chance::Chance;

/// A number, so that the order is seen, and a load.
pub(crate) type Item = (u64, Bytes);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Step {
    Send { items: u64, bytes: usize },
    Recv { items: u64 },
    Close,
    DropReader,
    Pause { micros: u64 },
    Cancel,
    KillOther,
    KillSelf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Last {
    Return,
    Fail,
    Panic,
    Wait,
}

/// What one side does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) last: Last,
}

impl Script {
    pub(crate) fn new(chance: &mut Chance, kills: bool) -> Self {
        let steps = (0..chance.below(8)).map(|_| match chance.below(20) {
            0..7 => Step::Send {
                items: chance.below(300),
                bytes: *chance.pick(&[0, 0, 10, 1000, 20_000, 60_000]),
            },
            7..14 => Step::Recv {
                items: chance.below(300),
            },
            14 => Step::Close,
            15 => Step::DropReader,
            16 if kills => chance.pick(&[Step::KillOther, Step::KillSelf]).clone(),
            17 => Step::Cancel,
            _ => Step::Pause {
                micros: chance.below(3000),
            },
        });
        Self {
            steps: steps.collect(),
            last: *chance.pick(&[
                Last::Return,
                Last::Return,
                Last::Fail,
                Last::Panic,
                Last::Wait,
            ]),
        }
    }
}

/// How a side ended, as it knows itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum End {
    #[default]
    NotBegun,
    Running,
    Returned,
    /// As its script says.
    Failed,
    Panicked,
    /// By an error of its streams.
    StreamFailed(String),
    Dropped,
}

/// What a side has seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Whether it found the end behind the last item, and had not cancelled the other side.
    pub(crate) found_end: bool,
    pub(crate) cancelled: bool,
    /// Whether it has closed its own stream.
    pub(crate) closed: bool,
    pub(crate) end: End,
}

/// What the side that runs in this process has seen.
pub(crate) static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

pub(crate) fn seen() -> MutexGuard<'static, Option<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// Whether its stream has an end that was meant well.
    pub(crate) fn has_closed(&self) -> bool {
        self.closed || !matches!(self.end, End::Dropped | End::Panicked)
    }
}

pub(crate) fn see(change: impl FnOnce(&mut Seen)) {
    change(seen().get_or_insert_default());
}

#[tractor::rpc]
pub(crate) async fn what_was_seen() -> Seen {
    seen().clone().unwrap_or_default()
}

/// Notes how a side ends, also if it is dropped.
pub(crate) struct Noted;

impl Noted {
    pub(crate) fn begin() -> Self {
        *seen() = Some(Seen {
            end: End::Running,
            ..Seen::default()
        });
        Self
    }

    pub(crate) fn end(self, ended: &anyhow::Result<()>) {
        see(|seen| {
            seen.end = match ended {
                Ok(()) => End::Returned,
                Err(error) if error.is::<tractor::Error>() => End::StreamFailed(error.to_string()),
                Err(_) => End::Failed,
            };
        });
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        see(|seen| {
            if seen.end == End::Running {
                seen.end = if std::thread::panicking() {
                    End::Panicked
                } else {
                    End::Dropped
                };
            }
        });
    }
}

/// Plays one side. `other` is the other side's process.
pub(crate) async fn play(
    side: &str,
    script: &Script,
    (out, mut back): (SendStream<Item>, RecvStream<Item>),
    cancel: &(dyn Fn() + Sync),
    other: u32,
) -> anyhow::Result<()> {
    let (mut out, mut reader) = (Some(out), Some(&mut back));
    for step in &script.steps {
        match step {
            Step::Send { items, bytes } => {
                for _ in 0..*items {
                    let Some(out) = &mut out else { break };
                    let number = seen().as_ref().map_or(0, |seen| seen.sent);
                    out.send((number, vec![7; *bytes].into())).await?;
                    see(|seen| seen.sent += 1);
                }
            }
            Step::Recv { items } => {
                let Some(back) = &mut reader else { continue };
                recv(back, *items).await?;
            }
            Step::Close => {
                see(|seen| seen.closed = true);
                out = None;
            }
            Step::DropReader => reader = None,
            Step::Pause { micros } => {
                async_std::task::sleep(Duration::from_micros(*micros)).await;
            }
            Step::Cancel => {
                see(|seen| seen.cancelled = true);
                cancel();
            }
            Step::KillOther => kill_if_there(other),
            Step::KillSelf => signal_self(Signal::Kill),
        }
    }
    match script.last {
        Last::Return => Ok(()),
        Last::Fail => Err(anyhow::anyhow!("the {side} side fails")),
        Last::Panic => panic!("the {side} side panics"),
        Last::Wait => std::future::pending().await,
    }
}

pub(crate) async fn recv(back: &mut RecvStream<Item>, items: u64) -> tractor::Result<()> {
    for _ in 0..items {
        match back.recv().await? {
            Some((number, _)) => see(|seen| {
                assert_eq!(number, seen.received, "they come in order");
                seen.received += 1;
            }),
            None => {
                see(|seen| seen.found_end = !seen.cancelled);
                return Ok(());
            }
        }
    }
    Ok(())
}

pub(crate) fn kill_if_there(pid: u32) {
    if let Ok(process) = Process::open(pid) {
        // It may exit in this very moment.
        let _ = process.signal(Signal::Kill);
    }
}
