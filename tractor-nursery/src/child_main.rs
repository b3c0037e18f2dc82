//! What a child process does from its first act to its exit.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tractor_core::actor::Identity;
use tractor_core::io as engine;
use tractor_core::io::link::{Link, LinkOwner};
use tractor_core::logging::{self, LogSettings};
use tractor_core::process::{self, Boot, build_id};
use tractor_core::timer::{self, Timer};
use tractor_core::{
    Actor, CancelReason, Cancellation, Ending, Error, current_actor, exports, fault, runtime_vars,
    stop,
};
use tractor_ipc::limits::HANDSHAKE_MS_MAX;
use tractor_ipc::{Channel, CloseReason, Kind, Socket, codec};

use crate::invited::{connect_back, with_reason};
use crate::spec::{ActorSpec, Ready, Spec, Stopped};
use crate::tree::{Report, Tree};
use crate::{debugger, runtime, signals};

/// The exit code of a child that could not become an actor.
const BOOT_FAILED: i32 = 70;
/// The exit code of an actor that ends because it lost the link to its parent. Programs rarely use
/// it themselves, so a parent that lost the link too can tell.
pub(crate) const LINK_LOST: i32 = 171;
/// How long a child whose parent's link is lost has before it leaves, whatever its code does.
const ORPHAN_GRACE: Duration = Duration::from_millis(500);

/// Becomes the actor, or the test's root, that the parent wants.
pub(crate) fn begin(boot: Boot) -> Begun {
    fault::start();
    match receive(boot) {
        Ok((channel, Spec::Actor(spec))) => {
            let code = be_actor(channel, *spec);
            leave(code)
        }
        Ok((channel, Spec::TestRoot { tree })) => Begun { channel, tree },
        Ok((_, Spec::ConnectBack(_))) => fail("it was sent on twice"),
        Err(error) => fail(&error.to_string()),
    }
}

/// A process that is to be the root of a test's tree.
pub(crate) struct Begun {
    pub(crate) channel: Channel,
    pub(crate) tree: tractor_ipc::TreeId,
}

fn receive(boot: Boot) -> io::Result<(Channel, Spec)> {
    let socket = Socket::from_owned_fd(boot.enter()?)?;
    let mut channel = Channel::new(socket);
    match receive_spec(&mut channel)? {
        Spec::ConnectBack(invitation) => {
            let secret = invitation.secret.clone();
            let mut channel = connect_back(*invitation)?;
            let mut spec = receive_spec(&mut channel)?;
            if let Spec::Actor(spec) = &mut spec {
                spec.secret = Some(secret);
            }
            Ok((channel, spec))
        }
        spec => Ok((channel, spec)),
    }
}

fn receive_spec(channel: &mut Channel) -> io::Result<Spec> {
    let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
    let frame = channel.recv(Some(limit)).map_err(with_reason)?;
    if frame.kind != Kind::Spec {
        return Err(io::Error::other(format!(
            "the parent sent a {:?} frame first",
            frame.kind
        )));
    }
    codec::decode(&frame.payload).map_err(io::Error::other)
}

fn be_actor(channel: Channel, spec: ActorSpec) -> i32 {
    fault::set_actor_name(spec.aid.name());
    tractor_core::fault!("boot.spec");
    if let Err(error) = signals::mark() {
        // Only an orphan whose parent could not tell of it may then stay unreaped.
        log::debug!("catch the signal that marks an actor: {error}");
    }
    if let Err(error) = process::set_process_name(spec.aid.name()) {
        log::debug!("name the process: {error}");
    }
    if spec.output_to_stderr
        && let Err(error) = rustix::stdio::dup2_stdout(rustix::stdio::stderr())
    {
        fail(&format!(
            "join the standard output with the standard error: {error}"
        ));
    }
    let settings = LogSettings {
        filter: Some(spec.log_filter.clone()),
        actor: spec.aid.clone(),
    };
    if let Err(error) = logging::init(settings) {
        fail(&error.to_string());
    }
    match start(channel, spec) {
        Ok((actor, link)) => serve(actor, &link),
        Err(error) => fail(&error.to_string()),
    }
}

