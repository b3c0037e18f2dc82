//! Actors as seen from outside the runtime: their sockets, by hand.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use tractor::{ActorId, Address, Call, Contact, Failure, Portal, current_actor};
use tractor_ipc::handshake::{Handshake, Local, fresh_nonce};
use tractor_ipc::{Channel, ChannelError, Kind, Listener, OwnedFrame, Peer, Socket, frame};

use crate::chance::Chance;
use crate::tree::{PROMPT, dir_of_tree};

/// Runs what blocks where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    async_std::task::spawn_blocking(f).await
}

/// What an actor of this tree that is called `name` would say of itself.
pub(crate) fn local(name: &str) -> Local {
    let identity = current_actor()
        .expect("a test's body is an actor")
        .identity();
    Local {
        secret: identity.secret.clone(),
        tree: identity.tree,
        build: identity.build,
        aid: ActorId::fresh(name),
        address: None,
        nonce: fresh_nonce(),
    }
}

pub(crate) fn address(portal: &Portal) -> Address {
    portal.contact().address.clone().expect("it listens")
}

/// A connection on which nothing was said yet.
pub(crate) fn raw(address: &Address) -> Channel {
    Channel::new(Socket::connect(address).expect("it accepts"))
}

/// A connection as a peer of the same tree.
pub(crate) async fn peer(address: &Address) -> Channel {
    as_peer(address, local("stranger"))
        .await
        .expect("it is of the same tree")
        .0
}

/// A connection as whoever `local` says.
pub(crate) async fn as_peer(
    address: &Address,
    local: Local,
) -> Result<(Channel, Peer), ChannelError> {
    let address = address.clone();
    blocking(move || Channel::connect(&address, local)).await
}

/// The next frame, which has to come soon.
pub(crate) async fn next(mut channel: Channel) -> (Channel, OwnedFrame) {
    blocking(move || {
        let frame = channel.recv(Some(PROMPT)).expect("a frame comes");
        (channel, frame)
    })
    .await
}

/// Waits for the other side to close, whatever it says before, and gives what it said.
pub(crate) async fn closed(mut channel: Channel, bound: Duration) -> Vec<OwnedFrame> {
    blocking(move || {
        let mut said = Vec::new();
        loop {
            match channel.recv(Some(bound)) {
                Ok(frame) => said.push(frame),
                Err(ChannelError::TimedOut) => panic!("still open after {bound:?}"),
                Err(_) => return said,
            }
        }
    })
    .await
}

/// That the other side is there and heeds frames.
pub(crate) async fn answers_a_ping(mut channel: Channel) -> Channel {
    let id = 0x00c0_ffee;
    channel.send(Kind::Ping, id, &[]).expect("it is open");
    let (channel, frame) = next(channel).await;
    assert_eq!((frame.kind, frame.id), (Kind::Pong, id));
    channel
}

/// Writes bytes that are no frames, past the channel.
pub(crate) fn write(channel: &Channel, bytes: &[u8]) -> io::Result<usize> {
    channel.socket().send(&[io::IoSlice::new(bytes)])
}

/// The bytes of a whole frame.
pub(crate) fn frame_of(kind: Kind, id: u64, payload: &[u8]) -> Vec<u8> {
    [&frame::header(kind, id, payload.len())[..], payload].concat()
}

/// Writes bytes in as many pieces as chance wants, wherever frames begin and end.
pub(crate) async fn write_in_pieces(channel: &Channel, bytes: &[u8], chance: &mut Chance) {
    let mut left = bytes;
    while !left.is_empty() {
        let (piece, rest) = left.split_at(1 + chance.below(left.len() as u64) as usize);
        assert_eq!(write(channel, piece).expect("it is open"), piece.len());
        chance.pause(1).await;
        left = rest;
    }
}

/// Bytes without any meaning: at least one, and so many at most.
pub(crate) fn garbage(chance: &mut Chance, most: u64) -> Vec<u8> {
    let length = 1 + chance.below(most);
    (0..length).map(|_| chance.below(256) as u8).collect()
}

/// Turns one bit over, whichever it is.
pub(crate) fn flip_a_bit(bytes: &mut [u8], chance: &mut Chance) {
    let bit = chance.below(8 * bytes.len() as u64) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// Somebody who listens as an actor of this tree would, and does what a test wants.
pub(crate) struct Fake {
    listener: Listener,
    contact: Contact,
}

impl Fake {
    pub(crate) fn new(name: &str) -> Self {
        let path: PathBuf = dir_of_tree().expect("the tree has a directory").join(name);
        let address = Address::Unix(path);
        let listener = Listener::bind(&address).expect("the tree's directory is writable");
        let contact = Contact {
            aid: ActorId::fresh(name),
            pid: std::process::id(),
            address: Some(address),
        };
        Self { listener, contact }
    }

    pub(crate) fn contact(&self) -> Contact {
        self.contact.clone()
    }

    /// What it has to say of itself to be believed.
    pub(crate) fn local(&self) -> Local {
        let address = self.contact.address.clone();
        Local {
            aid: self.contact.aid.clone(),
            address,
            ..local(self.contact.aid.name())
        }
    }

    /// Takes the next connection.
    pub(crate) async fn accept(self) -> (Self, Channel) {
        blocking(move || {
            let mut waiting = [PollFd::new(&self.listener, PollFlags::IN)];
            poll(&mut waiting, None).expect("a listener can be polled");
            let socket = self.listener.accept().expect("it can be accepted");
            let channel = Channel::new(socket.expect("it is there"));
            (self, channel)
        })
        .await
    }

    /// Has this actor connect to it, and shakes hands.
    pub(crate) async fn connected(self) -> (Portal, Channel) {
        let contact = self.contact();
        let accepting = async {
            let (fake, channel) = self.accept().await;
            let handshake = Handshake::acceptor(fake.local());
            blocking(move || channel.handshake(handshake))
                .await
                .expect("it is believed")
                .0
        };
        let (portal, channel) = futures::join!(Portal::connect(contact), accepting);
        (portal.expect("it is believed"), channel)
    }
}

/// What a frame holds that starts this call.
pub(crate) async fn start_of<T, E: Failure>(call: Call<T, E>) -> Vec<u8> {
    let (portal, channel) = Fake::new("callee").connected().await;
    let mut run = Box::pin(portal.run(call));
    assert!(futures::poll!(run.as_mut()).is_pending(), "nobody answers");
    let (_channel, frame) = next(channel).await;
    assert_eq!(frame.kind, Kind::Start);
    frame.payload
}

/// Bytes before the arguments of a call: the function's number, its signature, the time it has.
pub(crate) const START_HEADER_BYTES: usize = 20;
