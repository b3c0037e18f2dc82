//! [`Owner`]: the thread that owns the terminal.
//!
//! It does one thing after the other and waits only here, for a command, for the editor, and for a
//! terminal that takes no more output.

// Giving the terminal away for a while.
mod lending;
// What the tree prints, between the other things that it does.
mod pump;

// Others have the terminal for a while: the shell of a process that is stopped.
mod away;

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::Termios;

use self::away::LOOKS_EVERY;
use self::lending::Lent;
pub(super) use self::lending::PendingLoan;
use super::device::Device;
use super::output::Output;
use super::remote::Editor;
use super::{Read, Settings};
use crate::editor::END_OF_EDITING;
use crate::editor::wire::{Answer, Order};
use crate::lock::Lease;
use crate::os::Wake;

/// What the thread is asked to do.
pub(super) enum Command {
    Read(PendingRead),
    Lend(PendingLoan),
    Show(Lease, String),
    Reclaim(Lease, Box<dyn FnOnce() + Send>),
    Say(String),
    Interrupted,
    /// The terminal is ours to change; these are its settings.
    Claimed(Termios),
    /// Puts the terminal back for a shell, and tells when that is done.
    Suspend(SyncSender<()>),
    /// The process was continued.
    GoOn,
    /// What is left is shown, for as long as the terminal takes something within this time.
    Close(Option<Duration>),
}

/// A read that is asked for.
pub(super) struct PendingRead {
    pub(super) lease: Lease,
    pub(super) text: String,
    pub(super) prompt: String,
    pub(super) words: Vec<String>,
    pub(super) done: Box<dyn FnOnce(Read) + Send>,
}

impl PendingRead {
    fn end(self, how: Read) {
        tell(|| (self.done)(how));
    }
}

/// Calls back. A callback that panics must not take the terminal along.
fn tell(callback: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(callback)).is_err() {
        log::error!("a callback of the terminal panicked");
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Lend(_) => "Lend",
            Self::Show(..) => "Show",
            Self::Reclaim(..) => "Reclaim",
            Self::Say(_) => "Say",
            Self::Interrupted => "Interrupted",
            Self::Claimed(_) => "Claimed",
            Self::Suspend(_) => "Suspend",
            Self::GoOn => "GoOn",
            Self::Close(_) => "Close",
        })
    }
}

/// The terminal, the reads, and the editor of the one in progress.
pub(super) struct Owner {
    device: Device,
    /// What the tree prints, if it comes this way.
    output: Option<Output>,
    settings: Settings,
    commands: Receiver<Command>,
    wake: Arc<Wake>,
    waiting: VecDeque<PendingRead>,
    /// The read in progress; its editor is there.
    active: Option<(u64, PendingRead)>,
    editor: Option<Editor>,
    /// Who has the terminal instead of an editor.
    lent: Option<Lent>,
    /// Whether the process is about to be stopped.
    is_suspended: bool,
    /// Whether a shell has the terminal, or may have had it, while the editor reads.
    is_away: bool,
    /// The settings of a line that is edited, while a shell has its own.
    edited: Option<Termios>,
    /// The newest lease that is over.
    over: Lease,
    /// What the editor has been told to show and has not shown.
    unsaid: VecDeque<(u64, String)>,
    unsaid_bytes: usize,
    /// How many lines were too much for that.
    lost: u64,
    numbers: u64,
}