fn start(channel: Channel, spec: ActorSpec) -> io::Result<(&'static Actor, Arc<Link>)> {
    let build = build_id(exports::digest())?;
    if build != spec.build {
        let theirs = spec.build;
        return Err(io::Error::other(format!(
            "we run build {build}, our parent {theirs}"
        )));
    }
    runtime_vars::install(spec.vars);
    let identity = Identity {
        aid: spec.aid,
        parent: Some(spec.parent.clone()),
        depth: spec.depth,
        tree: spec.tree,
        build,
        secret: spec
            .secret
            .ok_or_else(|| io::Error::other("the parent did not tell the secret of the tree"))?,
        root: spec.root,
    };
    let actor = Actor::install(identity, spec.exposed.as_deref()).map_err(io::Error::other)?;
    engine::start_threads(spec.threads)?;
    signals::listen()?;
    runtime::install(actor, Tree::new(None), spec.limits);
    if let Some(pipe) = spec.fatal_pipe
        && let Err(error) = tractor_debug::tell_of_fatal_signals(pipe, actor.identity().root.pid)
    {
        log::warn!("fatal signals of this actor have no prompts: {error}");
    }
    if let Some(address) = &spec.listen
        && let Err(error) = actor.listen(address)
    {
        log::warn!("listen at {address}: {error}; others reach this actor by its parent only");
    }
    let (socket, decoder) = channel.into_parts();
    let link = Link::start(socket, decoder, Some(spec.parent), Box::new(ParentLink))?;
    actor.set_parent_link(link.clone());
    tractor_core::fault!("boot.ready");
    let ready = Ready {
        address: actor.address(),
    };
    let payload = codec::encode(&ready).map_err(io::Error::other)?;
    link.send(Kind::Ready, 0, &payload)
        .map_err(io::Error::other)?;
    Ok((actor, link))
}

/// Lives until it is cancelled, then cleans up.
fn serve(actor: &'static Actor, link: &Link) -> i32 {
    // Not the executor's: an actor that is never called does not start it.
    futures::executor::block_on(async {
        let cancellation = actor.scope().cancelled().await;
        let remaining = actor.cancel_remaining().unwrap_or(Duration::MAX);
        let report = Report::Cancelling {
            aid: actor.aid().clone(),
            cancellation,
            remaining,
        };
        Tree::report(actor, &report);
        // Everybody was told to end when the actor was; what does not end in time is the business
        // of whoever told us.
        let within = remaining.min(Duration::from_secs(3600));
        let cleaned = debugger::within(within, async {
            runtime::everybody_gone().await;
            runtime::tasks_ended().await;
        });
        if !cleaned.await {
            log::warn!("the actor leaves although not everything in it has ended");
        }
    });
    actor.stop_listening();
    let payload = codec::encode(&Stopped::Cancelled).expect("a number always encodes");
    // A parent that is gone needs no word.
    let _ = link.send(Kind::Stopped, 0, &payload);
    // One that is there and has lost the link is told by the code.
    if link.is_closed() { LINK_LOST } else { 0 }
}

/// Ends the process without running what a returning `main` would run after us.
#[expect(
    clippy::disallowed_methods,
    reason = "every nursery is over, and the program's main must not go on in a child"
)]
pub(crate) fn leave(code: i32) -> ! {
    // What the user's code has printed and not ended with a line break.
    let _ = io::Write::flush(&mut io::stdout());
    std::process::exit(code)
}

/// Tells why there will be no actor. There may be no logger yet.
pub(crate) fn fail(reason: &str) -> ! {
    let line = format!(
        "tractor: pid {} cannot become an actor: {reason}\n",
        std::process::id()
    );
    // A closed standard error is no reason to panic.
    let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
    leave(BOOT_FAILED)
}

/// Owns the link to the parent.
struct ParentLink;

impl LinkOwner for ParentLink {
    fn frame(&self, link: &Arc<Link>, kind: Kind, id: u64, payload: &[u8]) -> Result<(), String> {
        match kind {
            Kind::Stop => {
                tractor_core::fault!("stop.received");
                stop::received(link, id, payload)
            }
            kind => Err(format!("a parent does not send {kind:?} frames")),
        }
    }

    fn closed(&self, link: &Arc<Link>, reason: &CloseReason) {
        let Some(parent) = link.peer() else { return };
        let reason = reason.to_string();
        link.lose_calls(Error::new(parent.clone(), Ending::LinkLost { reason }));
        let Ok(actor) = current_actor() else { return };
        let cancellation = Cancellation {
            by: Some(parent.clone()),
            reason: CancelReason::Parent,
        };
        actor.cancel(cancellation, ORPHAN_GRACE);
        // The kernel kills a child whose parent dies, unless it has changed its credentials; and
        // a parent that only closed the link kills it soon. This is for neither.
        Timer::forget(timer::schedule(Instant::now() + 2 * ORPHAN_GRACE, || {
            log::warn!("the actor leaves because its parent is gone");
            leave(LINK_LOST)
        }));
    }
}
