//! The wire from outside: properties over random bytes and cuts, and real sockets.

/// Channels: order, timeouts, reasons.
mod channels;
/// Values survive; garbage neither panics nor costs.
mod codec;
/// Frames survive any cutting.
mod frames;
/// What is fuzzed, by chance.
mod fuzzed;
/// Handshakes survive honest peers only.
mod handshakes;
/// Sockets and listeners.
mod sockets;
