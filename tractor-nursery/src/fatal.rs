//! Children in debug mode that get a fatal signal: the pipe where they tell of it, and the prompt
//! that this actor has for them.

use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::{Arc, OnceLock};

use tractor_core::io::{self as engine, Source, Watch};
use tractor_debug::{Fatal, FatalPipe};

use crate::{debugger, nurseries};

/// The number of the pipe, made for the first child that is in debug mode. `None` if there is no
/// descriptor left: the child then dies without a prompt.
pub(crate) fn pipe() -> Option<RawFd> {
    static PIPE: OnceLock<Option<Arc<Listener>>> = OnceLock::new();
    let pipe = PIPE.get_or_init(|| {
        let made = FatalPipe::make().and_then(|pipe| {
            let listener = Arc::new(Listener(pipe));
            engine::watch(listener.clone())?;
            Ok(listener)
        });
        made.inspect_err(|error| log::warn!("fatal signals of children have no prompts: {error}"))
            .ok()
    });
    pipe.as_ref().map(|listener| listener.0.number())
}

struct Listener(FatalPipe);

impl Source for Listener {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        self.0.take().into_iter().for_each(serve);
        Watch::Keep
    }
}

fn serve(fatal: Fatal) {
    let child = nurseries::children()
        .into_iter()
        .find(|child| child.pid() == fatal.pid);
    match child {
        Some(child) => debugger::child_struck(&child.aid, child.struck(fatal.signal), fatal),
        // It is gone, or was never ours.
        None => fatal.release(),
    }
}
