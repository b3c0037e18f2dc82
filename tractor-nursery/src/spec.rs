//! What a parent tells a child first of all, and what the child answers.

use serde::{Deserialize, Serialize};
use tractor_core::runtime_vars::RuntimeVars;
use tractor_core::{Contact, Error};
use tractor_ipc::{ActorId, Address, BuildId, TreeId, TreeSecret};

use crate::options::Limits;

/// The payload of a `Spec` frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Spec {
    /// Be an actor.
    Actor(Box<ActorSpec>),
    /// Connect back, and be told there.
    ConnectBack(Box<Invitation>),
    /// Be the root of a test's tree.
    TestRoot {
        /// The test's tree, which marks its processes.
        tree: TreeId,
    },
}

/// What a child needs to connect to its parent, and to prove that it is the one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// Where its parent awaits it.
    pub(crate) address: Address,
    pub(crate) aid: ActorId,
    pub(crate) parent: ActorId,
    pub(crate) tree: TreeId,
    pub(crate) secret: TreeSecret,
}

/// Who a child is and what it needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ActorSpec {
    pub(crate) aid: ActorId,
    pub(crate) parent: ActorId,
    pub(crate) depth: u32,
    pub(crate) tree: TreeId,
    pub(crate) build: BuildId,
    /// `None` if it was invited: it has it already, and it is not said over a network.
    pub(crate) secret: Option<TreeSecret>,
    pub(crate) root: Contact,
    /// Where it is to listen.
    pub(crate) listen: Option<Address>,
    pub(crate) vars: RuntimeVars,
    pub(crate) log_filter: String,
    pub(crate) threads: usize,
    /// The functions that others may call, `None` for all.
    pub(crate) exposed: Option<Vec<String>>,
    pub(crate) limits: Limits,
    /// Whether its standard output is to go where its standard error goes; until then it goes
    /// nowhere, because a test harness writes to it first.
    pub(crate) output_to_stderr: bool,
    /// Where it tells of fatal signals, if it is in debug mode: a descriptor of its parent.
    pub(crate) fatal_pipe: Option<i32>,
}

/// The payload of a `Ready` frame: the child serves calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Where it listens.
    pub(crate) address: Option<Address>,
}

/// The payload of a `Stopped` frame: the child has cleaned up and is about to exit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Stopped {
    /// It was cancelled.
    Cancelled,
    /// It could not go on.
    Failed(Error),
    /// It was a test's root, and this came of the test.
    Tested(Result<(), String>),
}
