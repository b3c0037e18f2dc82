//! [`Portal`]: what one holds of another actor.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::future::{Either, select};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tractor_ipc::{ActorId, Kind};

use crate::actor::{Contact, current_actor, not_an_actor};
use crate::call::{Call, Failure};
use crate::calls::{Reply, Slot, What};
use crate::ending::Ending;
use crate::error::Error;
use crate::io::gather;
use crate::io::link::Link;
use crate::peers::Hold;
use crate::process::Process;
use crate::run::{Run, send_start};
use crate::scope::{self, CancelReason, Cancellation};
use crate::sleep;
use crate::stop::Stop;

/// How long a cancelled actor has when nobody says otherwise: the sum of the ladder's rungs, with
/// the acknowledgement.
pub const CANCEL_WITHIN: Duration = Duration::from_millis(4000);

/// ESRCH.
const NO_SUCH_PROCESS: i32 = 3;

/// What one holds of another actor: calls its functions, asks it to end, asks whether it lives.
///
/// Cloning counts a reference. A portal does not keep its actor alive; calls through a portal of
/// an actor that has ended fail and say how it ended.
///
/// It is also a value: an argument or a result of a call, an item of a stream. Whoever receives it
/// talks with the actor directly, over a link of its own that is made when it is used first; so
/// the first use may fail as [`connect`](Self::connect) does.
#[derive(Clone)]
pub struct Portal {
    inner: Arc<Inner>,
}

struct Inner {
    contact: Contact,
    /// Who holds the link to the actor, once that is known; `None` if the actor is this process.
    hold: OnceLock<Option<Arc<Hold>>>,
}

/// Whether an actor is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Liveness {
    /// Its runtime answered.
    Answering {
        /// How long that took.
        after: Duration,
    },
    /// Its process is stopped, by SIGSTOP or a debugger.
    Stopped,
    /// Its process is there and did not answer in time.
    Silent,
    /// Its process or the link to it is gone.
    Gone,
}

impl Portal {
    /// The portal of an actor that `link` leads to, for the layers that make links.
    #[doc(hidden)]
    pub fn over(link: Arc<Link>, contact: Contact) -> Self {
        let portal = Self::of(contact);
        // A fresh portal knows nothing yet.
        let _ = portal.inner.hold.set(Some(Hold::borrowed(link)));
        portal
    }

    /// As [`reach`](Self::reach), if nothing has to be connected with for that.
    pub(crate) fn known(&self) -> Option<Option<Arc<Hold>>> {
        self.inner.hold.get().cloned()
    }

    /// Who holds the link to the actor, which is connected with if it was not before; `None` if
    /// the actor is this process.
    pub(crate) async fn reach(&self) -> Result<Option<Arc<Hold>>, Error> {
        if let Some(hold) = self.known() {
            return Ok(hold);
        }
        let (actor, contact) = (current_actor()?, self.contact());
        let hold = if &contact.aid == actor.aid() {
            None
        } else if let Some(link) = actor.family_link(&contact.aid) {
            Some(Hold::borrowed(link))
        } else {
            Some(actor.link_to(contact).await?)
        };
        // A clone may have been faster; both links lead there.
        Ok(self.inner.hold.get_or_init(|| hold).clone())
    }

    /// The portal of an actor of this tree that is known by its contact, connected with it now.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: a connection that was begun is closed.
    ///
    /// # Errors
    ///
    /// [`Ending::LinkLost`] if it does not answer where it should listen: it has ended, most
    /// likely. [`Ending::Refused`] outside of an actor.
    pub async fn connect(contact: Contact) -> Result<Self, Error> {
        let portal = Self::of(contact);
        portal.reach().await?;
        Ok(portal)
    }

    /// The portal of an actor that is connected with when it is used first.
    fn of(contact: Contact) -> Self {
        let hold = OnceLock::new();
        Self {
            inner: Arc::new(Inner { contact, hold }),
        }
    }

    /// Who the actor is.
    pub fn aid(&self) -> &ActorId {
        &self.inner.contact.aid
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.inner.contact.aid.name()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.inner.contact.pid
    }

    /// How others may reach it.
    pub fn contact(&self) -> &Contact {
        &self.inner.contact
    }

    /// Runs a function in the actor. Nothing is sent before the future is polled.
    pub fn run<T, E: Failure>(&self, call: Call<T, E>) -> Run<T, E> {
        Run::new(call, self.clone())
    }

    /// Starts a function in the actor and has its answer told to `done`, whether or not anybody
    /// waits; on a runtime thread, so `done` is short and runs no user code. Dropping what this
    /// gives cancels nothing.
    #[doc(hidden)]
    pub fn start<T, E: Failure>(
        &self,
        call: &Call<T, E>,
        done: impl FnOnce(Result<Vec<u8>, Error>) + Send + 'static,
    ) -> Result<Started, Error> {
        // The layers that make links hold portals that have one.
        let Some(hold) = self.known().flatten() else {
            return Err(not_an_actor());
        };
        let callee = self.inner.contact.aid.clone();
        let export = call.export();
        let bound = scope::bound();
        let given = bound.clone();
        let slot = Slot::with_callback(What::Export(export), move |reply| {
            done(match reply {
                Reply::Returned(bytes) | Reply::ReturnedWith(bytes, _) => Ok(bytes),
                Reply::Failed(bytes) => {
                    let error = Error::answered(&callee, export, &bytes, given.as_ref());
                    Err(error.unwrap_or_else(|error| {
                        let reason = error.to_string();
                        Error::new(callee, Ending::LinkLost { reason })
                    }))
                }
                Reply::Lost(error) => Err(error.in_call(export.path())),
            });
        });
        let args = |out: &mut Vec<u8>| call.encode_args(out);
        let (link, id) = (hold.link.clone(), hold.link.next_id());
        send_start((&link, id), call.export(), args, slot, bound.as_ref())?;
        Ok(Started { link, id })
    }

