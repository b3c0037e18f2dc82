//! [`Error`]: the one error of all remote calls, with the actor where it began and the actors
//! that passed it on.

// Errors as text for a terminal.
mod render;
// Errors as bytes, bounded.
mod wire;

use std::any::type_name;
use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tractor_ipc::{ActorId, DecodeError, codec};

use crate::actor::local_error;
use crate::ending::{Ending, Refusal, UserError};
use crate::exports::{BoxedError, Export};
use crate::invoke;
use crate::process::OutOfMemory;
use crate::scope::{Bound, CancelReason, Cancellation, Cancelled};

/// Why a call, a task or an actor ended other than by returning: what happened, in which actor,
/// and which actors passed the news on.
///
/// It is a pointer, and cloning counts a reference. `Display` and `Debug` are the same report of
/// one or more lines for people, so it reads well from `main` too:
///
/// ```text
/// actor 'loader' (pid 4711) failed in demo::load: LoadError: cannot read the table
///   caused by: no such file
///   relayed by 'middle'
/// ```
///
/// The error that the user's function returned comes back by
/// [`downcast_ref`](Self::downcast_ref) if its type is serde, and is then the
/// [`source`](StdError::source) as well, so reporters that print the chain of sources repeat its
/// message.
///
/// # Examples
///
/// ```
/// use tractor_core::{Ending, Error}; // `tractor::{..}`
/// use tractor_ipc::ActorId; // `tractor::ActorId`
///
/// let worker = ActorId::fresh("worker");
/// let killed = Ending::Signaled { signal: 9, core_dumped: false };
/// let error = Error::new(worker, killed).with_pid(4711).in_call("demo::is_prime");
/// assert_eq!(
///     error.to_string(),
///     "actor 'worker' (pid 4711) was killed by signal 9 (SIGKILL) \
///      while demo::is_prime was running"
/// );
/// ```
#[derive(Clone)]
pub struct Error(Arc<Failure>);

