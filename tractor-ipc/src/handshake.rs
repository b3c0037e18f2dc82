//! Mutual proof that both ends of a connection belong to one tree, without showing the secret.
//!
//! Pure: messages in, messages out. The side that connected is the *initiator*.
//!
//! ```text
//! initiator                         acceptor
//!     | -- Hello (who, nonce) -------> |   version, tree and build are compared
//!     | <------- Hello (who, nonce) -- |   ... here too
//!     | -- Proof (mac "initiator") --> |   wrong: ends here, nothing was shown
//!     | <-- Welcome (mac "acceptor") - |   the channel is open
//! ```
//!
//! Each mac is HMAC-SHA-256 under the tree's secret over the role and both hellos as they were
//! sent, so it is good for one conversation, one direction and these two actors. The acceptor
//! computes its own only after it has verified the other, so nobody without the secret can have
//! it answer a challenge.

use std::mem;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::addr::Address;
use crate::aid::ActorId;
use crate::codec::{self, DecodeError};
use crate::message::{Hello, Kind, Proof, Welcome};
use crate::tree::{BuildId, TreeId, TreeSecret, random};

/// The version of everything on the wire: the frames, their kinds and the messages.
pub const PROTOCOL_VERSION: u32 = 3;

/// What one end of a handshake knows and says about itself.
#[derive(Debug, Clone)]
pub struct Local {
    /// The tree's secret, which is only ever used as a key.
    pub secret: TreeSecret,
    /// The tree.
    pub tree: TreeId,
    /// The build one runs.
    pub build: BuildId,
    /// Who one is.
    pub aid: ActorId,
    /// Where one listens, if anywhere.
    pub address: Option<Address>,
    /// Random bytes for this handshake alone ([`fresh_nonce`]).
    pub nonce: [u8; 32],
}

/// Random bytes for [`Local::nonce`].
///
/// # Panics
///
/// If the operating system has no randomness to give.
pub fn fresh_nonce() -> [u8; 32] {
    random()
}

/// Who the other end has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub aid: ActorId,
    /// The build it runs.
    pub build: BuildId,
    /// Where it listens, if anywhere.
    pub address: Option<Address>,
}

/// What to do after a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, and wait for the answer.
    Send(Kind, Vec<u8>),
    /// Send this; then the channel is open.
    SendAndDone(Kind, Vec<u8>, Peer),
    /// The channel is open.
    Done(Peer),
}

/// One end of a handshake.
///
/// # Examples
///
/// ```
/// use tractor_ipc::handshake::{Handshake, Local, Step, fresh_nonce};
/// use tractor_ipc::{ActorId, BuildId, TreeId, TreeSecret};
///
/// let (secret, tree) = (TreeSecret::fresh(), TreeId::fresh());
/// let local = |name| Local {
///     secret: secret.clone(),
///     tree,
///     build: BuildId(1),
///     aid: ActorId::fresh(name),
///     address: None,
///     nonce: fresh_nonce(),
/// };
/// let mut acceptor = Handshake::acceptor(local("server"));
/// let mut initiator = Handshake::initiator(local("client"));
///
/// let (kind, hello) = initiator.opening().expect("the initiator speaks first");
/// let Step::Send(kind, hello) = acceptor.handle(kind, &hello)? else { unreachable!() };
/// let Step::Send(kind, proof) = initiator.handle(kind, &hello)? else { unreachable!() };
/// let Step::SendAndDone(kind, welcome, client) = acceptor.handle(kind, &proof)? else {
///     unreachable!()
/// };
/// let Step::Done(server) = initiator.handle(kind, &welcome)? else { unreachable!() };
/// assert_eq!((client.aid.name(), server.aid.name()), ("client", "server"));
/// # Ok::<(), tractor_ipc::HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    local: Local,
    /// Our hello as it is sent.
    hello: Vec<u8>,
    state: State,
}

/// Where a handshake stands: it goes down one of the two columns, and from anywhere to `Over`.
#[derive(Debug)]
enum State {
    /// Initiator, at first: its hello is on the way.
    SentHello,
    /// Initiator, after the other's hello: its proof is on the way.
    SentProof { peer: Peer, their_hello: Vec<u8> },
    /// Acceptor, at first: it has said nothing.
    Silent,
    /// Acceptor, after the other's hello: its own is on the way.
    Challenged { peer: Peer, their_hello: Vec<u8> },
    /// Acceptor that did not like the other's hello.
    Refused,
    /// It succeeded or failed; there are no further messages.
    Over,
}

impl Handshake {
    /// The end that connected. It sends [`opening`](Self::opening) first.
    pub fn initiator(local: Local) -> Self {
        Self::new(local, State::SentHello)
    }

