//! [`Strays`]: orphans of which the root was not told, because whoever had started them was
//! killed before it could say so. The root sees that they are reaped.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tractor_core::io::{self as engine, Source, Watch};
use tractor_core::process::{self, Process, Signal};

use crate::tree::Tree;

/// Those that are watched until they have ended.
#[derive(Debug, Default)]
pub(crate) struct Strays(Mutex<BTreeSet<u32>>);

impl Strays {
    /// Looks after all that have come since, apart from those that are `known`. When one has ended
    /// the `owner` looks again: those whose parent it was come then.
    pub(crate) fn adopt(self: &Arc<Self>, tree: &str, known: &BTreeSet<u32>, owner: &Arc<Tree>) {
        let strays = process::strays(tree).unwrap_or_else(|error| {
            log::debug!("list the processes that came to the root: {error}");
            Vec::new()
        });
        for process::Stray { pid, is_actor } in strays {
            if known.contains(&pid) || !self.lock().insert(pid) {
                continue;
            }
            let watched = Process::open(pid).and_then(|process| {
                if is_actor {
                    // It may have been stopped before it could see to that itself.
                    process.signal(Signal::Kill)?;
                }
                let (all, owner) = (self.clone(), Arc::downgrade(owner));
                engine::watch(Arc::new(Stray {
                    process,
                    all,
                    owner,
                }))
            });
            if let Err(error) = watched {
                // The next death has it looked for again.
                log::debug!("watch the orphan {pid}: {error}");
                self.lock().remove(&pid);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
struct Stray {
    process: Process,
    all: Arc<Strays>,
    owner: Weak<Tree>,
}

impl Source for Stray {
    fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        match self.process.try_reap_adopted() {
            Ok(ended) => log::debug!("an orphan that nobody knew, {ended:?}"),
            Err(error) => log::error!("reap an orphan: {error}"),
        }
        self.all.lock().remove(&self.process.pid());
        if let Some(owner) = self.owner.upgrade() {
            owner.adopt_strays();
        }
        Watch::End
    }
}
