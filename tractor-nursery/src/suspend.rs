//! Ctrl-Z: the tree is stopped, then the root as the shell expects, and when that goes on so do all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tractor_core::process::{self, Suspended};
use tractor_core::{current_actor, timer};

use crate::debugger;

/// Whether it is under way.
static IS_BEGUN: AtomicBool = AtomicBool::new(false);
/// Whether it is to be done again, because another signal came after the root went on.
static IS_DUE: AtomicBool = AtomicBool::new(false);

/// SIGTSTP came.
pub(crate) fn begin() {
    IS_DUE.store(true, Ordering::SeqCst);
    if IS_BEGUN.swap(true, Ordering::SeqCst) {
        return;
    }
    // A thread of the runtime would be taken for one that is held up.
    let stopping = thread::Builder::new().name("tractor-stop".to_owned());
    if let Err(error) = stopping.spawn(stop_while_due) {
        log::warn!("stop the tree: {error}");
        IS_BEGUN.store(false, Ordering::SeqCst);
    }
}

fn stop_while_due() {
    while IS_DUE.load(Ordering::SeqCst) {
        stop();
        IS_BEGUN.store(false, Ordering::SeqCst);
        // Whoever came a moment ago has relied on us.
        if !IS_DUE.load(Ordering::SeqCst) || IS_BEGUN.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

fn stop() {
    debugger::suspend();
    // Nobody is ended because of the time that passes now.
    timer::without_running(|| {
        let tree = current_actor().map(|actor| actor.identity().tree.to_string());
        let stopped = tree.map(|tree| Suspended::tree(&tree));
        if let Err(error) = process::stop() {
            log::warn!("stop the root: {error}");
        }
        // Those that came before were for this stop.
        IS_DUE.store(false, Ordering::SeqCst);
        drop(stopped);
    });
    debugger::go_on();
}
