//! What there is so far of the debugger of `tractor`: the lock by which one process of a tree at a
//! time has the terminal, and the owner of that terminal.
//!
//! The lock takes what happened, such as a request, a release or a lost peer, and gives what to do
//! about it: grant, refuse, revoke, reclaim. It knows neither channels nor processes nor the
//! terminal, and shows no prompt, so that the very same code can run in the root and in a model
//! checker. The owner shows prompts and takes them away, for the lease that the lock has given,
//! and knows neither requests nor actors. Start with [`Lock`] and [`Terminal`].
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

// The owner of the terminal, in the root.
pub mod terminal;

// The line editor, a process of its own.
mod editor;

// What a prompt can show.
pub mod scene;

pub use editor::be_editor_if_asked;
pub use lock::{Action, Event, Lease, Lock, Phase, Refusal, RequestId, State};
pub use scene::{Capture, Place, Scene, Why};
pub use terminal::{NoTerminal, Read, Settings, Terminal};
