//! What the root does for processes whose parents may die: it watches each of them by descriptor,
//! kills those that outlive their parent, and reaps those that it inherits.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tractor_core::current_actor;
use tractor_core::io::{self as engine, Source, SourceKey, Watch};
use tractor_core::process::{Adoption, ExitStatus, Process};
use tractor_core::timer::{self, Timer};
use tractor_ipc::ActorId;

use super::Tree;

/// ESRCH.
const NO_SUCH_PROCESS: i32 = 3;
/// How long the root waits when it has no descriptor for a process that it has to watch.
const WATCH_AGAIN: Duration = Duration::from_millis(100);

/// A process of somebody else's child.
pub(super) struct Watched {
    aid: ActorId,
    process: Process,
    tree: Weak<Tree>,
    key: OnceLock<SourceKey>,
}

impl Tree {
    /// In the root: looks after everybody whose parent may have died since.
    pub(super) fn reap_orphans(self: &Arc<Self>) {
        self.bury(None);
    }

    /// This one is gone. In the root it looks after everybody whose parent it may have been.
    pub(super) fn bury(self: &Arc<Self>, mut told: Option<ActorId>) {
        let mut seen = self.reaped_orphans();
        // Who comes with these is known before they are gone: then nobody may be left.
        self.adopt_orphans();
        while told.is_some() || !seen.is_empty() {
            for aid in std::mem::take(&mut seen) {
                self.gone(&aid, false);
            }
            if let Some(aid) = told.take() {
                self.gone(&aid, true);
            }
            // Who was asked before its parent was reaped was not ours yet.
            seen = self.reaped_orphans();
            if !seen.is_empty() {
                self.adopt_orphans();
            }
        }
    }

    fn adopt_orphans(self: &Arc<Self>) {
        self.kill_orphans();
        self.adopt_strays();
    }

    /// Those whose parents have died and who are reaped now.
    fn reaped_orphans(&self) -> Vec<ActorId> {
        let all: Vec<_> = {
            let state = self.lock();
            let all = state.watched.iter();
            all.map(|(aid, watched)| (aid.clone(), watched.clone()))
                .collect()
        };
        let ended = all.into_iter().filter(|(_, watched)| watched.has_ended());
        let reaped = ended.filter(|(_, watched)| watched.is_reaped());
        reaped.map(|(aid, _)| aid).collect()
    }

    /// In the root: no actor outlives its parent, not even one that was stopped before it could ask
    /// the kernel for that.
    fn kill_orphans(&self) {
        let watched: Vec<_> = self.lock().watched.values().cloned().collect();
        for orphan in watched.iter().filter(|own| own.is_orphan()) {
            if let Err(error) = orphan.process.kill_group() {
                log::warn!("kill the orphan {}: {error}", orphan.aid);
            }
        }
    }

    /// In the root: looks after orphans whose parent has died before it could tell of them.
    pub(crate) fn adopt_strays(self: &Arc<Self>) {
        let Some(actor) = current_actor().ok().filter(|_| self.registrar.is_some()) else {
            return;
        };
        let known = self
            .lock()
            .watched
            .values()
            .map(|own| own.process.pid())
            .collect();
        let tree = actor.identity().tree.to_string();
        self.strays.adopt(&tree, &known, self);
    }

    /// In the root: has the end of a process of somebody else seen.
    pub(super) fn watch(self: &Arc<Self>, aid: ActorId, pid: u32) {
        let watched = Process::open(pid).and_then(|process| {
            let (tree, key) = (Arc::downgrade(self), OnceLock::new());
            let watched = Arc::new(Watched {
                aid: aid.clone(),
                process,
                tree,
                key,
            });
            // It is known before it can be told about.
            self.lock().watched.insert(aid.clone(), watched.clone());
            let key = engine::watch(watched.clone())?;
            // Nobody else sets it.
            let _ = watched.key.set(key);
            Ok(())
        });
        match watched {
            Ok(()) => {}
            // Its parent has reaped it already, and says so next, unless it dies before.
            Err(error) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => {
                self.gone(&aid, false);
            }
            Err(error) => {
                log::warn!("watch the process of {aid}: {error}; trying again soon");
                let tree = self.clone();
                Timer::forget(timer::schedule(Instant::now() + WATCH_AGAIN, move || {
                    if tree.lock().below.contains(&aid) {
                        tree.watch(aid, pid);
                    }
                }));
            }
        }
    }
}

impl Watched {
    /// Its end is known.
    pub(super) fn unwatch(&self) {
        if let Some(key) = self.key.get() {
            engine::unwatch(*key);
        }
    }

    fn has_ended(&self) -> bool {
        self.process.has_exited()
    }

    /// Whether it runs although its parent is gone, and is our child now.
    fn is_orphan(&self) -> bool {
        matches!(self.process.peek_exited(), Ok(None))
    }

    /// Whether it is reaped now, by us if it was ours to reap.
    fn is_reaped(&self) -> bool {
        // As with our own children, what it started in its group goes with it, while the group's
        // number is its own. Its parent, if there is one, does that itself.
        let orphaned = self.process.peek_exited().ok().flatten();
        if orphaned.is_some_and(|status| status != ExitStatus::Lost)
            && let Err(error) = self.process.kill_group()
        {
            log::warn!("end the process group of {}: {error}", self.aid);
        }
        match self.process.try_reap_adopted() {
            Ok(Adoption::Ended(status)) => {
                log::debug!("the orphan {} {status}", self.aid);
                true
            }
            Ok(Adoption::Running) => false,
            // Its parent is there and will reap it, or has.
            Ok(Adoption::NotOurs) => self.has_ended() && self.process.state().is_none(),
            Err(error) => {
                log::error!("reap {}: {error}", self.aid);
                false
            }
        }
    }
}

impl Source for Watched {
    fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        if let Some(tree) = self.tree.upgrade() {
            // With it may have come those whose parent it was, and who had ended before it: no
            // event is left that would tell of them.
            tree.reap_orphans();
            if matches!(self.process.try_reap_adopted(), Ok(Adoption::Running)) {
                // Exited and not to be reaped: a debugger sees it first.
                Timer::forget(timer::schedule(Instant::now() + WATCH_AGAIN, move || {
                    self.ready();
                }));
            }
        }
        Watch::End
    }
}
