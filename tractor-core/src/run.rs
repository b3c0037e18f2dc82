//! [`Run`]: a call on its way to another actor and back.

use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use tractor_ipc::{DecodeError, EncodeError, Kind};

use crate::actor::{self, Actor};
use crate::call::{Call, Failure};
use crate::calls::{Reply, Slot, What};
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::exports::{Body, Export, Start};
use crate::fairness;
use crate::io::engine;
use crate::io::gather;
use crate::io::link::{Awaited, Link};
use crate::io::looking;
use crate::panics;
use crate::peers::Hold;
use crate::portal::Portal;
use crate::rt;
use crate::scope::{self, Bound};
use crate::start::{self, Header};
use crate::stream::transit::{self, Leaving};

/// More calls than this in flight on one link are gathered and sent together.
const GATHER_ABOVE: usize = 2;

/// A call on its way: the future that [`Portal::run`](crate::Portal::run) gives.
///
/// # Cancellation
///
/// Cancel-relays: dropping it after its first poll asks the callee to cancel the function, which
/// is dropped there at its next wait; nobody is kept waiting for that. A deadline of the scope
/// that it is first polled in travels with it: the function is cancelled at it.
///
/// # Errors
///
/// [`Error`]: what the function returned or how it ended ([`Ending::Failed`],
/// [`Ending::Panicked`], [`Ending::Cancelled`]), how the actor ended that ran it
/// ([`Ending::Signaled`], [`Ending::Exited`]), the link that was lost ([`Ending::LinkLost`]), or
/// why the actor did not take the call ([`Ending::Refused`]).
#[must_use = "a call does nothing before it is awaited"]
pub struct Run<T, E: Failure> {
    state: State<T, E>,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    export: &'static Export,
    portal: Portal,
}

enum State<T, E: Failure> {
    /// Not polled yet.
    Ready(Call<T, E>),
    /// Its actor is being connected with.
    Reaching(
        Call<T, E>,
        BoxFuture<'static, Result<Option<Arc<Hold>>, Error>>,
    ),
    /// Sent, not answered.
    Sent(Sent),
    /// It runs in this very actor.
    Local(BoxFuture<'static, Result<Encoded, Error>>),
    Done,
}

/// An encoded result, and the ends of streams in it.
type Encoded = (Vec<u8>, Vec<Leaving>);

/// A call that was sent. Dropped before its answer came, it cancels the function.
struct Sent {
    hold: Arc<Hold>,
    id: u64,
    slot: Arc<Slot>,
    /// The deadline that was given with it.
    bound: Option<Bound>,
    looked: bool,
    /// Since when it waits, in a case in which it might have looked.
    since: Option<Instant>,
    _awaited: Awaited,
}

impl<T, E: Failure> Run<T, E> {
    pub(crate) fn new(call: Call<T, E>, portal: Portal) -> Self {
        let (decode, export) = (call.decoder(), call.export());
        Self {
            state: State::Ready(call),
            decode,
            export,
            portal,
        }
    }

    /// Gives the function's own error as its own type, apart from what else can go wrong.
    ///
    /// # Cancellation
    ///
    /// Cancel-relays, like the call itself.
    ///
    /// # Errors
    ///
    /// The outer one is whatever was not the function's own doing.
    pub async fn nested(self) -> Result<Result<T, E>, Error>
    where
        E: DeserializeOwned,
    {
        let export = self.export;
        match self.await {
            Ok(value) => Ok(Ok(value)),
            Err(error) => error.into_returned(export).map(Err),
        }
    }

