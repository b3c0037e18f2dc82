//! [`Ending`]: every way in which a call, a task or an actor ends other than by returning.

use std::error::Error as StdError;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use tractor_ipc::codec::DecodeError;
use tractor_ipc::limits::DECODE_DEPTH_MAX;
use tractor_ipc::{ActorId, BuildId};

use crate::error::Error;
use crate::exports::{self, BoxedError, Export};
use crate::scope::CancelReason;

/// How a call, a task or an actor ended other than by returning.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Ending {
    /// The function returned an error.
    Failed(Box<UserError>),
    /// The function panicked; its actor lives on.
    Panicked {
        /// The panic's message.
        message: String,
        /// Where, as `src/main.rs:10:5`.
        location: Option<String>,
    },
    /// The process left by itself, or its `main` returned. The runtime itself uses two codes: 70, it
    /// could not become an actor, and said why on its standard error; 171, it lost the link to its
    /// parent.
    Exited {
        /// The exit code, which may be 0.
        code: i32,
    },
    /// A signal killed the process.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the system wrote a core file.
        core_dumped: bool,
    },
    /// The process is gone, and somebody else took its exit status.
    StatusLost,
    /// It was cancelled.
    Cancelled {
        /// The actor that asked for it, if one did.
        by: Option<ActorId>,
        /// Why.
        reason: CancelReason,
    },
    /// The channel to the actor closed while something was expected of it.
    LinkLost {
        /// Why the channel closed.
        reason: String,
    },
    /// The actor did not take up the request.
    Refused(Refusal),
    /// The process was never started.
    NotSpawned {
        /// What the system, or a limit, said.
        reason: String,
    },
    /// The process started, and was gone before it could take requests.
    DiedBeforeReady {
        /// What became of it: [`Exited`](Self::Exited), [`Signaled`](Self::Signaled),
        /// [`StatusLost`](Self::StatusLost) or [`LinkLost`](Self::LinkLost).
        status: Box<Self>,
    },
    /// Several failures at once.
    Several(Vec<Error>),
}

/// Why an actor does not take up a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no function of this number or name.
    #[error("it has no such function")]
    UnknownExport,
    /// It has the function, and this caller may not start it.
    #[error("the function is not exposed to this caller")]
    NotExposed,
    /// Its function of this name is another one.
    #[error("its function is `{theirs}`, the caller's is `{ours}`")]
    OtherSignature {
        /// The caller's.
        ours: String,
        /// The actor's.
        theirs: String,
    },
    /// The arguments cannot be decoded.
    #[error("the arguments do not fit: {0}")]
    BadArguments(String),
    /// The arguments are nested more deeply than [`DECODE_DEPTH_MAX`] levels.
    #[error("the arguments are nested more deeply than {DECODE_DEPTH_MAX} levels")]
    ArgumentsTooDeep,
    /// The arguments refuse to be encoded, or are longer than a frame. It is the caller who says so:
    /// nothing was sent.
    #[error("the arguments cannot be sent: {reason}")]
    ArgumentsNotSent {
        /// Whose function it is; `None` of one that has not said yet who it is.
        callee: Option<ActorId>,
        /// What is wrong with them.
        reason: String,
    },
    /// The result could not be encoded or decoded.
    #[error("the result does not fit: {0}")]
    BadResult(String),
    /// An item of a stream could not be encoded or decoded.
    #[error("an item does not fit: {0}")]
    BadItem(String),
    /// The other side reads no more of the stream.
    #[error("the stream's other side reads no more")]
    StreamStopped,
    /// The other end of the stream was lost on its way to another actor: nobody has received it.
    #[error("the stream's other end was lost before anybody received it")]
    EndLost,
    /// A subscriber of a broadcast read more slowly than its [`Lag`](crate::Lag) lets it.
    #[error("it reads too slowly: {items} items are gone that it has not had")]
    Lagged {
        /// How many.
        items: u64,
    },
    /// The context, or a stream of it, was used in a way that it is not made for.
    #[error("{0}")]
    Misused(Misuse),
    /// It has as many calls running as it may.
    #[error("it runs as many calls as it may")]
    TooManyCalls,
    /// It is about to end.
    #[error("it is closing")]
    Closing,
    /// The nursery takes no more children.
    #[error("the nursery is closed")]
    NurseryClosed,
    /// No actor can be called so.
    #[error("no actor can be called {name:?}: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The calling process is not an actor, so it has no way to reach one.
    #[error("this process is not an actor: `#[tractor::main]` or `tractor::run` makes it one")]
    NotAnActor,
    /// It runs another build of the program.
    #[error("it runs build {theirs}, the caller build {ours}")]
    OtherBuild {
        /// The caller's.
        ours: BuildId,
        /// The actor's.
        theirs: BuildId,
    },
}

