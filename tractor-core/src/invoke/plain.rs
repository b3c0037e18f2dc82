//! A task whose function is a plain one: it runs on a thread of its own, to its end.

use std::sync::Arc;

use super::RpcTask;
use crate::crash;
use crate::ending::Ending;
use crate::panics;
use crate::rt;
use crate::stream::transit;

impl RpcTask {
    pub(super) fn run_blocking(
        self: &Arc<Self>,
        function: Box<dyn FnOnce() -> Result<Vec<u8>, Ending> + Send>,
    ) {
        let cancelled = self.phase.block();
        if cancelled {
            return self.answer(Err(self.cancelled_error()), false);
        }
        let task = self.clone();
        // What it sends is not gathered: it may run for long.
        rt::spawn_blocking(move || {
            let (result, leaving) = task.surround(|| {
                let (result, seen) = match panics::catch(function) {
                    Ok(result) => (result, false),
                    Err(panicked) => (Err(panicked), crash::take_seen()),
                };
                let leaving = transit::take_answered();
                if let Err(ending) = &result
                    && !seen
                {
                    task.watch_crash_blocking(ending);
                }
                (result, leaving)
            });
            let result = result
                .and_then(|bytes| task.send_ends(bytes, leaving))
                .map_err(|ending| task.error(ending));
            let answered = task.phase.finish();
            task.leave();
            if !answered {
                task.send_answer(result, false);
            }
        });
    }

    /// As [`watch_crash`](Self::watch_crash), on a thread of a plain function.
    fn watch_crash_blocking(&self, ending: &Ending) {
        if let Some((watch, error)) = self.watched(ending) {
            futures::executor::block_on(watch.failed(self.name(), error));
        }
    }
}
