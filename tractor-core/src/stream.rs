//! [`SendStream`] and [`RecvStream`]: items between two actors, as fast as the reader reads.
//!
//! What is sent leaves by itself: items that are sent in one poll leave together when it is over.
//! The rules of credit are in `stream/credit.rs`; `docs/design/streams.md` has the protocol.

// How much may be on its way; pure.
pub(crate) mod credit;
// What stands in a frame of items; pure.
pub(crate) mod frame;
// Items that have arrived, and leave to send others.
pub(crate) mod inbound;
pub(crate) mod outbound;
// The two ends that a user holds.
mod recv;
mod send;

// Streams that are no part of a call: where their ends are; pure.
mod ends;
// The actor that made one, and ends that come from another.
pub(crate) mod arrivals;
mod home;
mod way;
// How ends travel with calls, and find each other.
pub(crate) mod tie;
pub(crate) mod transit;
// One is made, and its ends become bytes.
mod fresh;

pub use fresh::fresh_stream;
pub use recv::RecvStream;
pub use send::SendStream;