    /// The end that accepted. It waits for the other's hello.
    pub fn acceptor(local: Local) -> Self {
        Self::new(local, State::Silent)
    }

    fn new(local: Local, state: State) -> Self {
        let hello = Hello {
            tree: local.tree,
            build: local.build,
            aid: local.aid.clone(),
            address: local.address.clone(),
            nonce: local.nonce,
        };
        Self {
            hello: hello.to_payload(PROTOCOL_VERSION),
            local,
            state,
        }
    }

    /// What is sent before anything is received: the initiator's hello, `None` for an acceptor.
    pub fn opening(&self) -> Option<(Kind, Vec<u8>)> {
        matches!(self.state, State::SentHello).then(|| (Kind::Hello, self.hello.clone()))
    }

    /// What an acceptor that refused the other's hello sends before it closes: its own, so that
    /// the other can tell its user the same reason. Otherwise `None`.
    pub fn farewell(&self) -> Option<(Kind, Vec<u8>)> {
        matches!(self.state, State::Refused).then(|| (Kind::Hello, self.hello.clone()))
    }

    /// Takes the other end's next message.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: the other end's fault or a wrong connection. The handshake is over;
    /// the caller sends the [`farewell`](Self::farewell), if there is one, and closes.
    pub fn handle(&mut self, kind: Kind, payload: &[u8]) -> Result<Step, HandshakeError> {
        match (mem::replace(&mut self.state, State::Over), kind) {
            (State::SentHello, Kind::Hello) => {
                let peer = self.judge(payload)?;
                let mac = digest(&self.local.secret, Role::Initiator, &self.hello, payload);
                let proof = encoded(&Proof {
                    mac: mac.finalize().into_bytes().into(),
                });
                self.state = State::SentProof {
                    peer,
                    their_hello: payload.to_vec(),
                };
                Ok(Step::Send(Kind::Proof, proof))
            }
            (State::SentProof { peer, their_hello }, Kind::Welcome) => {
                let Welcome { mac } = codec::decode(payload)?;
                digest(
                    &self.local.secret,
                    Role::Acceptor,
                    &self.hello,
                    &their_hello,
                )
                .verify_slice(&mac)
                .map_err(|_| HandshakeError::WrongProof)?;
                Ok(Step::Done(peer))
            }
            (State::Silent, Kind::Hello) => {
                self.state = State::Refused;
                let peer = self.judge(payload)?;
                self.state = State::Challenged {
                    peer,
                    their_hello: payload.to_vec(),
                };
                Ok(Step::Send(Kind::Hello, self.hello.clone()))
            }
            (State::Challenged { peer, their_hello }, Kind::Proof) => {
                let Proof { mac } = codec::decode(payload)?;
                digest(
                    &self.local.secret,
                    Role::Initiator,
                    &their_hello,
                    &self.hello,
                )
                .verify_slice(&mac)
                .map_err(|_| HandshakeError::WrongProof)?;
                let mac = digest(
                    &self.local.secret,
                    Role::Acceptor,
                    &their_hello,
                    &self.hello,
                );
                let welcome = encoded(&Welcome {
                    mac: mac.finalize().into_bytes().into(),
                });
                Ok(Step::SendAndDone(Kind::Welcome, welcome, peer))
            }
            (_, kind) => Err(HandshakeError::Unexpected { kind }),
        }
    }

    /// Compares the other's hello with ours. What it says is believed only after its proof.
    fn judge(&self, payload: &[u8]) -> Result<Peer, HandshakeError> {
        let (version, rest) = Hello::split_version(payload)?;
        if version != PROTOCOL_VERSION {
            let (ours, theirs) = (PROTOCOL_VERSION, version);
            return Err(HandshakeError::OtherVersion { ours, theirs });
        }
        let hello: Hello = codec::decode(rest)?;
        if hello.nonce == self.local.nonce {
            return Err(HandshakeError::Reflected);
        }
        if hello.tree != self.local.tree {
            let (ours, theirs) = (self.local.tree, hello.tree);
            return Err(HandshakeError::OtherTree { ours, theirs });
        }
        if hello.build != self.local.build {
            let (ours, theirs) = (self.local.build, hello.build);
            return Err(HandshakeError::OtherBuild {
                aid: hello.aid,
                ours,
                theirs,
            });
        }
        Ok(Peer {
            aid: hello.aid,
            build: hello.build,
            address: hello.address,
        })
    }
}

/// Which end a mac speaks for, so that one end's cannot be sent back as the other's.
enum Role {
    Initiator,
    Acceptor,
}

