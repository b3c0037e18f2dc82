//! What is asked of the root's tree, and how it answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tractor_core::io::link::Link;
use tractor_core::services::{self, Responder, Service, ServiceId};
use tractor_core::{Actor, Contact, Ending, Error, Refusal, current_actor};
use tractor_ipc::{ActorId, Address, codec};

use super::{Report, Tree};
use crate::dump;

/// What is asked of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Request {
    /// Tell when none of these is there any more, nor one of which nobody was told.
    AwaitGone(Vec<ActorId>),
    /// Tell on standard error what everybody is doing.
    Dump,
    /// Listen on the loopback interface, and tell where.
    ListenOnLoopback,
}

/// The root's answer to [`Request::ListenOnLoopback`]: where, or why not.
#[derive(Debug, Serialize, Deserialize)]
struct Listening(Result<Address, String>);

impl Tree {
    /// Calls `done` when everything that the dead `aid` had started is gone too. One that has ended
    /// `in_order` has waited for that itself, but for what it lost.
    pub(crate) fn when_subtree_gone(
        self: &Arc<Self>,
        actor: &'static Actor,
        aid: &ActorId,
        in_order: bool,
        done: impl FnOnce() + Send + 'static,
    ) {
        self.reap_orphans();
        let below = self.lock().below.below(aid);
        if below.is_empty() {
            return if in_order {
                done();
            } else {
                // In the root: others do not know of any.
                self.strays.when_no_actor(done);
            };
        }
        let request = Request::AwaitGone(below.clone());
        let request = codec::encode(&request).expect("names always encode");
        actor.ask_root_then(
            ServiceId::TREE,
            "the end of a subtree",
            &request,
            move |answer| {
                if let Err(error) = answer {
                    log::debug!("the end of a subtree is not known: {error}");
                }
                // Their own parents cannot say it any more.
                for aid in below {
                    Self::report(actor, &Report::Gone { aid });
                }
                done();
            },
        );
    }

    /// In the root: answers when none of these is there any more, and no stray actor either.
    pub(super) fn answer_when_gone(self: &Arc<Self>, mut who: Vec<ActorId>, responder: Responder) {
        let mut state = self.lock();
        who.retain(|aid| state.below.contains(aid));
        if who.is_empty() {
            drop(state);
            self.strays.when_no_actor(move || responder.answer(&[]));
        } else {
            state.waiting.push((who, responder));
        }
    }

    /// Has the root, and everybody below it, tell what it is doing.
    pub(crate) fn ask_for_dump(actor: &Actor) {
        let request = codec::encode(&Request::Dump).expect("a number always encodes");
        actor.ask_root_then(ServiceId::TREE, "a dump of the tree", &request, |answer| {
            if let Err(error) = answer {
                log::warn!("no dump of the tree: {error}");
            }
        });
    }

    /// How the root is reached by TCP, whether or not it was so far; for the start of `aid`, which
    /// fails if the root cannot listen.
    pub(crate) async fn root_on_loopback(actor: &Actor, aid: &ActorId) -> Result<Contact, Error> {
        let root = actor.identity().root.clone();
        if matches!(root.address, Some(Address::Tcp(_))) {
            return Ok(root);
        }
        let request = codec::encode(&Request::ListenOnLoopback).expect("a number always encodes");
        let what = "an address of the root";
        let answer = actor.ask_root(ServiceId::TREE, what, &request).await?;
        let Listening(address) = services::decode(&answer).map_err(|reason| {
            Error::new(
                root.aid.clone(),
                Ending::Refused(Refusal::BadResult(reason)),
            )
        })?;
        let address =
            address.map_err(|reason| Error::new(aid.clone(), Ending::NotSpawned { reason }))?;
        Ok(Contact {
            address: Some(address),
            ..root
        })
    }
}

/// A service is called by reference, the tree hands itself on: this joins the two.
pub(crate) struct TreeService(pub(crate) Arc<Tree>);

impl Service for TreeService {
    fn request(&self, payload: &[u8], responder: Responder) {
        match services::decode(payload) {
            Ok(Request::AwaitGone(who)) => {
                self.0.reap_orphans();
                self.0.answer_when_gone(who, responder);
            }
            Ok(Request::Dump) => {
                dump::begin();
                responder.answer(&[]);
            }
            Ok(Request::ListenOnLoopback) => {
                let listening = Listening(listen_on_loopback());
                let answer = codec::encode(&listening).expect("an address always encodes");
                responder.answer(&answer);
            }
            Err(reason) => responder.fail(Ending::Refused(Refusal::BadArguments(reason))),
        }
    }

    fn report(&self, from: Option<&Arc<Link>>, payload: &[u8]) -> Result<(), String> {
        self.0.handle(from, services::decode(payload)?);
        Ok(())
    }
}

fn listen_on_loopback() -> Result<Address, String> {
    let actor = current_actor().map_err(|error| error.to_string())?;
    let listening = match tractor_core::fault!("far.root_listens", error) {
        Some(error) => Err(error),
        None => actor.listen_on_loopback(),
    };
    listening.map_err(|error| format!("the root cannot listen on the loopback interface: {error}"))
}
