//! Finding actors by name: [`find_actor`], [`wait_for_actor`] and [`query_actor`].

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use tractor_core::io::{self, Source, SourceKey, Watch};
use tractor_core::process::Process;
use tractor_core::services::{self, ServiceId};
use tractor_core::{Actor, Contact, Ending, Error, Portal, Refusal, current_actor, scope};
use tractor_ipc::codec;

use crate::registrar::{Found, Request};

/// How often a lookup is repeated whose result has died meanwhile. Each repetition needs another
/// death between the registrar's answer and the connection.
const TRIES_MAX: u32 = 16;

/// The actor of this name that became ready last, or `None`.
///
/// A dead actor is never given out: whoever ended is forgotten before anybody can ask, and one
/// that dies while the connection is made is looked up anew.
///
/// # Cancellation
///
/// Cancel-safe.
///
/// # Errors
///
/// [`Ending::LinkLost`] if a living actor does not answer, or an actor on the way to the root
/// died. [`Ending::Refused`] outside of an actor and when the root is ending.
pub async fn find_actor(name: &str) -> Result<Option<Portal>, Error> {
    let actor = current_actor()?;
    for _ in 0..TRIES_MAX {
        let found = ask(actor, "find_actor", &Request::Find(name.to_owned())).await?;
        let Some(contact) = found.into_iter().next() else {
            return Ok(None);
        };
        if let Some(portal) = connect(actor, contact).await? {
            return Ok(Some(portal));
        }
    }
    Ok(None)
}

/// The actor of this name that became ready last, as soon as there is one.
///
/// # Cancellation
///
/// Cancel-safe.
///
/// # Errors
///
/// As [`find_actor`]; [`Refusal::Closing`] if the root ends before such an actor is ready.
pub async fn wait_for_actor(name: &str) -> Result<Portal, Error> {
    let actor = current_actor()?;
    loop {
        let found = ask(actor, "wait_for_actor", &Request::Wait(name.to_owned())).await?;
        for contact in found {
            if let Some(portal) = connect(actor, contact).await? {
                return Ok(portal);
            }
        }
    }
}

/// All actors of this name, in the order in which they became ready, without connecting to them;
/// [`Portal::connect`] does that.
///
/// # Cancellation
///
/// Cancel-safe.
///
/// # Errors
///
/// As [`find_actor`].
pub async fn query_actor(name: &str) -> Result<Vec<Contact>, Error> {
    ask(
        current_actor()?,
        "query_actor",
        &Request::Query(name.to_owned()),
    )
    .await
}

async fn ask(actor: &Actor, what: &'static str, request: &Request) -> Result<Vec<Contact>, Error> {
    let refused = |refusal| Error::new(actor.aid().clone(), Ending::Refused(refusal));
    let request = codec::encode(request)
        .map_err(|error| refused(Refusal::not_sent(Some(&actor.identity().root.aid), &error)))?;
    let reply = actor.ask_root(ServiceId::REGISTRAR, what, &request).await?;
    let Found(found) =
        services::decode(&reply).map_err(|error| refused(Refusal::BadResult(error)))?;
    Ok(found)
}

/// Connects to an actor; `None` if it is dead, and then the registrar forgets it.
async fn connect(actor: &Actor, contact: Contact) -> Result<Option<Portal>, Error> {
    let (pid, aid) = (contact.pid, contact.aid.clone());
    match Portal::connect(contact).await {
        // A link that is kept may outlive its actor by a moment.
        Ok(portal) if !has_ended(pid) => return Ok(Some(portal)),
        Ok(_) => {}
        // An actor lets go of its sockets a moment before it is gone.
        Err(error) if !ends_soon(pid).await => return Err(error),
        Err(_) => {}
    }
    ask(actor, "find_actor", &Request::Forget(aid)).await?;
    Ok(None)
}

/// Whether there is no such process any more. Where that cannot be found out, for want of a
/// descriptor, it is not so: nobody alive is ever forgotten.
fn has_ended(pid: u32) -> bool {
    match Process::open(pid) {
        Ok(process) => process.has_exited(),
        Err(error) => error.raw_os_error() == Some(NO_SUCH_PROCESS),
    }
}

/// Waits a little for the end of a process, and tells whether it has ended.
async fn ends_soon(pid: u32) -> bool {
    let Ok(process) = Process::open(pid) else {
        return has_ended(pid);
    };
    let (tell, told) = oneshot::channel();
    let exit = Exit {
        process,
        tell: Mutex::new(Some(tell)),
    };
    let Ok(key) = io::watch(Arc::new(exit)) else {
        return has_ended(pid);
    };
    let _watching = Watching(key);
    scope::timeout(END_WITHIN, told)
        .await
        .is_ok_and(|told| told.is_ok())
}

/// How long an actor that refused a connection may take to be gone, before the refusal counts:
/// 100 ms, hundreds of times what an exit takes.
const END_WITHIN: Duration = Duration::from_millis(100);
/// ESRCH.
const NO_SUCH_PROCESS: i32 = 3;

/// Tells when a process has exited.
struct Exit {
    process: Process,
    tell: Mutex<Option<oneshot::Sender<()>>>,
}

impl Source for Exit {
    fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        let tell = self
            .tell
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(tell) = tell {
            // Whoever asked may have been dropped.
            let _ = tell.send(());
        }
        Watch::End
    }
}

/// Ends a watch that nobody waits for any more.
struct Watching(SourceKey);

impl Drop for Watching {
    fn drop(&mut self) {
        io::unwatch(self.0);
    }
}