impl Owner {
    pub(super) fn new(
        device: Device,
        output: Option<Output>,
        settings: Settings,
        commands: Receiver<Command>,
        wake: Arc<Wake>,
    ) -> Self {
        Self {
            device,
            output,
            settings,
            commands,
            wake,
            waiting: VecDeque::new(),
            active: None,
            editor: None,
            lent: None,
            is_suspended: false,
            is_away: false,
            edited: None,
            over: Lease(0),
            unsaid: VecDeque::new(),
            unsaid_bytes: 0,
            lost: 0,
            numbers: 0,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            self.wait();
            while let Ok(command) = self.commands.try_recv() {
                if let Command::Close(patience) = command {
                    return self.close(patience);
                }
                self.obey(command);
            }
            self.hear();
            self.look_after_loan();
            self.come_back();
            self.pump();
            let is_written = self.device.flush();
            if is_written && self.can_begin() {
                self.begin_next();
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self) {
        let wake = self.wake.clone();
        let mut fds = vec![PollFd::new(&wake, PollFlags::IN)];
        if let Some(editor) = &self.editor {
            let mut events = PollFlags::IN;
            events.set(PollFlags::OUT, editor.has_unsent());
            fds.push(PollFd::new(editor, events));
        }
        if let Some(lent) = &self.lent {
            fds.push(PollFd::new(lent, PollFlags::IN));
        }
        if self.device.has_unwritten() {
            fds.push(PollFd::new(&self.device, PollFlags::OUT));
        }
        let mut limit = self.lent.as_ref().map(|_| lending::LOOK_EVERY);
        if let Some(output) = &self.output {
            fds.push(PollFd::new(output.pty.resized(), PollFlags::IN));
            if self.takes_output() {
                fds.push(PollFd::new(&output.pty, PollFlags::IN));
            }
            let patience = output.patience(Instant::now());
            limit = limit.into_iter().chain(patience).min();
        }
        if self.is_away() {
            limit = Some(limit.map_or(LOOKS_EVERY, |limit| limit.min(LOOKS_EVERY)));
        }
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => log::error!("the terminal's thread cannot wait: {error}"),
        }
        wake.listen();
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Read(read) if read.lease <= self.over => read.end(Read::Revoked),
            Command::Read(read) => {
                self.waiting.push_back(read);
                if let Some(output) = &mut self.output {
                    output.prompt_comes();
                }
            }
            Command::Lend(loan) => self.lend(loan),
            Command::Show(lease, _) if lease <= self.over => {}
            Command::Show(_, text) => self.show(&text),
            Command::Reclaim(lease, done) => {
                self.reclaim(lease);
                tell(done);
            }
            Command::Say(line) => match &mut self.output {
                Some(output) => output.keep_aside(line),
                None => self.say(line),
            },
            Command::Claimed(settings) => self.device.claimed(settings),
            Command::Interrupted => {
                if let (Some(_), Some(editor)) = (&self.active, &mut self.editor) {
                    send(editor, &Order::Interrupted);
                }
            }
            Command::Suspend(done) => {
                self.suspend();
                // Who does not wait any more has its reason.
                let _ = done.send(());
            }
            Command::GoOn => self.go_on(),
            Command::Close(_) => {}
        }
    }

    fn show(&mut self, text: &str) {
        if self.active.is_none() && self.lent.is_none() {
            return self.device.put(text);
        }
        for line in text.lines() {
            self.say(line.to_owned());
        }
    }

    fn say(&mut self, mut line: String) {
        if line.len() > LINE_BYTES_MAX {
            let end = (0..=LINE_BYTES_MAX)
                .rev()
                .find(|end| line.is_char_boundary(*end));
            line.truncate(end.unwrap_or_default());
        }
        if self.unsaid_bytes + line.len() > UNSAID_BYTES_MAX {
            self.lost += 1;
            return;
        }
        let editor = self.editor.as_mut().filter(|_| self.active.is_some());
        if editor.is_none() && self.lent.is_none() {
            return self.device.put(line + "\n");
        }
        self.numbers += 1;
        let number = self.numbers;
        if let Some(editor) = editor {
            send(
                editor,
                &Order::Say {
                    number,
                    line: line.clone(),
                },
            );
        }
        self.unsaid_bytes += line.len();
        self.unsaid.push_back((number, line));
    }