    fn decoded(&self, bytes: &[u8]) -> Result<T, Error> {
        (self.decode)(bytes).map_err(|error| {
            let refusal = Refusal::BadResult(error.to_string());
            Error::new(self.portal.aid().clone(), Ending::Refused(refusal))
                .in_call(self.export.path())
        })
    }
}

impl<T, E: Failure> Future for Run<T, E> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Ready(_) | State::Reaching(..) = &this.state {
            let begun = ready!(this.begin(cx));
            this.state = match begun {
                Ok(state) => state,
                Err(error) => return Poll::Ready(Err(error)),
            };
            if let State::Sent(sent) = &mut this.state
                && fairness::must_yield()
            {
                if let Some(reply) = sent.slot.take_or_wait(cx.waker()) {
                    return Poll::Ready(this.finish(reply));
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        match &mut this.state {
            State::Sent(sent) => {
                let reply = ready!(sent.poll(cx));
                Poll::Ready(this.finish(reply))
            }
            State::Local(future) => {
                let result = ready!(future.as_mut().poll(cx));
                this.state = State::Done;
                Poll::Ready(result.and_then(|(bytes, ends)| {
                    transit::receiving_here(ends, || this.decoded(&bytes))
                }))
            }
            State::Ready(_) | State::Reaching(..) | State::Done => {
                panic!("{this:?} was polled after it was ready")
            }
        }
    }
}

impl<T, E: Failure> Run<T, E> {
    /// Sends the call, or starts it here, as soon as its actor is connected with.
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<State<T, E>, Error>> {
        let (call, hold) = match std::mem::replace(&mut self.state, State::Done) {
            State::Ready(call) => match self.portal.known() {
                Some(hold) => (call, Ok(hold)),
                None => {
                    let portal = self.portal.clone();
                    let reaching = Box::pin(async move { portal.reach().await });
                    self.state = State::Reaching(call, reaching);
                    return self.begin(cx);
                }
            },
            State::Reaching(call, mut reaching) => match reaching.as_mut().poll(cx) {
                Poll::Ready(hold) => (call, hold),
                Poll::Pending => {
                    self.state = State::Reaching(call, reaching);
                    return Poll::Pending;
                }
            },
            State::Sent(_) | State::Local(_) | State::Done => {
                unreachable!("only a call that was not sent is begun")
            }
        };
        let in_call = |error: Error| error.in_call(self.export.path());
        Poll::Ready(hold.map_err(in_call).and_then(|hold| begin(&call, hold)))
    }

