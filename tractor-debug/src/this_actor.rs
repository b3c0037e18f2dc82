//! [`ThisActor`]: the world of a prompt in a running actor.

use tractor_core::runtime_vars::{self, runtime_var};
use tractor_core::{CancelReason, current_actor, logging};

use crate::repl::{LinkLine, Skip, TaskLine, World};
use crate::skips;

/// The actor of this process.
pub(crate) struct ThisActor;

impl World for ThisActor {
    fn tasks(&self) -> Vec<TaskLine> {
        let tasks = current_actor().map(|actor| actor.statistics().tasks);
        tasks.into_iter().flatten().map(TaskLine::from).collect()
    }

    fn links(&self) -> Vec<LinkLine> {
        let links = current_actor().map(|actor| actor.statistics().links);
        let links = links.into_iter().flatten();
        links
            .map(|link| LinkLine {
                peer: link.peer,
                age: link.age,
                bytes_in: link.bytes_in,
                bytes_out: link.bytes_out,
                bytes_queued: link.bytes_queued,
                calls: link.calls,
                tasks: link.tasks,
            })
            .collect()
    }

    fn cancel_task(&self, number: u64) -> bool {
        current_actor().is_ok_and(|actor| actor.cancel_task(number, CancelReason::Asked))
    }

    fn skip(&self, skip: Skip) {
        skips::here(|skips| skips.add(skip));
    }

    fn log(&self, count: usize) -> Vec<String> {
        logging::last_lines(count)
    }

    fn runtime_vars(&self) -> Vec<(String, String)> {
        let vars = runtime_vars::current();
        vars.keys()
            .map(|key| (key.to_owned(), shown(key)))
            .collect()
    }
}

/// The value of a variable whose type is known: values do not say what they are.
fn shown(key: &str) -> String {
    let known = match key {
        runtime_vars::DEBUG_MODE | runtime_vars::IS_ROOT => runtime_var::<bool>(key)
            .ok()
            .flatten()
            .map(|on| on.to_string()),
        runtime_vars::LOG_LEVEL => runtime_var::<String>(key).ok().flatten(),
        _ => None,
    };
    known.unwrap_or_else(|| "(a value of the program)".to_owned())
}