impl Refusal {
    /// Arguments were received and could not be decoded.
    pub(crate) fn of_arguments(error: &DecodeError) -> Self {
        match error {
            DecodeError::TooDeep => Self::ArgumentsTooDeep,
            error => Self::BadArguments(error.to_string()),
        }
    }

    /// `callee` was to be sent arguments.
    #[doc(hidden)]
    pub fn not_sent(callee: Option<&ActorId>, reason: &dyn Display) -> Self {
        Self::ArgumentsNotSent {
            callee: callee.cloned(),
            reason: reason.to_string(),
        }
    }
}

/// How a context, or a stream of it, was used that is not made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// `started` was called again.
    #[error("the context has started already: `started` is called once")]
    StartedTwice,
    /// The function returned, or opened a stream, without having called `started`.
    #[error("the context has not started: call `started` first")]
    NotStarted,
    /// The stream was opened again.
    #[error("the context's stream was opened already, and there is one")]
    StreamOpenedTwice,
    /// The stream was opened after the context was cancelled.
    #[error("the context was cancelled: no stream can be opened any more")]
    CancelledBefore,
    /// Something was sent after the stream was closed on this side.
    #[error("the stream was closed on this side")]
    SentAfterClose,
    /// Contexts were to be gathered, and none was given.
    #[error("no context was given: there is nothing to gather")]
    NoContexts,
    /// A publisher was subscribed to without a topic.
    #[error("no topic was given: there is nothing to subscribe to")]
    NoTopic,
    /// An end of a stream that belongs to a call, or came from another actor, was to be sent.
    #[error("only the ends of a fresh stream travel, from the actor that made it")]
    EndNotFresh,
    /// An end of a fresh stream was to be sent after it was used.
    #[error("this end of the stream was used already: only an unused one travels")]
    EndUsed,
    /// An end of a fresh stream was to be sent for the second time.
    #[error("this end of the stream was sent already: it travels once")]
    EndSent,
    /// An end of a fresh stream was to be sent otherwise than with a call.
    #[error("an end of a stream travels as an argument or a result of a call only")]
    EndOutsideCall,
    /// A context or stream was asked for in the asking actor itself.
    #[error("this is the asking actor itself: run the function here instead")]
    OwnActor,
}

/// An error that a function returned: as text, and as the value itself if it is serde.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserError {
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) chain: Vec<String>,
    pub(crate) debug: String,
    pub(crate) cause: Option<Error>,
    pub(crate) encoded: Option<Encoded>,
}

impl UserError {
    /// Writes down what an error of type `type_name` says, and what it says of its sources.
    ///
    /// A source that is a [`crate::Error`] is kept whole: it tells more than its text.
    pub fn describe(type_name: &str, error: &(dyn StdError + 'static)) -> Self {
        let mut described = Self {
            type_name: type_name.to_owned(),
            message: error.to_string(),
            chain: Vec::new(),
            debug: format!("{error:?}"),
            cause: None,
            encoded: None,
        };
        let mut source = error.source();
        while let Some(error) = source {
            if let Some(failure) = error.downcast_ref::<Error>() {
                described.cause = Some(failure.clone());
                break;
            }
            if described.chain.len() == CHAIN_LEN_MAX {
                break;
            }
            described.chain.push(error.to_string());
            source = error.source();
        }
        described
    }

    /// The full name of the error's type, such as `demo::LoadError`.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// What its `Display` says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the `Display` of each of its sources says, nearest first, up to the first that is a
    /// [`crate::Error`], which is the [`cause`](Self::cause).
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// What its `Debug` says.
    pub fn debug(&self) -> &str {
        &self.debug
    }

    /// The failure of another call that it was made from, if there is one among its sources.
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// Adds the value itself, as the error of `export`; without effect for a function that
    /// peers do not know by number.
    pub(crate) fn attach(&mut self, export: &'static Export, bytes: Vec<u8>) {
        let exports = exports::digest();
        self.encoded = export.index().map(|export| Encoded {
            export,
            exports,
            bytes,
        });
    }

    /// The bytes of the value, if it is an error of `export`.
    pub(crate) fn bytes_of(&self, export: &'static Export) -> Option<&[u8]> {
        let encoded = self.encoded.as_ref()?;
        let theirs = encoded.export()?;
        std::ptr::eq(theirs, export).then_some(&*encoded.bytes)
    }

    /// The value itself, if it travelled.
    pub(crate) fn decode(&self) -> Option<BoxedError> {
        let encoded = self.encoded.as_ref()?;
        (encoded.export()?.decode_error?)(&encoded.bytes)
    }
}

/// An error's value, and the function that knows its type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Encoded {
    export: u32,
    /// Which functions that number counts: in another program it means another one.
    exports: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Encoded {
    fn export(&self) -> Option<&'static Export> {
        let is_ours = self.exports == exports::digest();
        is_ours.then(|| exports::by_index(self.export)).flatten()
    }
}

/// Sources that are written down; a source that is its own source would never end.
const CHAIN_LEN_MAX: usize = 32;