fn digest(secret: &TreeSecret, role: Role, initiator: &[u8], acceptor: &[u8]) -> Hmac<Sha256> {
    let role: &[u8] = match role {
        Role::Initiator => b"tractor handshake: initiator\0",
        Role::Acceptor => b"tractor handshake: acceptor\0",
    };
    let mut mac = Hmac::new_from_slice(secret.as_bytes()).expect("a key may have any length");
    mac.update(role);
    // With its length in front, no byte can be moved from one hello to the other.
    mac.update(&(initiator.len() as u64).to_le_bytes());
    mac.update(initiator);
    mac.update(acceptor);
    mac
}

fn encoded<T: serde::Serialize>(message: &T) -> Vec<u8> {
    codec::encode(message).expect("32 bytes always encode")
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The peer speaks another version of the protocol.
    #[error("shake hands: we speak protocol version {ours}, the peer version {theirs}")]
    OtherVersion {
        /// [`PROTOCOL_VERSION`].
        ours: u32,
        /// The peer's.
        theirs: u32,
    },
    /// The peer belongs to another tree, so the address is not what the caller thought.
    #[error("shake hands: we belong to tree {ours}, the peer to tree {theirs}")]
    OtherTree {
        /// Our tree.
        ours: TreeId,
        /// The peer's.
        theirs: TreeId,
    },
    /// The peer runs another build of the program; its functions and types may differ.
    #[error("shake hands: we run build {ours}, the peer {aid} build {theirs}")]
    OtherBuild {
        /// Who the peer says it is.
        aid: ActorId,
        /// Our build.
        ours: BuildId,
        /// The peer's.
        theirs: BuildId,
    },
    /// The peer does not know the tree's secret, or its message belongs to another handshake.
    #[error("shake hands: the peer did not prove that it knows the secret of the tree")]
    WrongProof,
    /// The peer sent our own challenge back.
    #[error("shake hands: the peer sent our own challenge back")]
    Reflected,
    /// A message came out of turn.
    #[error("shake hands: a {kind:?} message came out of turn")]
    Unexpected {
        /// What came.
        kind: Kind,
    },
    /// A message could not be decoded.
    #[error("shake hands: a message is not understood")]
    Undecodable(#[from] DecodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Hello, Kind::Proof, Kind::Welcome, Kind::Start];

    fn local(name: &str, nonce: u8) -> Local {
        Local {
            secret: TreeSecret::new([1; 32]),
            tree: TreeId(2),
            build: BuildId(3),
            aid: ActorId::new(name, 4),
            address: Some(Address::Unix(format!("/run/{name}").into())),
            nonce: [nonce; 32],
        }
    }

    fn sent(step: Result<Step, HandshakeError>) -> (Kind, Vec<u8>) {
        match step.unwrap() {
            Step::Send(kind, payload) | Step::SendAndDone(kind, payload, _) => (kind, payload),
            Step::Done(peer) => panic!("nothing is sent to {peer:?}"),
        }
    }

    /// Both ends after the messages up to and including the acceptor's hello.
    struct Halfway {
        initiator: Handshake,
        acceptor: Handshake,
        hello: Vec<u8>,
        hello_back: Vec<u8>,
    }

    fn halfway(initiator: Local, acceptor: Local) -> Halfway {
        let (initiator, mut acceptor) = (
            Handshake::initiator(initiator),
            Handshake::acceptor(acceptor),
        );
        let (kind, hello) = initiator.opening().unwrap();
        let (_, hello_back) = sent(acceptor.handle(kind, &hello));
        Halfway {
            initiator,
            acceptor,
            hello,
            hello_back,
        }
    }

    #[test]
    fn both_learn_who_the_other_is() {
        let Halfway {
            mut initiator,
            mut acceptor,
            hello_back,
            ..
        } = halfway(local("a", 1), local("b", 2));
        let (kind, proof) = sent(initiator.handle(Kind::Hello, &hello_back));
        let Step::SendAndDone(kind, welcome, peer) = acceptor.handle(kind, &proof).unwrap() else {
            panic!("the acceptor is done");
        };
        assert_eq!(
            (peer.aid, peer.address),
            (local("a", 0).aid, local("a", 0).address)
        );
        let Step::Done(peer) = initiator.handle(kind, &welcome).unwrap() else {
            panic!("the initiator is done");
        };
        assert_eq!(
            (peer.aid, peer.address),
            (local("b", 0).aid, local("b", 0).address)
        );
    }

    #[test]
    fn another_secret_is_noticed_by_the_acceptor_before_it_answers() {
        let other = Local {
            secret: TreeSecret::new([9; 32]),
            ..local("a", 1)
        };
        let Halfway {
            mut initiator,
            mut acceptor,
            hello_back,
            ..
        } = halfway(other, local("b", 2));
        let (kind, proof) = sent(initiator.handle(Kind::Hello, &hello_back));
        assert_eq!(
            acceptor.handle(kind, &proof),
            Err(HandshakeError::WrongProof)
        );
        assert_eq!(acceptor.farewell(), None);
    }

    #[test]
    fn a_wrong_welcome_is_refused() {
        let Halfway {
            mut initiator,
            hello_back,
            ..
        } = halfway(local("a", 1), local("b", 2));
        let (_, proof) = sent(initiator.handle(Kind::Hello, &hello_back));
        // The initiator's own proof, reflected.
        assert_eq!(
            initiator.handle(Kind::Welcome, &proof),
            Err(HandshakeError::WrongProof)
        );
    }

    #[test]
    fn a_reflected_hello_is_refused() {
        let mut initiator = Handshake::initiator(local("a", 1));
        let (kind, hello) = initiator.opening().unwrap();
        assert_eq!(
            initiator.handle(kind, &hello),
            Err(HandshakeError::Reflected)
        );
    }

    #[test]
    fn a_replayed_proof_is_refused() {
        let Halfway {
            mut initiator,
            hello,
            hello_back,
            ..
        } = halfway(local("a", 1), local("b", 2));
        let (kind, proof) = sent(initiator.handle(Kind::Hello, &hello_back));
        // The same initiator's messages, recorded, to an acceptor with a fresh nonce.
        let mut acceptor = Handshake::acceptor(local("b", 3));
        sent(acceptor.handle(Kind::Hello, &hello));
        assert_eq!(
            acceptor.handle(kind, &proof),
            Err(HandshakeError::WrongProof)
        );
    }

    #[test]
    fn differences_name_both_sides() {
        let check = |other: Local, expected: &str| {
            let mut acceptor = Handshake::acceptor(local("b", 2));
            let mut initiator = Handshake::initiator(other);
            let (kind, hello) = initiator.opening().unwrap();
            let error = acceptor.handle(kind, &hello).unwrap_err();
            assert_eq!(error.to_string(), format!("shake hands: {expected}"));
            // The initiator comes to the mirrored conclusion.
            let (kind, hello) = acceptor.farewell().unwrap();
            let error = initiator.handle(kind, &hello).unwrap_err();
            assert!(
                !matches!(error, HandshakeError::Unexpected { .. }),
                "{error}"
            );
            assert_eq!(initiator.farewell(), None);
        };
        check(
            Local {
                build: BuildId(7),
                ..local("a", 1)
            },
            "we run build 0000000000000003, the peer 'a' build 0000000000000007",
        );
        check(
            Local {
                tree: TreeId(7),
                ..local("a", 1)
            },
            "we belong to tree 00000000000000000000000000000002, \
             the peer to tree 00000000000000000000000000000007",
        );
    }

    #[test]
    fn another_version_is_named_whatever_follows() {
        let mut acceptor = Handshake::acceptor(local("b", 2));
        let error = acceptor.handle(Kind::Hello, &[77, 0, 0, 0, 255, 255]);
        assert_eq!(
            error,
            Err(HandshakeError::OtherVersion {
                ours: PROTOCOL_VERSION,
                theirs: 77
            })
        );
    }

    #[test]
    fn every_message_out_of_turn_ends_it() {
        type Make = fn() -> Handshake;
        let states: [(Make, Option<Kind>); 5] = [
            (|| Handshake::initiator(local("a", 1)), Some(Kind::Hello)),
            (|| Handshake::acceptor(local("b", 2)), Some(Kind::Hello)),
            (
                || halfway(local("a", 1), local("b", 2)).acceptor,
                Some(Kind::Proof),
            ),
            (
                || {
                    let mut half = halfway(local("a", 1), local("b", 2));
                    sent(half.initiator.handle(Kind::Hello, &half.hello_back));
                    half.initiator
                },
                Some(Kind::Welcome),
            ),
            (
                || {
                    let mut failed = Handshake::acceptor(local("b", 2));
                    failed.handle(Kind::Hello, &[]).unwrap_err();
                    failed
                },
                None,
            ),
        ];
        for (make, expected) in states {
            for kind in KINDS {
                let mut handshake = make();
                // An empty payload is wrong everywhere, so each case ends.
                let error = handshake.handle(kind, &[]).unwrap_err();
                let in_turn = Some(kind) == expected;
                let unexpected = HandshakeError::Unexpected { kind };
                assert_eq!(
                    error != unexpected,
                    in_turn,
                    "{handshake:?} {kind:?} {error}"
                );
                for kind in KINDS {
                    let unexpected = Err(HandshakeError::Unexpected { kind });
                    assert_eq!(handshake.handle(kind, &[]), unexpected);
                }
            }
        }
    }

    #[test]
    fn a_handshake_never_shows_the_secret() {
        let text = format!("{:?}", Handshake::initiator(local("a", 1)));
        assert!(text.contains("TreeSecret(..)"), "{text}");
    }
}