    /// Asks the actor to end, with everything below it, and waits until its runtime has heard,
    /// which it does whatever its user code is doing. Its nursery sees to it that it ends.
    ///
    /// An actor that has ended already was cancelled successfully.
    ///
    /// # Cancellation
    ///
    /// Shielded, for [`CANCEL_WITHIN`] (4 s) or until a deadline around it: cancels of the scope around
    /// it are put off until the answer is here. Dropped, the request stands.
    ///
    /// # Errors
    ///
    /// [`Ending::LinkLost`] if there is no answer: its process is stopped, or its machine is far
    /// too busy. If it is a child of ours, it is killed.
    pub async fn cancel_actor(&self) -> Result<(), Error> {
        self.cancel_actor_within(CANCEL_WITHIN).await
    }

    /// As [`cancel_actor`](Self::cancel_actor), but killed after `remaining`, if that is less than
    /// [`CANCEL_WITHIN`] (4 s): a longer time has no effect.
    ///
    /// # Cancellation
    ///
    /// As [`cancel_actor`](Self::cancel_actor), for `remaining`.
    ///
    /// # Errors
    ///
    /// As [`cancel_actor`](Self::cancel_actor).
    pub async fn cancel_actor_within(&self, remaining: Duration) -> Result<(), Error> {
        let by = current_actor().ok().map(|actor| actor.aid().clone());
        let stop = Stop {
            by: by.clone(),
            reason: CancelReason::Asked,
            remaining,
        };
        let hold = match self.reach().await {
            Ok(hold) => hold,
            // Where it listened nobody does: it has ended.
            Err(error) if matches!(error.ending(), Ending::LinkLost { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(hold) = hold else {
            if let Ok(actor) = current_actor() {
                actor.cancel(
                    Cancellation {
                        by,
                        reason: stop.reason,
                    },
                    remaining,
                );
            }
            return Ok(());
        };
        let link = &hold.link;
        let cancellation = Cancellation {
            by,
            reason: stop.reason,
        };
        let (tell, told) = oneshot::channel();
        link.will_cancel_peer(&cancellation);
        // Before the owner's request, so that the answer comes before anything of what ends there.
        stop.send(link, move |heard| {
            // Whoever asked may have been dropped; the request stands.
            let _ = tell.send(heard);
        });
        link.cancel_peer(&cancellation, remaining);
        let left = scope::current_deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let patience = left.map_or(remaining, |left| left.min(remaining));
        // What ends there may be what a scope around this waits for: it is cancelled by what was
        // asked here, and goes on with the answer nevertheless.
        match scope::shield(timeout(patience, told)).await {
            // A link that is lost now means an actor that ends or has ended.
            Ok(Some(Ok(_) | Err(oneshot::Canceled))) => Ok(()),
            Ok(None) | Err(_) => {
                let reason = format!("it did not answer within {patience:?}");
                Err(Error::new(self.aid().clone(), Ending::LinkLost { reason })
                    .with_pid(self.pid()))
            }
        }
    }

    /// Asks the actor's runtime for a sign of life, for at most `within`.
    ///
    /// The runtime answers whatever the actor's user code is doing; a stopped process is told
    /// apart from one that is only slow.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    pub async fn probe(&self, within: Duration) -> Liveness {
        let hold = match self.reach().await {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                return Liveness::Answering {
                    after: Duration::ZERO,
                };
            }
            Err(_) => return Liveness::Gone,
        };
        if hold.link.is_closed() {
            return Liveness::Gone;
        }
        let begin = Instant::now();
        let (tell, told) = oneshot::channel();
        hold.link.ping(move || {
            // Whoever asked may have been dropped.
            let _ = tell.send(());
        });
        match timeout(within, told).await {
            Some(Ok(())) => Liveness::Answering {
                after: begin.elapsed(),
            },
            Some(Err(oneshot::Canceled)) => Liveness::Gone,
            None => match Process::open(self.pid()) {
                Err(error) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => Liveness::Gone,
                Ok(process) if process.has_exited() => Liveness::Gone,
                Ok(process) if matches!(process.state(), Some('T' | 't')) => Liveness::Stopped,
                // It is there, or we have no descriptor to find that out.
                Ok(_) | Err(_) => Liveness::Silent,
            },
        }
    }
}

/// A call whose answer is told to somebody.
#[doc(hidden)]
pub struct Started {
    link: Arc<Link>,
    id: u64,
}

impl Started {
    /// Asks the callee to cancel the function. Its answer is told as any other: so it is known
    /// when the function has been dropped.
    pub fn cancel(&self) {
        if !self.link.is_closed() {
            // A cancel has no payload that could be too long. It goes out behind the start.
            let _ = self.link.send(Kind::Cancel, self.id, &[]);
            gather::flush_planned(&self.link);
        }
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Started({} over {:?})", self.id, self.link)
    }
}

impl Serialize for Portal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.contact.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Portal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Contact::deserialize(deserializer).map(Self::of)
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Portal({:?})", self.inner.contact.aid)
    }
}

/// Waits for `future` at most `within`, on the runtime's own clock.
async fn timeout<F: Future + Unpin>(within: Duration, future: F) -> Option<F::Output> {
    match select(future, sleep(within)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
