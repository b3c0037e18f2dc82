//! Bounds of the wire, each with the reason for its number.
//!
//! They are compared with what a peer *claims*, before anything is allocated for it.

/// Bytes before each payload: its length (4), its kind (1), an id (8).
pub const FRAME_HEADER_BYTES: usize = 13;

/// Longest payload of a frame: 1 GiB.
///
/// Large enough for an array that one would still send in one piece, small enough that its
/// length fits the header's 32 bits and that a faulty length is noticed.
pub const FRAME_BYTES_MAX: usize = 1 << 30;

/// Longest payload before the peer has proved itself: 4 KiB.
///
/// The largest honest one holds a name and a socket path, below 400 bytes.
pub const HANDSHAKE_FRAME_BYTES_MAX: usize = 4096;

/// Time for a whole handshake, in milliseconds.
///
/// Four messages take well under a millisecond; a peer that is stopped, or whose machine swaps,
/// gets seconds, and one that never answers cannot hold a connection longer than this.
pub const HANDSHAKE_MS_MAX: u64 = 5000;

/// Time for a connection to be taken up by the listener's queue, in milliseconds.
///
/// Local connections are made at once unless the listener's queue is full, so a longer wait
/// means that nobody accepts.
pub const CONNECT_MS_MAX: u64 = 1000;

/// Levels of nesting that a decoded value may have.
///
/// Each level costs stack, up to several hundred bytes in a debug build, and tasks may run on
/// threads with 2 MiB of it. A struct, an option, a sequence, a map, a tuple and an enum's
/// content are one level each.
pub const DECODE_DEPTH_MAX: u32 = 64;

/// Elements without any bytes (`()`, for one) that one decoded value may hold.
///
/// Their number is claimed by a length alone, so without a bound ten bytes could keep a decoder
/// busy for years.
pub const DECODE_EMPTY_ELEMENTS_MAX: usize = 64 * 1024;

/// Payloads from here on are received straight into memory of their own: 16 KiB.
///
/// Below it copying once is cheaper than the allocation and the second slice of a read.
pub const BULK_BYTES_MIN: usize = 16 * 1024;

/// Byte strings from here on are sent from where they lie: 16 KiB.
///
/// Below it copying costs less than a further slice of a write and a counted reference.
pub const SHARED_BYTES_MIN: usize = 16 * 1024;

/// Most that a bulk payload's memory grows ahead of what arrived: 256 KiB.
///
/// A header that lies costs no more than this; it is what a Unix socket holds at most by
/// default, so one read can take all there is, and it still fits a second-level cache between
/// being cleared and being filled.
pub const BULK_STEP_BYTES: usize = 256 * 1024;

/// Bytes of the read buffer that are offered behind the end of a bulk payload: 2 KiB.
///
/// Enough for the next header and a few small frames; what lies there is copied once more if it
/// begins another bulk payload, so it is kept small.
pub const BULK_TAIL_BYTES: usize = 2048;

/// The read buffer of a channel: 64 KiB.
///
/// Takes hundreds of small frames with one system call and still fits a first-level cache
/// together with the code that handles them.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Longest name of an actor, in bytes: names are shown in every log line and in `ps`.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest path of a Unix socket, in bytes: what the kernel's address holds besides its final
/// zero.
pub const SOCKET_PATH_BYTES_MAX: usize = crate::os::SOCKET_PATH_BYTES_MAX;

/// Connections that may wait to be accepted.
///
/// A tree may start hundreds of actors at once that all report to one registrar; the kernel
/// lowers it to `net.core.somaxconn`.
pub const LISTEN_BACKLOG: i32 = 1024;

const _: () = {
    assert!(FRAME_BYTES_MAX <= u32::MAX as usize);
    assert!(HANDSHAKE_FRAME_BYTES_MAX < BULK_BYTES_MIN);
    // A small frame always fits the read buffer, with room to spare for batching.
    assert!(4 * (FRAME_HEADER_BYTES + BULK_BYTES_MIN) < 2 * READ_BUFFER_BYTES);
    assert!(BULK_TAIL_BYTES < READ_BUFFER_BYTES);
};