impl Error {
    /// Reports that something in the actor `origin` ended with `ending`.
    ///
    /// [`Ending::Several`] of one error is that error, passed on by `origin`: so a function that
    /// returns the failure of a call below it does not hide it.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn new(origin: ActorId, ending: Ending) -> Self {
        match ending {
            Ending::Several(mut errors) if errors.len() == 1 => {
                errors.remove(0).relayed_by(&origin)
            }
            ending => Self::of(Report {
                id: getrandom::u64().expect("the system gives random bytes"),
                origin,
                pid: None,
                relay_path: Vec::new(),
                call: None,
                calls_in_flight: Vec::new(),
                ending,
                out_of_memory: None,
                of_callers_deadline: false,
            }),
        }
    }

    /// Takes any other error up, as a failure of the code that runs here: for functions that return
    /// an `Error` and meet something else. There is no `From` for that, because with one the
    /// compiler could not tell any more what a nursery's block returns.
    ///
    /// An `Error` stays itself, a [`Cancelled`] becomes an [`Ending::Cancelled`], and anything else
    /// an [`Ending::Failed`] with its type, its message and its sources. In this process
    /// [`downcast_ref`](Self::downcast_ref) gives it back; elsewhere only its texts are known, so a
    /// function whose caller is to have the value returns that as its own error.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tractor_core::Error; // `tractor::Error`
    /// use tractor_core::runtime_vars::runtime_var; // `tractor::runtime_var`
    /// use tractor_core::scope::timeout; // `tractor::timeout`
    ///
    /// /// Reads a file that a runtime variable names.
    /// async fn load() -> Result<String, Error> {
    ///     let path: Option<String> = runtime_var("table").map_err(Error::other)?;
    ///     let path = path.unwrap_or_else(|| "/no/such/table".to_owned());
    ///     let reading = async { std::fs::read_to_string(path) };
    ///     let text = timeout(Duration::from_secs(1), reading).await;
    ///     text.map_err(Error::other)?.map_err(Error::other)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let error = load().await.unwrap_err();
    /// assert!(error.to_string().contains("failed: io::Error: No such file"));
    /// let file = error.downcast_ref::<std::io::Error>().expect("it is held");
    /// assert_eq!(file.kind(), std::io::ErrorKind::NotFound);
    /// # });
    /// ```
    pub fn other<E: StdError + Send + Sync + 'static>(error: E) -> Self {
        let error: BoxedError = Box::new(error);
        let error = match error.downcast::<Self>() {
            Ok(error) => return *error,
            Err(error) => error,
        };
        let export = invoke::current_export();
        match error.downcast::<Cancelled>() {
            Ok(cancelled) => {
                let Cancellation { by, reason } = cancelled.into_cancellation();
                local_error(Ending::Cancelled { by, reason }, export)
            }
            Err(error) => {
                let described = UserError::describe(type_name::<E>(), &*error);
                local_error(Ending::Failed(Box::new(described)), export).holding(error)
            }
        }
    }

    /// Makes one error of several that met in the actor `at`: a single one stays itself, and a
    /// failure that arrived twice, alone or within a group, counts once. Groups stay groups.
    ///
    /// # Panics
    ///
    /// If `errors` is empty.
    pub fn several(at: &ActorId, errors: Vec<Self>) -> Self {
        let mut distinct: Vec<Self> = Vec::with_capacity(errors.len());
        for error in errors {
            if distinct.iter().any(|other| other.contains(error.id())) {
                continue;
            }
            distinct.retain(|other| !error.contains(other.id()));
            distinct.push(error);
        }
        assert!(!distinct.is_empty(), "several errors are at least one");
        if distinct.len() == 1 {
            return distinct.remove(0);
        }
        Self::new(at.clone(), Ending::Several(distinct))
    }

    /// An error of a user's own block in the actor `at` as one that can stand beside those of other
    /// actors; an `Error` stays itself.
    #[doc(hidden)]
    pub fn of_block(at: &ActorId, block: &str, error: BoxedError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => {
                let described = UserError::describe(block, &*error);
                Self::new(at.clone(), Ending::Failed(Box::new(described)))
                    .with_pid(std::process::id())
            }
        }
    }

    /// The actor where it began; of a group, the actor where its members met.
    pub fn origin(&self) -> &ActorId {
        &self.0.report.origin
    }

    /// The process id of the actor where it began, if known.
    pub fn origin_pid(&self) -> Option<u32> {
        self.0.report.pid
    }

    /// The same, with the process id of the actor where it began.
    pub fn with_pid(self, pid: u32) -> Self {
        self.edit(|report| report.pid = Some(pid))
    }

    /// The same, with the value that code of this process has returned, for
    /// [`downcast_ref`](Self::downcast_ref) in this process: it does not travel.
    pub(crate) fn holding(self, returned: BoxedError) -> Self {
        // One that holds a value already keeps it.
        let _ = self.0.decoded.set(Some(returned));
        self
    }

    /// The actors that passed it on, the one nearest to the origin first.
    pub fn relay_path(&self) -> &[ActorId] {
        &self.0.report.relay_path
    }

    /// The same, passed on by `relay`; without effect if that actor is the last on the path.
    pub fn relayed_by(self, relay: &ActorId) -> Self {
        let last = self.relay_path().last().unwrap_or_else(|| self.origin());
        if last == relay {
            return self;
        }
        self.edit(|report| report.relay_path.push(relay.clone()))
    }

    /// The function that was running, such as `demo::load`, if one was.
    pub fn call(&self) -> Option<&str> {
        self.0.report.call.as_deref()
    }

    /// The same, with the function that was running; the first one told stays.
    pub fn in_call(self, path: impl Into<String>) -> Self {
        match self.call() {
            Some(_) => self,
            None => self.edit(|report| report.call = Some(path.into())),
        }
    }

    /// What `callee` answered to a call of `export` that failed. Who refuses a function that it knows
    /// by a number, or by another signature, cannot say what the caller means by it. `bound` is the
    /// deadline that was given with the call.
    pub(crate) fn answered(
        callee: &ActorId,
        export: &'static Export,
        bytes: &[u8],
        bound: Option<&Bound>,
    ) -> Result<Self, DecodeError> {
        let error = Self::of(codec::decode(bytes)?);
        Ok(error.of_call_to(callee, export).arrived(bound))
    }

    fn of_call_to(self, callee: &ActorId, export: &'static Export) -> Self {
        if self.origin() != callee || !self.relay_path().is_empty() {
            return self;
        }
        match self.ending() {
            Ending::Refused(Refusal::UnknownExport) => self.in_call(export.path()),
            Ending::Refused(Refusal::OtherSignature { .. }) => self.edit(|report| {
                if let Ending::Refused(Refusal::OtherSignature { ours, .. }) = &mut report.ending {
                    export.signature.clone_into(ours);
                }
                report.call = Some(export.path());
            }),
            _ => self,
        }
    }

    /// The calls that were lost with the actor, if it died.
    pub fn calls_in_flight(&self) -> &[String] {
        &self.0.report.calls_in_flight
    }

    /// The same, with the calls that were lost with the actor.
    pub fn with_calls_in_flight(self, paths: Vec<String>) -> Self {
        self.edit(|report| report.calls_in_flight = paths)
    }

    /// What the control group of an actor that died of SIGKILL says of kills for memory.
    ///
    /// `None` if it has counted none since the actor's parent looked last; if the actor died
    /// otherwise, or when the runtime had signalled it already, on behalf of its parent or of
    /// somebody above; and where nobody counts: in the topmost group, or without a controller of
    /// memory. With groups of the first version also of an actor that was moved to another group
    /// after its start, which is not asked. Of several that are killed at once, one that takes more
    /// than two seconds longer to die may be told as `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tractor_core::Error; // `tractor::Error`
    ///
    /// /// Whether the work of an actor that died may succeed in smaller pieces.
    /// fn was_too_large(died: &Error) -> bool {
    ///     died.out_of_memory().is_some()
    /// }
    /// # use tractor_core::Ending;
    /// # use tractor_core::process::OutOfMemory;
    /// # use tractor_ipc::ActorId;
    /// # let killed = Ending::Signaled { signal: 9, core_dumped: false };
    /// # let killed = Error::new(ActorId::fresh("worker"), killed);
    /// # assert!(!was_too_large(&killed));
    /// # assert!(was_too_large(&killed.with_out_of_memory(Some(OutOfMemory::Counted))));
    /// ```
    pub fn out_of_memory(&self) -> Option<OutOfMemory> {
        self.0.report.out_of_memory
    }

    /// The same, with what the actor's control group says.
    #[doc(hidden)]
    pub fn with_out_of_memory(self, out_of_memory: Option<OutOfMemory>) -> Self {
        match out_of_memory {
            Some(_) => self.edit(|report| report.out_of_memory = out_of_memory),
            None => self,
        }
    }

    /// What happened.
    pub fn ending(&self) -> &Ending {
        &self.0.report.ending
    }

    /// A random number that stays with the failure wherever it travels, so that one failure that
    /// arrives by two ways is recognised.
    pub fn id(&self) -> u64 {
        self.0.report.id
    }

    /// Whether it was cancelled; a group is if all its members are.
    pub fn is_cancelled(&self) -> bool {
        match self.ending() {
            Ending::Cancelled { .. } => true,
            Ending::Several(errors) => errors.iter().all(Self::is_cancelled),
            _ => false,
        }
    }

    /// Whether it says nothing but that something is being cancelled.
    #[doc(hidden)]
    pub fn is_of_cancel(&self) -> bool {
        let refused =
            |refusal: &Refusal| matches!(refusal, Refusal::Closing | Refusal::NurseryClosed);
        self.is_cancelled() || matches!(self.ending(), Ending::Refused(refusal) if refused(refusal))
    }

    /// The answer of a task to its caller. `is_late` tells that the task was cancelled because the
    /// deadline has passed that the caller gave it; perhaps one that was given it in its turn has
    /// told so before.
    pub(crate) fn answer(self, is_late: bool) -> Self {
        let is_of_deadline = is_late && self.is_of(CancelReason::Deadline);
        match is_of_deadline || self.is_of_callers_deadline() {
            true => self.edit(|report| report.of_callers_deadline = true),
            false => self,
        }
    }

    /// Comes to a task that was bound by this deadline when it made the call.
    fn arrived(self, bound: Option<&Bound>) -> Self {
        match self.0.report.of_callers_deadline && !bound.is_some_and(Bound::overrun) {
            true => self.edit(|report| report.of_callers_deadline = false),
            false => self,
        }
    }

    fn is_of_callers_deadline(&self) -> bool {
        let in_group = || self.group().iter().any(Self::is_of_callers_deadline);
        self.0.report.of_callers_deadline || in_group()
    }

    /// Whether it, or one of its group, was cancelled for this.
    fn is_of(&self, reason: CancelReason) -> bool {
        match self.ending() {
            Ending::Cancelled { reason: own, .. } => *own == reason,
            Ending::Several(errors) => errors.iter().any(|error| error.is_of(reason)),
            _ => false,
        }
    }

    /// Whether a function panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.ending(), Ending::Panicked { .. })
    }

    /// Whether the actor's process is gone: exited, killed, or dead before it was ready.
    pub fn is_death(&self) -> bool {
        use Ending::{DiedBeforeReady, Exited, Signaled, StatusLost};
        matches!(
            self.ending(),
            Exited { .. } | Signaled { .. } | StatusLost | DiedBeforeReady { .. }
        )
    }

    /// The signal that killed the actor, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self.death() {
            Ending::Signaled { signal, .. } => Some(*signal),
            _ => None,
        }
    }

    /// The actor's exit code, if it exited.
    pub fn exit_code(&self) -> Option<i32> {
        match self.death() {
            Ending::Exited { code } => Some(*code),
            _ => None,
        }
    }

    /// The members of a group; empty for a single failure.
    pub fn group(&self) -> &[Self] {
        match self.ending() {
            Ending::Several(errors) => errors,
            _ => &[],
        }
    }

    /// The user's own error, if it is an `E` that is serde: what the function returned, one of
    /// its sources, or the same of a failure below it or of a member of a group.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match self.ending() {
            Ending::Several(errors) => errors.iter().find_map(Self::downcast_ref),
            Ending::Failed(user) => {
                let mut source = self.decoded();
                while let Some(error) = source {
                    if let Some(found) = error.downcast_ref::<E>() {
                        return Some(found);
                    }
                    if let Some(below) = error.downcast_ref::<Self>() {
                        return below.downcast_ref();
                    }
                    source = error.source();
                }
                user.cause().and_then(Self::downcast_ref)
            }
            _ => None,
        }
    }

    /// The error that `export` itself returned, decoded as the `E` of its signature, which needs
    /// to be serde but not an [`Error`](StdError); any other failure is given back.
    ///
    /// # Errors
    ///
    /// The same error, if something else happened, or in a function further below.
    pub fn into_returned<E: DeserializeOwned>(self, export: &'static Export) -> Result<E, Self> {
        let returned = match self.ending() {
            Ending::Failed(user) => user.bytes_of(export),
            _ => None,
        };
        returned
            .and_then(|bytes| codec::decode(bytes).ok())
            .ok_or(self)
    }

    /// The user's own error. It is decoded when first asked for, by the one who asks: it is the
    /// user's code that runs then.
    fn decoded(&self) -> Option<&(dyn StdError + 'static)> {
        let Ending::Failed(user) = self.ending() else {
            return None;
        };
        let decoded = self.0.decoded.get_or_init(|| UserError::decode(user));
        decoded.as_deref().map(|error| error as _)
    }

    fn contains(&self, id: u64) -> bool {
        self.id() == id || self.group().iter().any(|member| member.contains(id))
    }

    fn death(&self) -> &Ending {
        match self.ending() {
            Ending::DiedBeforeReady { status } => status,
            ending => ending,
        }
    }

    /// Not a `From`: with one more of those, `?` could not tell what a nursery's error is.
    fn of(report: Report) -> Self {
        Self(Arc::new(Failure {
            report,
            decoded: OnceLock::new(),
        }))
    }

    fn edit(mut self, edit: impl FnOnce(&mut Report)) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(failure) => {
                edit(&mut failure.report);
                self
            }
            None => {
                let mut report = self.0.report.clone();
                edit(&mut report);
                Self::of(report)
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.decoded()
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.report.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut report = Report::deserialize(deserializer)?;
        // A value among others, or a part of one: nobody's answer.
        report.of_callers_deadline = false;
        Ok(Self::of(report))
    }
}

struct Failure {
    report: Report,
    decoded: OnceLock<Option<BoxedError>>,
}

/// All that is known of a failure, as it travels.
#[derive(Clone, Serialize, Deserialize)]
struct Report {
    id: u64,
    origin: ActorId,
    pid: Option<u32>,
    relay_path: Vec<ActorId>,
    call: Option<String>,
    calls_in_flight: Vec<String>,
    ending: Ending,
    out_of_memory: Option<OutOfMemory>,
    /// It tells that the deadline has passed that was given to whoever tells it.
    of_callers_deadline: bool,
}

#[cfg(test)]
mod tests;
