//! [`Repl`]: one prompt's conversation, as a function of a [`Scene`]: lines in, text out.
//!
//! The prompt is shown on a terminal of another process, so nothing here knows one: the text goes
//! there as it is, already free of anything that a terminal would obey but this module's own
//! colours. It touches nothing of the paused task; what only the live actor knows it asks its
//! [`World`], and what only the root knows (the tree, the queue) it leaves to the caller, as it
//! does every decision to leave the prompt. It never waits and never fails: whatever is typed, the
//! answer is a [`Step`].

// The names of the commands and what follows them.
mod command;
// Lines of a file, numbered and coloured.
mod excerpt;
// A backtrace as data.
mod frames;
// All commands, and what was probably meant.
mod help;
// Tokens of Rust.
mod lexer;
// Where a source file may be.
mod locate;
// The actor and its error in words.
mod report;
// A part of a value.
mod select;
// Harmless text, colours, tables.
mod text;
// Captured values.
mod values;
// Which lines one looks at.
mod view;
// What the actor can be asked.
mod world;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::scene::Scene;
use crate::sources::{Disk, Sources};
use command::{Command, Entry, Lines, NoCommand, Skipped};
use text::{Paint, one_line};
use view::{Stage, View};

pub use report::tasks as show_tasks;
pub use text::age as show_age;
pub(crate) use view::show_place;
pub use world::{LinkLine, Skip, TaskLine, World};

/// The longest line that is read as a command, in characters. Nobody types more; what is pasted
/// by mistake is not taken apart.
pub const LINE_CHARS_MAX: usize = 1_000;

/// One prompt's conversation: the scene, and what `up`, `list` and an empty line remember.
///
/// `help` lists the commands. Three rules hold for all of them:
///
/// - The name of a captured value, typed alone or with a path such as `.id` or `[2]`, shows the
///   value. It wins over a command of one letter, which is then typed as `!c`; other commands win
///   over it, and `p` shows the value.
/// - An empty line repeats `list` and `where`; after anything else it does nothing.
/// - A line that is not understood changes nothing and ends nothing.
///
/// # Examples
///
/// ```
/// use tractor_debug::{Capture, LinkLine, Place, Repl, Scene, Step, TaskLine, Why, World};
/// use tractor_ipc::ActorId;
///
/// # struct Idle;
/// # impl World for Idle {
/// #     fn tasks(&self) -> Vec<TaskLine> { Vec::new() }
/// #     fn links(&self) -> Vec<LinkLine> { Vec::new() }
/// #     fn cancel_task(&self, _number: u64) -> bool { false }
/// #     fn runtime_vars(&self) -> Vec<(String, String)> { Vec::new() }
/// # }
/// let table = Capture {
///     name: "table".to_owned(),
///     type_name: "alloc::vec::Vec<i32>".to_owned(),
///     debug: "[1, 2]".to_owned(),
///     pretty: "[\n    1,\n    2,\n]".to_owned(),
/// };
/// let mut repl = Repl::new(Scene {
///     actor: ActorId::new("worker", 1),
///     pid: 123,
///     task: Some("load 7".to_owned()),
///     why: Why::Pause,
///     place: None,
///     captures: vec![table],
///     error: None,
///     backtrace: None,
/// });
///
/// assert!(repl.opening().starts_with("Paused actor 'worker' (pid 123), task `load 7`"));
/// assert_eq!(repl.prompt(), "(tdb@worker) ");
/// assert_eq!(repl.run("table[1]", &Idle), Step::Show("table[1] = 2".to_owned()));
/// assert_eq!(repl.run("contineu", &Idle), Step::Show(
///     "There is no `contineu`; did you mean `continue`? `help` shows the commands.".to_owned(),
/// ));
/// assert_eq!(repl.run("c", &Idle), Step::Continue);
/// ```
#[derive(Debug)]
pub struct Repl {
    scene: Scene,
    sources: Box<dyn Sources>,
    paint: Paint,
    view: View,
    /// What an empty line repeats.
    repeated: Option<Repeated>,
    /// Whether the last line was a `kill` that was not confirmed.
    kill_asked: bool,
}

