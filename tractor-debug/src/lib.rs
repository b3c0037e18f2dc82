//! What the debugger of `tractor` decides and says: which process of a tree has the terminal, and
//! what a prompt answers to each line.
//!
//! The lock takes what happened, such as a request, a release or a lost peer, and gives what to do
//! about it: grant, refuse, revoke, reclaim. A prompt takes a scene and lines, and gives text and
//! what to do next. Neither knows channels, processes or the terminal, so that the very same code
//! can run in the actors and in a model checker. Start with [`Lock`] and [`Repl`].
//!
//! # Examples
//!
//! Two actors want the terminal; the second has it when the first is done and the terminal is
//! restored:
//!
//! ```
//! use std::time::Duration;
//! use tractor_debug::{Action, Event, Lease, Lock, RequestId, State};
//! use tractor_ipc::ActorId;
//!
//! let (now, mut lock, mut out) = (Duration::ZERO, Lock::new(), Vec::new());
//! let first = RequestId { actor: ActorId::new("first", 1), number: 1 };
//! let second = RequestId { actor: ActorId::new("second", 2), number: 1 };
//! for request in [&first, &second] {
//!     lock.handle(Event::HoldArrived(request.clone()), now, &mut out);
//!     let event = Event::Requested { request: request.clone(), shielded: false };
//!     lock.handle(event, now, &mut out);
//! }
//! assert_eq!(out, [Action::Grant { request: first.clone(), lease: Lease(1) }]);
//!
//! lock.handle(Event::Released(first), now, &mut out);
//! assert_eq!(out[1], Action::Reclaim(Lease(1)));
//! assert!(matches!(lock.state(), State::Reclaiming { .. }));
//!
//! lock.handle(Event::Reclaimed(Lease(1)), now, &mut out);
//! assert_eq!(out.last(), Some(&Action::Grant { request: second, lease: Lease(2) }));
//! assert!(lock.admits(Lease(2)) && !lock.admits(Lease(1)));
//! ```

#![forbid(unsafe_code)]

// Which one request of the tree has the terminal.
pub mod lock;

// What a prompt can show.
pub mod scene;

// What a prompt says.
pub mod repl;

// Where a prompt reads the source.
pub mod sources;

pub use lock::{Action, Event, Lease, Lock, Phase, Refusal, RequestId, State};
pub use repl::{LinkLine, NativeKind, Repl, Step, TaskLine, World};
pub use scene::{Capture, Place, Scene, Why};
pub use sources::{Disk, Sources};
