//! The parent death signal after [`Boot::enter`](super::Boot::enter): the kernel forgets it when
//! this process changes its user, its group or its rights, and says nothing.
//!
//! The flag belongs to a thread, and the C library changes all threads. So each thread of the
//! runtime that may read links carries one of its own: when it is about to sleep it asks whether
//! that is still there, and sets it again if it is not. Asking is a short system call: 171 ns,
//! measured on a virtual machine with two cores. Nobody wakes up for this: a change is noticed when
//! the runtime next has something to do.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::os::{self, User};

/// Who this process was when its life was tied to its parent's.
static TIED: OnceLock<User> = OnceLock::new();

thread_local! {
    /// Whether this thread carries a flag.
    static CARRIES: Cell<bool> = const { Cell::new(false) };
}

/// From now on the runtime's threads carry it, too.
pub(super) fn tied() {
    // It is tied once.
    let _ = TIED.set(os::user());
}

/// For a thread that lives as long as the process, when it begins.
pub(crate) fn carry() {
    let Some(before) = TIED.get() else { return };
    CARRIES.set(os::arm_parent_death().is_ok());
    if os::user() != *before {
        tell(*before);
    }
}

/// For such a thread, when it is about to sleep.
#[inline]
pub(crate) fn check() {
    if CARRIES.get() && !os::has_parent_death() {
        lost();
    }
}

/// Sets it again. A parent that died while it was not set gives no signal any more, and is not
/// looked for: the link to it has ended then, which this thread finds when it goes on to wait for
/// its links, and that ends us.
#[cold]
fn lost() {
    CARRIES.set(os::arm_parent_death().is_ok());
    if let Some(before) = TIED.get() {
        tell(*before);
    }
}

/// Says it once.
fn tell(before: User) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.swap(true, Ordering::SeqCst) {
        return;
    }
    let consequence = consequence(before, os::user(), CARRIES.get());
    log::warn!(
        "this process has changed its user, its group or its rights, so the kernel forgot to kill \
         it at its parent's death: {consequence}"
    );
}

/// What becomes of it. The signal is the parent's, who has to have the right to send it.
fn consequence(before: User, now: User, is_set: bool) -> &'static str {
    if !is_set {
        "it could not be told again, so the end of the link to the parent has to end it"
    } else if before.is_root() || before.real == now.real {
        "it was told again"
    } else {
        "it was told again, but the parent may not signal this user, so the end of the link has to \
         end it"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_it_depends_on_the_rights_of_the_parent() {
        let user = |real, effective| User {
            real,
            effective,
            group: 0,
        };
        for (before, now, is_set, expected) in [
            (user(0, 0), user(65_534, 65_534), true, "again"),
            (user(7, 7), user(7, 8), true, "again"),
            (user(7, 7), user(8, 8), true, "may not signal"),
            (user(0, 0), user(7, 7), false, "could not"),
        ] {
            let text = consequence(before, now, is_set);
            assert!(text.contains(expected), "{text}");
        }
    }
}
