//! [`Keys`]: Ctrl-C, Ctrl-\ and Ctrl-Z, which come as signals unless a line is edited.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal as Own, raise};
use rustix::process::{self as sys, Pid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyEvent, RepeatCount,
};
use tractor_core::process::{Process, Signal};

use super::{BEGIN_OF_EDITING, END_OF_EDITING};

/// What the keys act on.
pub(super) struct Keys {
    root: Pid,
    terminal: Arc<File>,
    found: Termios,
    interrupted: Arc<AtomicBool>,
}

impl Keys {
    /// Keys for an editor of this root, with the settings that its terminal had.
    pub(super) fn new(root: Pid, terminal: Arc<File>, found: Termios) -> Self {
        Self {
            root,
            terminal,
            found,
            interrupted: Arc::default(),
        }
    }

    /// Set by Ctrl-C, which ends the line. Whoever takes that line clears it.
    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    /// What each key does.
    pub(super) fn handlers(self) -> [(KeyEvent, EventHandler); 3] {
        let quit = Quit { root: self.root };
        let interrupt = Interrupt(self.interrupted());
        [
            (
                KeyEvent::ctrl('C'),
                EventHandler::Conditional(Box::new(interrupt)),
            ),
            (
                KeyEvent::ctrl('\\'),
                EventHandler::Conditional(Box::new(quit)),
            ),
            (
                KeyEvent::ctrl('Z'),
                EventHandler::Conditional(Box::new(self)),
            ),
        ]
    }

    /// Stops the process group, this process last, with the terminal as the shell wants it, and
    /// goes on when the group does.
    ///
    /// The library stops the group by a signal that any thread of this process may take, so that it
    /// can make the terminal raw again before it stops. Here the thread stops itself, by a signal
    /// that it keeps back until the others have theirs. If they are continued before that, the
    /// system takes the signal away. In a group that no shell looks after, neither stops anything.
    fn stop(&self) -> io::Result<()> {
        let edited = tcgetattr(&self.terminal)?;
        (&*self.terminal).write_all(END_OF_EDITING.as_bytes())?;
        tcsetattr(&self.terminal, OptionalActions::Drain, &self.found)?;
        let stop = SigSet::from(Own::SIGTTOU);
        stop.thread_block()?;
        raise(Own::SIGTTOU)?;
        let sent = sys::kill_current_process_group(sys::Signal::TSTP);
        stop.thread_unblock()?;
        sent?;
        tcsetattr(&self.terminal, OptionalActions::Drain, &edited)?;
        (&*self.terminal).write_all(BEGIN_OF_EDITING.as_bytes())
    }
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        // If the terminal is gone, the next key is the end of input.
        let _ = self.stop();
        Some(Cmd::Repaint)
    }
}

/// Ctrl-C, for which the library would drop what was typed behind it and had come with it.
struct Interrupt(Arc<AtomicBool>);

impl ConditionalEventHandler for Interrupt {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// Ctrl-\, which the library takes for Ctrl-C.
struct Quit {
    root: Pid,
}

impl ConditionalEventHandler for Quit {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        let root = u32::try_from(self.root.as_raw_nonzero().get()).ok()?;
        // A root that is gone needs no signal.
        let _ = Process::open(root).and_then(|root| root.signal(Signal::Quit));
        Some(Cmd::Noop)
    }
}