    /// Takes what the editor has to say, or its end.
    fn hear(&mut self) {
        let Some(editor) = &mut self.editor else {
            return;
        };
        editor.flush();
        match editor.receive() {
            Ok(answers) => {
                for answer in answers {
                    self.take(answer);
                }
            }
            Err(error) => {
                log::warn!("the line editor is lost: {error}");
                self.end_editor();
                if let Some((_, read)) = self.active.take() {
                    read.end(Read::EditorLost);
                }
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Said { number } => {
                let shown = self.unsaid.partition_point(|(said, _)| *said <= number);
                for (_, line) in self.unsaid.drain(..shown) {
                    self.unsaid_bytes -= line.len();
                }
                if self.unsaid.is_empty() && self.lost > 0 {
                    let lost = std::mem::take(&mut self.lost);
                    self.say(format!("{lost} lines came too fast and are not shown"));
                }
            }
            Answer::HistoryLost { reason } => {
                if self.settings.history.take().is_some() {
                    self.say(format!("the history of the prompt is not kept: {reason}"));
                }
            }
            Answer::Line { number, line } => self.end_read(number, Read::Line(line)),
            Answer::EndOfInput { number } => self.end_read(number, Read::EndOfInput),
        }
    }

    fn end_read(&mut self, number: u64, how: Read) {
        if let Some((_, read)) = self.active.take_if(|active| active.0 == number) {
            read.end(how);
        }
    }

    /// Whether the next read can begin, if there is one.
    fn can_begin(&mut self) -> bool {
        let is_free = self.active.is_none() && self.lent.is_none();
        is_free && !self.is_suspended && self.is_settled()
    }

    /// Begins the next read. All that was to be printed before it is.
    fn begin_next(&mut self) {
        let Some(read) = self.waiting.front_mut() else {
            return;
        };
        if !read.text.is_empty() {
            let text = std::mem::take(&mut read.text);
            self.device.put(text);
            if !self.device.flush() {
                return;
            }
        }
        let lease = read.lease;
        if self.editor.as_ref().is_some_and(|old| old.lease() != lease) {
            self.end_editor();
        }
        let Some(read) = self.waiting.pop_front() else {
            return;
        };
        if self.device.has_hung_up() {
            // An editor would end at once, and the next one too.
            return self.give_up(read, Read::EndOfInput);
        }
        // Whoever had the terminal before may have left it in any state.
        self.device.restore();
        if self.editor.is_none() {
            match Editor::start(&self.settings, &self.device, lease) {
                Ok(editor) => self.editor = Some(editor),
                Err(error) => {
                    log::warn!("the line editor cannot be started: {error}");
                    return self.give_up(read, Read::EditorLost);
                }
            }
        }
        self.numbers += 1;
        if let Some(editor) = &mut self.editor {
            send(
                editor,
                &Order::Read {
                    number: self.numbers,
                    prompt: read.prompt.clone(),
                    words: read.words.clone(),
                },
            );
        }
        self.active = Some((self.numbers, read));
    }

    fn give_up(&self, read: PendingRead, how: Read) {
        read.end(how);
        // There may be another one that waits.
        self.wake.ring();
    }

    fn reclaim(&mut self, lease: Lease) {
        self.over = self.over.max(lease);
        let over = self.over;
        self.revoke_loan();
        let is_over = |editor: &Editor| editor.lease() <= over;
        if self.editor.as_ref().is_some_and(is_over) {
            self.let_editor_show();
        }
        if self.editor.as_ref().is_some_and(is_over) {
            self.end_editor();
        } else if self.editor.is_none() {
            self.device.restore();
        }
        if self.editor.is_none() {
            self.device.discard_input();
        }
        if let Some((_, read)) = self.active.take_if(|active| active.1.lease <= over) {
            read.end(Read::Revoked);
        }
        let (old, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|read| read.lease <= over);
        self.waiting = waiting;
        for read in old {
            read.end(Read::Revoked);
        }
    }

    /// Ends the editor, puts the terminal back, and shows what the editor did not.
    fn end_editor(&mut self) {
        let Some(editor) = self.editor.take() else {
            return;
        };
        editor.end();
        self.device.restore();
        if self.active.is_some() {
            self.device.put(END_OF_EDITING);
        }
        self.show_unsaid();
    }

    /// Shows what nobody else does any more.
    fn show_unsaid(&mut self) {
        self.unsaid_bytes = 0;
        for (_, line) in std::mem::take(&mut self.unsaid) {
            self.device.put(line + "\n");
        }
    }

    fn close(mut self, patience: Option<Duration>) {
        self.reclaim(Lease(u64::MAX));
        self.drain(patience);
        if self.output.is_none() {
            self.device.finish(patience);
        }
    }
}

fn send(editor: &mut Editor, order: &Order) {
    if let Err(error) = editor.send(order) {
        log::warn!("the line editor cannot be told: {error}");
    }
}

/// A longer line of the runtime is cut.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What may wait for an editor that shows nothing, because the terminal takes no output.
const UNSAID_BYTES_MAX: usize = 8 << 20;
