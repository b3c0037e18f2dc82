//! How a link ends: at once, or when what has arrived was read; and what ends with it.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use tractor_ipc::CloseReason;

use super::Link;
use crate::error::Error;
use crate::io::counts::is_broken;
use crate::io::{engine, noted, rest};
use crate::stream::inbound::Ended;
use crate::timer::{self, Timer};

/// How long the end of a TCP stream may take to arrive when the peer's process is gone: a second,
/// in which all that the kernel holds for a link of this machine is read many times over.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(1);

impl Link {
    /// Has the link read to its end, because the peer's process is gone. Bytes that a process
    /// which inherited the peer's end by mistake may still write are not waited for.
    pub fn end_after_reading(self: &Arc<Self>) {
        if !self.socket.is_tcp() {
            return self.end_when_empty();
        }
        // What it sent last may still be on its way, and the end of the stream comes behind it.
        let link = Arc::downgrade(self);
        let at = Instant::now() + LAST_BYTES_WITHIN;
        Timer::forget(timer::schedule(at, move || {
            if let Some(link) = link.upgrade() {
                link.end_when_empty();
            }
        }));
    }

    fn end_when_empty(self: &Arc<Self>) {
        self.ending.store(true, Ordering::Release);
        engine().serve_soon(self);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends the link. The first reason counts.
    pub fn close(self: &Arc<Self>, reason: &CloseReason) {
        {
            let _interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
            if self.ended.swap(true, Ordering::AcqRel) {
                return;
            }
            engine().remove(self.key, self.socket.as_fd());
        }
        if self.is_open() && is_broken(reason, self.is_in_frame()) {
            engine().counts.link_broke();
        }
        self.writer.close();
        if self.unplan_flush() {
            engine().monitor.flush_made();
        }
        rest::end(self);
        // It fails only if the peer knows already.
        let _ = self.socket.shutdown_write();
        let tasks = self.tasks().close();
        if !tasks.is_empty() {
            engine().linger(self);
        }
        for task in tasks {
            task.cancel_for_lost_peer();
        }
        self.end_callee_dialogs();
        self.owner.closed(self, reason);
    }

    /// Whether part of a frame has come. Not known while somebody reads.
    fn is_in_frame(&self) -> bool {
        let decoder = self.reader.try_take();
        let in_frame = decoder.as_ref().is_some_and(|it| it.eof().is_err());
        if let Some(decoder) = decoder {
            // It has ended, so there is nothing to watch any more.
            let _ = self.reader.release(decoder);
        }
        in_frame
    }

    /// Ends what was said during calls of the peer. Our own calls end when it is known how the
    /// peer did, with [`lose_calls`](Self::lose_calls).
    fn end_callee_dialogs(&self) {
        let dialogs: Vec<_> = self.dialogs().values().filter_map(Weak::upgrade).collect();
        for dialog in dialogs.iter().filter(|dialog| dialog.ends_with_link()) {
            dialog.end(&Ended::Well, None);
        }
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Fails all calls that await an answer, and all later ones.
    pub fn lose_calls(&self, error: Error) {
        let lost = self.calls().lose(error.clone());
        for (id, slot) in lost {
            noted::call_over(self, id);
            slot.fill(crate::calls::Reply::Lost(error.clone()));
        }
        let pongs = std::mem::take(&mut *self.pongs());
        drop(pongs);
        self.arrivals.clear();
        let dialogs: Vec<_> = self.dialogs().values().filter_map(Weak::upgrade).collect();
        for dialog in dialogs.iter().filter(|dialog| dialog.tie.is_some()) {
            dialog.lost(&error);
        }
    }

    /// Why no answer comes over it any more, once that is known.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.calls().lost().cloned()
    }
}
