//! Finding actors of a tree: the root from anywhere, and any actor by its name.
//!
//! It takes names and gives portals; the [`Registrar`] in the root is told of every actor that is
//! ready or gone and answers over the supervision links. It does not know how actors are started
//! or reaped: whoever does that tells the registrar. Read [`find_actor`] first.
//!
//! # Examples
//!
//! The registrar's table is plain data and can be used alone:
//!
//! ```
//! use tractor_discovery::{Entry, Table};
//! use tractor_ipc::ActorId;
//!
//! let mut table = Table::new();
//! let aid = ActorId::fresh("worker");
//! let entry = Entry { aid: aid.clone(), address: None, pid: 4711, parent: None };
//!
//! assert_eq!(table.wait("worker", 1)?, None);
//! assert_eq!(table.register(entry)?, [1], "the waiter is to be told");
//! assert_eq!(table.find("worker").map(|entry| entry.pid), Some(4711));
//!
//! table.actor_gone(&aid);
//! assert!(table.find("worker").is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

// The service, in the root.
pub mod registrar;

// Asking it, from anywhere.
pub mod lookup;
pub mod root;

pub use lookup::{find_actor, query_actor, wait_for_actor};
pub use registrar::{Closed, Entry, RegisterError, Registrar, Table};
pub use root::get_root;