/// What is to be done after a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Show this text, which may be empty and ends without a line break, and then the prompt.
    Show(String),
    /// Leave the prompt; the task goes on.
    Continue,
    /// Leave the prompt; the paused task ends with an error that says so. After a crash there is
    /// nothing left to end, and it is the same as [`Continue`](Self::Continue).
    Quit,
    /// Cancel the whole tree. It was asked for twice in a row.
    Kill,
    /// Show the actors of the tree, and then the prompt.
    Tree,
    /// Show who has the terminal and who waits for it, and then the prompt.
    Queue,
    /// Let the one of this number among those who wait be the next, and then show the prompt.
    Prefer(usize),
    /// Let no breakpoint of the tree stop any more, and then show the prompt.
    SkipAll,
    /// Give the terminal to a native debugger, attached to the actor, and then show the prompt.
    Native(Native),
}

/// A native debugger that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Native {
    /// Which.
    pub kind: NativeKind,
    /// What it does first, in its own words, before it shows its prompt.
    pub commands: Vec<String>,
}

/// Which native debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NativeKind {
    /// gdb, by way of `rust-gdb` where that is there.
    Gdb,
    /// lldb, by way of `rust-lldb` where that is there.
    Lldb,
}

/// A command that an empty line repeats.
#[derive(Debug, Clone, Copy)]
enum Repeated {
    List,
    Where { full: bool },
}

impl Repl {
    /// Begins a conversation about `scene`, without colours, with the source read from the
    /// [`Disk`].
    pub fn new(scene: Scene) -> Self {
        Self::with_sources(scene, Disk)
    }

    /// The same, with the source read from `sources`.
    pub fn with_sources(scene: Scene, sources: impl Sources + 'static) -> Self {
        Self {
            view: View::new(&scene),
            scene,
            sources: Box::new(sources),
            paint: Paint(false),
            repeated: None,
            kill_asked: false,
        }
    }

    /// The same, with or without colours (ANSI sequences). The prompt itself never has any.
    pub fn coloured(self, coloured: bool) -> Self {
        Self {
            paint: Paint(coloured),
            ..self
        }
    }

    /// What the conversation is about.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What is shown before the first prompt, without a line break at its end: one line that says
    /// what happened, in which actor and where, then the source around the place, then the first
    /// captured values, and the error last, so that it stands right above the prompt.
    pub fn opening(&self) -> String {
        let mut parts = vec![self.paint.bold(&report::headline(&self.scene))];
        if self.scene.place.is_some() {
            let stage = stage(&self.scene, &*self.sources, self.paint);
            parts.push(self.view.opening(stage));
        }
        parts.extend(values::brief(&self.scene.captures));
        let error = self.scene.error.as_ref().map(report::brief_error);
        parts.extend(error.map(|error| self.paint.alarm(&error)));
        parts.join("\n")
    }

    /// The prompt, `(tdb@NAME) `.
    pub fn prompt(&self) -> String {
        format!("(tdb@{}) ", one_line(self.scene.actor.name(), 60))
    }

    /// What can be completed, in order and each once: the names of the commands, and the captured
    /// values with the fields right below them.
    pub fn words(&self) -> Vec<String> {
        let commands = command::COMMANDS.iter().flat_map(|entry| entry.names);
        let commands = commands.map(|name| (*name).to_owned());
        let mut words: Vec<_> = commands
            .chain(values::words(&self.scene.captures))
            .collect();
        words.sort();
        words.dedup();
        words
    }

    /// Answers one line, with or without its line break. The end of the input is the caller's to
    /// know; it means [`Step::Continue`].
    pub fn run(&mut self, line: &str, world: &dyn World) -> Step {
        let line = line.trim();
        let repeated = self.repeated.take();
        let kill_asked = std::mem::take(&mut self.kill_asked);
        let length = line.chars().count();
        if length > LINE_CHARS_MAX {
            return Step::Show(format!(
                "That line has {length} characters; a command has at most {LINE_CHARS_MAX}."
            ));
        }
        if line.is_empty() {
            return self.repeat(repeated, world);
        }
        let (forced, line) = match line.strip_prefix('!') {
            Some(line) => (true, line.trim_start()),
            None => (false, line),
        };
        if !forced && self.shadows_command(line) {
            return Step::Show(self.shadowing(line));
        }
        match command::parse(line) {
            Ok(command) => self.perform(command, kill_asked, world),
            Err(no_command) => Step::Show(self.misunderstood(line, forced, no_command)),
        }
    }

