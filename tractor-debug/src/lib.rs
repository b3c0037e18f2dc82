//! The debugger of `tractor`: prompts of any process of a tree, on the one terminal of its root.
//!
//! It takes breakpoints and failures of tasks, and gives conversations with the user, one at a
//! time, in the order in which they were asked for. It knows processes by name only: who owns
//! them tells it who is gone, and is told who must not be killed meanwhile. The decisions are pure,
//! so that the very same code runs in a model checker: [`Lock`] says who has the terminal, [`Repl`]
//! what a prompt answers. Read [`breakpoint!`] first, then [`Lock`].
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

#![deny(unsafe_code)]

extern crate self as tractor_debug;

// Which one request of the tree has the terminal, and who is not to be killed meanwhile.
pub mod holds;
pub mod lock;

// Bugs to be found in a running tree; none in a build without their feature.
mod planted;

// The root's half, driven by what a model has found.
#[cfg(feature = "__mutants")]
pub mod replay;

// What a prompt can show, and values as text.
pub mod capture;
pub mod scene;

// What a prompt says.
pub mod repl;

// Where a prompt reads the source.
pub mod sources;

// The actor's half: how a prompt is asked for, and its conversation.
mod crash_handler;
mod local;
mod macros;
mod options;
mod pause;
mod session;
mod skips;
mod this_actor;

// What strikes a process so that it cannot ask itself.
pub mod fatal;

// The real debugger instead of a prompt: what it is told, and that there is something to see.
mod attendance;
mod hand_over;
mod native;

// What only one system has.
mod os;

// What is said between the halves, and counted on the way.
mod message;
pub mod service;

// The root's half, and the terminal that it gives out.
pub mod desk;
mod editor;
mod launcher;
pub mod terminal;

pub use crash_handler::{Crash, CrashHandler, open_crash_handler};
pub use desk::{Desk, Tree};
pub use editor::be_editor_if_asked;
pub use fatal::{Fatal, FatalPipe, tell_of_fatal_signals};
pub use lock::{Action, Event, Lease, Lock, Phase, Refusal, RequestId, State};
pub use options::{DebugOptions, Reentry};
pub use pause::{
    Paused, arm, described, is_armed, main_failed, pause, paused, paused_sync, post_mortem,
    post_mortem_at, scene_of, stops_at,
};
pub use repl::{
    LinkLine, Native, NativeKind, Repl, Skip, Step, TaskLine, World, show_age, show_tasks,
};
pub use scene::{Capture, Place, Scene, Why};
pub use service::DebugService;
pub use sources::{Disk, Sources};
pub use terminal::{NoTerminal, Read, Settings, Terminal};
