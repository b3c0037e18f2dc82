//! [`dump_tree`], and what SIGUSR1 does: every actor tells what it is doing, parents before
//! children, whatever its user code does.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::io::Errno;
use tractor_core::{Actor, ActorStatistics, Error, current_actor};
use tractor_debug::{TaskLine, show_age, show_tasks};

use crate::child::{Child, Condition};
use crate::nurseries;
use crate::nursery::NurseryStatistics;
use crate::tree::Tree;

/// Has every actor of the tree tell on its standard error what it is doing, as SIGUSR1 to the
/// root does.
///
/// An actor tells the calls of others that run in it, the calls that it awaits, and its nurseries
/// with their children; then it asks these, so that parents speak before children. SIGUSR1 to any
/// actor has that one speak and all below it. It is done by the runtime's own threads: no
/// executor has to be free, neither here nor there. A child that is stopped, or does not serve
/// calls yet, is named and not asked.
///
/// It returns at once. From a blocked actor's point of view nothing happens: what it does goes on.
///
/// # Errors
///
/// [`Refusal::NotAnActor`](tractor_core::Refusal::NotAnActor) in a process that is none.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), tractor_core::Error> {
/// // Somebody has waited for too long: what is going on?
/// tractor_nursery::dump_tree()?; // `tractor::dump_tree`
/// # Ok(())
/// # }
/// ```
pub fn dump_tree() -> Result<(), Error> {
    Tree::ask_for_dump(current_actor()?);
    Ok(())
}

/// Tells what this actor is doing, then has its children tell the same. Whoever asks while that is
/// under way has it told once more afterwards.
pub(crate) fn begin() {
    let Ok(actor) = current_actor() else { return };
    if ASKED.fetch_add(1, Ordering::SeqCst) > 0 {
        return;
    }
    // On a thread of its own, because standard error may take nothing.
    let telling = thread::Builder::new().name("tractor-dump".to_owned());
    if let Err(error) = telling.spawn(|| tell_all_who_asked(actor)) {
        ASKED.store(0, Ordering::SeqCst);
        log::warn!("no dump: {error}");
    }
}

/// How often it was asked for since the telling began, 0 while nobody tells.
static ASKED: AtomicU32 = AtomicU32::new(0);

fn tell_all_who_asked(actor: &Actor) {
    loop {
        let asked = ASKED.load(Ordering::SeqCst);
        tell(actor);
        let over = ASKED.compare_exchange(asked, 0, Ordering::SeqCst, Ordering::SeqCst);
        if over.is_ok() {
            return;
        }
    }
}

fn tell(actor: &Actor) {
    let name = actor.name();
    let mut text = format!("=== what '{name}' (pid {}) is doing\n", std::process::id());
    describe_actor(&actor.statistics(), &mut text);
    for nursery in nurseries::statistics() {
        describe_nursery(&nursery, &mut text);
    }
    let mut asked = nurseries::children();
    asked.retain(|child| match silence_of(child) {
        None => true,
        Some(reason) => {
            let _ = writeln!(text, "'{}' is not asked: {reason}", child.aid.name());
            false
        }
    });
    let names: Vec<_> = asked
        .iter()
        .map(|child| format!("'{}'", child.aid.name()))
        .collect();
    let _ = match &names[..] {
        [] => writeln!(text, "=== end of '{name}'"),
        names => writeln!(text, "=== end of '{name}'; asking {}", names.join(", ")),
    };
    print(&text);
    asked.iter().for_each(|child| child.ask_for_dump());
}

/// Why a child would not answer, if it would not.
fn silence_of(child: &Child) -> Option<&'static str> {
    match child.process_state() {
        // The signal would end it.
        _ if !child.has_become_actor() => Some("it is starting"),
        None | Some('Z' | 'X') => Some("it has exited"),
        Some('T') => Some("it is stopped (SIGSTOP); SIGCONT has it go on"),
        Some('t') => Some("a debugger has stopped it"),
        Some(_) => None,
    }
}

/// Past the lock of the standard library, which may be held by whoever hangs.
fn print(text: &str) {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), left) {
            Ok(written) => left = &left[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => thread::yield_now(),
            // Nobody can read it.
            Err(_) => return,
        }
    }
}

fn describe_actor(actor: &ActorStatistics, text: &mut String) {
    let tasks: Vec<_> = actor.tasks.iter().cloned().map(TaskLine::from).collect();
    let _ = writeln!(text, "{}", show_tasks(&tasks));
    for link in actor.links.iter().filter(|link| link.calls > 0) {
        let calls = link.calls_in_flight.join(", ");
        let _ = writeln!(text, "awaits of '{}': {calls}", link.peer.name());
    }
}

fn describe_nursery(nursery: &NurseryStatistics, text: &mut String) {
    let (number, age) = (nursery.number, show_age(nursery.age));
    let left = if nursery.is_left {
        ", its block has ended"
    } else {
        ""
    };
    let _ = write!(text, "nursery {number}, open for {age}{left}");
    let _ = match nursery.failures {
        0 => writeln!(text, ":"),
        count => writeln!(text, ", failures so far {count}:"),
    };
    for child in &nursery.children {
        let kind = match child.is_daemon {
            true => "daemon",
            false => "one-shot",
        };
        let (name, pid, condition) = (child.aid.name(), child.pid, word(child.condition));
        let _ = writeln!(text, "  '{name}' (pid {pid}), {kind}, {condition}");
    }
}

fn word(condition: Condition) -> &'static str {
    match condition {
        Condition::Booting => "starting",
        Condition::Running => "running",
        Condition::Cancelling => "asked to end",
        Condition::Killed => "sent a signal to end",
        Condition::Gone => "gone",
    }
}