    /// Whether a captured value has the name of a command of one letter, and is meant.
    fn shadows_command(&self, line: &str) -> bool {
        let name = line.split(['.', '[']).next().unwrap_or(line).trim_end();
        name.chars().count() == 1
            && command::find(name).is_some()
            && values::is_value(line, &self.scene.captures)
    }

    fn shadowing(&self, line: &str) -> String {
        let value = values::show(line, false, &self.scene.captures);
        match command::find(line) {
            Some(entry) => {
                let note = format!("  (`!{line}` is the command `{}`)", entry.names[0]);
                format!("{value}\n{}", self.paint.faint(&note))
            }
            None => value,
        }
    }

    fn misunderstood(&self, line: &str, forced: bool, no_command: NoCommand) -> String {
        match no_command {
            _ if !forced && values::is_value(line, &self.scene.captures) => {
                values::show(line, false, &self.scene.captures)
            }
            NoCommand::Usage(entry) => help::usage(entry),
            NoCommand::Unknown => values::neither(line, &self.scene.captures),
        }
    }

    /// An empty line.
    fn repeat(&mut self, repeated: Option<Repeated>, world: &dyn World) -> Step {
        let command = match repeated {
            Some(Repeated::List) => Command::List(Lines::Next),
            Some(Repeated::Where { full }) => Command::Where { full },
            None => return Step::Show(String::new()),
        };
        self.perform(command, false, world)
    }

    fn perform(&mut self, command: Command, kill_asked: bool, world: &dyn World) -> Step {
        let scene = &self.scene;
        let stage = stage(scene, &*self.sources, self.paint);
        Step::Show(match command {
            Command::Continue => return Step::Continue,
            Command::Quit => return Step::Quit,
            Command::Kill if kill_asked => return Step::Kill,
            Command::Kill => {
                self.kill_asked = true;
                "This cancels every actor of the tree. `kill` once more does it.".to_owned()
            }
            Command::Tree => return Step::Tree,
            Command::Queue => return Step::Queue,
            Command::Prefer(place) => return Step::Prefer(place),
            Command::Skip(Skipped::All) => return Step::SkipAll,
            Command::Skip(Skipped::Actor) => report::skip_actor(world),
            Command::Skip(Skipped::Site(times)) => report::skip_site(scene, times, world),
            Command::Log(count) => report::log(&world.log(count)),
            Command::Task(number) => report::task(scene, number, &world.tasks()),
            Command::Native(native) => return Step::Native(native),
            Command::Step(entry) => needs_native(entry),
            Command::List(lines) => {
                self.repeated = Some(Repeated::List);
                self.view.list(&lines, stage)
            }
            Command::Where { full } => {
                self.repeated = Some(Repeated::Where { full });
                self.view.stack(full, stage)
            }
            Command::LongList => self.view.function(stage),
            Command::Up(count) => self.view.up(count, stage),
            Command::Down(count) => self.view.down(count, stage),
            Command::Frame(number) => self.view.frame(number, stage),
            Command::Locals => values::all(&scene.captures, self.paint),
            Command::Print { what, pretty } => values::show(&what, pretty, &scene.captures),
            Command::Error(member) => report::error(scene.error.as_ref(), member),
            Command::Tasks => show_tasks(&world.tasks()),
            Command::Cancel(number) => report::cancel(number, world),
            Command::Links => report::links(&world.links()),
            Command::Vars => report::vars(&world.runtime_vars()),
            Command::Info => report::info(scene, world),
            Command::Help(topic) => help::help(topic.as_deref()),
        })
    }
}

/// What a view is of; of parts of a prompt, because its view changes while they are borrowed.
fn stage<'a>(scene: &'a Scene, sources: &'a dyn Sources, paint: Paint) -> Stage<'a> {
    Stage {
        scene,
        sources,
        paint,
    }
}

/// Steps are not this prompt's: the actor stands still here, and its code is compiled.
fn needs_native(entry: &Entry) -> String {
    let name = entry.names[0];
    format!(
        "`{name}` needs the native debugger: `gdb -- {name}` begins there with it. \
         `continue` leaves this prompt."
    )
}