    fn finish(&mut self, reply: Reply) -> Result<T, Error> {
        let bound = match &mut self.state {
            State::Sent(sent) => sent.bound.take(),
            _ => None,
        };
        self.state = State::Done;
        match reply {
            Reply::Returned(bytes) => self.decoded(&bytes),
            Reply::ReturnedWith(bytes, ends) => transit::receiving(ends, || self.decoded(&bytes)),
            Reply::Failed(bytes) => {
                let callee = self.portal.aid();
                let error = Error::answered(callee, self.export, &bytes, bound.as_ref());
                Err(error.unwrap_or_else(|error| {
                    let refusal = Refusal::BadResult(error.to_string());
                    Error::new(callee.clone(), Ending::Refused(refusal)).in_call(self.export.path())
                }))
            }
            Reply::Lost(error) => Err(error.in_call(self.export.path())),
        }
    }
}

/// Sends the call, or starts it here.
fn begin<T, E: Failure>(call: &Call<T, E>, hold: Option<Arc<Hold>>) -> Result<State<T, E>, Error> {
    let refused = |refusal| actor::local_error(Ending::Refused(refusal), Some(call.export()));
    let Some(hold) = hold else {
        let mut args = Vec::new();
        let (encoded, ends) = transit::packing(|| call.encode_args(&mut args));
        let own = actor::current_actor().ok().map(Actor::aid);
        encoded.map_err(|error| refused(Refusal::not_sent(own, &error)))?;
        return Ok(State::Local(Box::pin(run_here(call.export(), args, ends))));
    };
    let slot = Slot::new(What::Export(call.export()));
    let link = hold.link.clone();
    let awaited = link.await_call();
    let id = link.next_id();
    let args = |out: &mut Vec<u8>| call.encode_args(out);
    let bound = scope::bound();
    send_start(
        (&link, id),
        call.export(),
        args,
        slot.clone(),
        bound.as_ref(),
    )?;
    Ok(State::Sent(Sent {
        hold,
        id,
        slot,
        bound,
        looked: false,
        since: None,
        _awaited: awaited,
    }))
}

/// Sends the request that starts a function as the call `id`; the answer fills `slot`.
/// It has until `bound`.
pub(crate) fn send_start(
    (link, id): (&Arc<Link>, u64),
    function: &'static Export,
    encode_args: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    slot: Arc<Slot>,
    bound: Option<&Bound>,
) -> Result<(), Error> {
    let refused = |refusal| actor::local_error(Ending::Refused(refusal), Some(function));
    let export = function
        .index()
        .ok_or_else(|| refused(Refusal::UnknownExport))?;
    let signature = start::signature(export).ok_or_else(|| refused(Refusal::UnknownExport))?;
    let left = bound.map(|bound| bound.at.saturating_duration_since(Instant::now()));
    let remaining = left.map(start::callee_share);
    let mut payload = Vec::with_capacity(64);
    Header {
        export,
        signature,
        remaining,
    }
    .write(&mut payload);
    let not_sent = |reason: &dyn Display| refused(Refusal::not_sent(link.peer(), reason));
    let (encoded, ends) = transit::packing(|| encode_args(&mut payload));
    encoded.map_err(|error| not_sent(&error))?;
    if let Err(error) = link.enter_call(id, slot) {
        transit::lose(ends, &error);
        return Err(error.in_call(function.path()));
    }
    if let Err(error) = transit::send_ahead(link, id, &payload, ends) {
        link.leave_call(id);
        return Err(not_sent(&error));
    }
    let gather = link.calls_out.load(Ordering::Relaxed) > GATHER_ABOVE;
    if let Err(error) = link.send_owned(Kind::Start, id, payload, gather) {
        link.leave_call(id);
        return Err(not_sent(&error));
    }
    if gather {
        gather::flush_soon(link);
    }
    Ok(())
}

impl Sent {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        if let Some(reply) = self.slot.try_take() {
            let link = &self.hold.link;
            if let Some(since) = self.since.take() {
                link.look.waited(since.elapsed());
            }
            return Poll::Ready(reply);
        }
        if !std::mem::replace(&mut self.looked, true) {
            // One call at a time may look: with more in flight the leader is faster for all.
            let alone = engine().calls_out.load(Ordering::Relaxed) == 1;
            let link = &self.hold.link;
            if alone && !link.look.is_good() {
                self.since = Some(Instant::now());
            }
            if alone
                && looking::look(link, &link.look, || self.slot.is_filled())
                && let Some(reply) = self.slot.try_take()
            {
                return Poll::Ready(reply);
            }
        }
        fairness::reset();
        match self.slot.take_or_wait(cx.waker()) {
            Some(reply) => Poll::Ready(reply),
            None => Poll::Pending,
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.slot.is_filled() {
            return;
        }
        let link = &self.hold.link;
        if link.leave_call(self.id).is_some() && !link.is_closed() {
            // A cancel has no payload that could be too long. It goes out behind the start.
            let _ = link.send(Kind::Cancel, self.id, &[]);
            gather::flush_planned(link);
        }
    }
}

/// Runs an export in this actor, through the same code as for a peer: arguments and result are
/// encoded, a panic ends the call only.
async fn run_here(
    export: &'static Export,
    args: Vec<u8>,
    ends: Vec<Leaving>,
) -> Result<Encoded, Error> {
    let failed = |ending| actor::local_error(ending, Some(export));
    let Start::Call(start) = export.start else {
        return Err(failed(Ending::Refused(Refusal::Misused(Misuse::OwnActor))));
    };
    let body = panics::catch(|| transit::receiving_here(ends, || start(&args))).map_err(failed)?;
    let body = body.map_err(|error| failed(Ending::Refused(Refusal::of_arguments(&error))))?;
    let (result, ends) = match body {
        Body::Async(mut future) => {
            std::future::poll_fn(|cx| match panics::catch(|| future.as_mut().poll(cx)) {
                Ok(poll) => poll.map(|result| (result, transit::take_answered())),
                Err(panicked) => Poll::Ready((Err(panicked), Vec::new())),
            })
            .await
        }
        Body::Blocking(function) => {
            let (tell, told) = futures::channel::oneshot::channel();
            rt::spawn_blocking(move || {
                let result = panics::catch(function).unwrap_or_else(Err);
                // The caller may have been dropped meanwhile.
                let _ = tell.send((result, transit::take_answered()));
            });
            let closing = |_| (Err(Ending::Refused(Refusal::Closing)), Vec::new());
            told.await.unwrap_or_else(closing)
        }
    };
    result.map(|bytes| (bytes, ends)).map_err(failed)
}

impl<T, E: Failure> fmt::Debug for Run<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} in {})", self.export.path(), self.portal.aid())
    }
}
