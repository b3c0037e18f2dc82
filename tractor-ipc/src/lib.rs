//! The wire of `tractor`: what two actors say to each other and the sockets they say it through.
//!
//! It takes typed values and gives typed values on the other side of a process border, in whole
//! frames, in order, with a stated reason when that ends. It knows neither actors' lives nor
//! calls, and it starts no thread: [`FrameDecoder`] and [`Handshake`] are pure state machines,
//! [`Socket`] and [`Listener`] are the only places where a socket is touched, and [`Channel`]
//! joins them for blocking use. Start with [`Channel`]; a runtime with its own event loop takes
//! [`Socket`] and [`FrameDecoder`] apart.
//!
//! Nothing that arrives is trusted: every length is compared with a limit of [`limits`] before
//! anything is allocated, nesting is bounded, and a connection that was made by address has to
//! prove that it knows the tree's secret before anything else is read from it.
//!
//! # Examples
//!
//! Two ends in one process exchange a typed message:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tractor_ipc::{Channel, Kind, Socket, codec};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Order {
//!     item: String,
//!     pieces: u32,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ours, theirs) = Socket::pair()?;
//! let mut client = Channel::new(ours);
//! let mut server = Channel::new(Socket::from_owned_fd(theirs)?);
//!
//! let order = Order { item: "tea".into(), pieces: 3 };
//! client.send(Kind::Request, 1, &codec::encode(&order)?)?;
//!
//! let frame = server.recv(None)?;
//! assert_eq!((frame.kind, frame.id), (Kind::Request, 1));
//! assert_eq!(codec::decode::<Order>(&frame.payload)?, order);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

// Every bound of the wire, with its reason.
pub mod limits;

// Who an actor is.
pub mod aid;

// Where an actor listens.
pub mod addr;

// What the actors of one tree have in common: its id, its build and its secret.
pub mod tree;

// Values to bytes and back.
pub mod codec;

// Byte strings that are not copied on their way.
pub mod bytes;

// The kinds of frames, and the payloads that the handshake exchanges.
pub mod message;

// Bytes to frames and back.
pub mod frame;

// Mutual proof that both ends belong to one tree.
pub mod handshake;

// Sockets and listeners.
pub mod transport;

// What only one system has.
mod os;

// Whole messages in order, blocking.
pub mod channel;

pub use self::bytes::Bytes;
pub use addr::{Address, ParseAddressError};
pub use aid::{ActorId, NameError};
pub use channel::{Channel, ChannelError, CloseReason, OwnedFrame};
pub use codec::{DecodeError, EncodeError};
pub use frame::{Frame, FrameDecoder, FrameError, FrameStart, Payload, PayloadTooLong};
pub use handshake::{Handshake, HandshakeError, Local, PROTOCOL_VERSION, Peer, Step};
pub use message::{FROM_CALLEE, Kind, UnknownKind};
pub use os::Credentials;
pub use transport::{AcceptError, Listener, Socket, peer_of};
pub use tree::{BuildId, TreeId, TreeSecret};
