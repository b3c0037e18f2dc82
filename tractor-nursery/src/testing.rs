//! What `#[test]` expands to: a test whose body is the root of a tree, in a process of its own.
//!
//! There is one runtime in a process, and a test binary runs many tests in one. So the harness's
//! thread starts this test binary anew, with the arguments that run this one test; there the body
//! runs. The harness's thread gathers what the tree prints, bounds its time, and checks at the end
//! that nothing of the tree is left.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tractor_core::Error;
use tractor_core::io as engine;
use tractor_core::journal;
use tractor_core::process::census::{
    OpenFd, ProcInfo, marked_processes, open_fds, zombie_children,
};
use tractor_core::process::{
    self, ExitStatus, Process, Program, Signal, SpawnSpec, Spawned, StdioSpec, spawn_blocking,
};
use tractor_core::rt;
use tractor_ipc::{Channel, Kind, Socket, TreeId, codec};

use crate::child_main::{self, Begun};
use crate::entry::{self, Entry};
use crate::options::Options;
use crate::os;
use crate::outcome::Outcome;
use crate::root::{left_sockets, run_root};
use crate::signals;
use crate::spec::{Spec, Stopped};

/// How long a test may take if it does not say: a minute.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long the tree's processes may take to vanish after its root: they are killed with it, and
/// only have to be scheduled once more.
const VANISH: Duration = Duration::from_secs(2);

/// Who was asked what it is doing and prints nothing for so long has said it.
const SAID: Duration = Duration::from_millis(500);

/// A test and how it is run.
#[derive(Debug)]
pub struct TestSpec {
    /// The path of its function, with the crate's name.
    pub name: &'static str,
    /// How long it may take, in seconds; `None` is a minute.
    pub timeout_secs: Option<u64>,
    /// How its tree is run.
    pub options: Options,
}

/// Runs a test: its body in a process of its own, as the root of a tree.
///
/// # Panics
///
/// If the test fails: with what its body panicked with or returned, or with what it left behind.
#[track_caller]
pub fn test<R, F>(spec: TestSpec, body: F)
where
    R: Outcome,
    F: AsyncFnOnce() -> R,
{
    let name = harness_name(spec.name);
    tractor_debug::be_editor_if_asked();
    spec.options.debug.clone().install();
    if let Some(boot) = process::detect() {
        entry::note_test(&name);
        be_root(child_main::begin(boot), spec.options, body);
    }
    let timeout = spec.timeout_secs.map_or(TIMEOUT, Duration::from_secs);
    if let Err(failure) = watch_over(&name, timeout) {
        panic!("{failure}");
    }
}

/// The name that the harness knows the test by: that of its thread, or, where it runs tests on
/// the main thread, the path without the crate.
fn harness_name(path: &str) -> String {
    match thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => path
            .split_once("::")
            .map_or(path, |(_, name)| name)
            .to_owned(),
    }
}

/// Runs the body as the root of the test's tree, tells what came of it, and ends the process.
fn be_root<R: Outcome, F: AsyncFnOnce() -> R>(begun: Begun, options: Options, body: F) -> ! {
    let Begun { mut channel, tree } = begun;
    if let Err(error) = rustix::stdio::dup2_stdout(rustix::stdio::stderr()) {
        child_main::fail(&format!("join standard output and error: {error}"));
    }
    rt::open_what_stays();
    let before = open_fds();
    let run = || {
        run_root(options, tree, async || {
            let outcome = body().await;
            Ok::<_, Error>(outcome.failure())
        })
    };
    let result = match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(None)) => check_fds(before).and_then(|()| check_rest()),
        Ok(Ok(Some(failure))) => Err(failure),
        Ok(Err(error)) => Err(error.to_string()),
        Err(payload) => Err(panic_text(&*payload)),
    };
    let code = i32::from(result.is_err());
    let stopped = codec::encode(&Stopped::Tested(result)).expect("a text always encodes");
    if let Err(error) = channel.send(Kind::Stopped, 0, &stopped) {
        child_main::fail(&format!("tell the test's result: {error}"));
    }
    child_main::leave(code)
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "the test panicked".to_owned(),
    }
}

/// Whether the tree has left descriptors open in its root: sockets and descriptors of processes.
fn check_fds(before: io::Result<Vec<OpenFd>>) -> Result<(), String> {
    let words = |error: io::Error| format!("list the open descriptors: {error}");
    let before = before.map_err(words)?;
    let deadline = Instant::now() + VANISH;
    loop {
        let left = left_open(&before).map_err(words)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let list = left.join(", ");
            return Err(format!(
                "the tree has left descriptors open in its root: {list}"
            ));
        }
        // A runtime thread that told us of the last child's end may still hold what it had of it.
        let (tell, told) = mpsc::channel::<()>();
        engine::run_soon(move || drop(tell));
        // It is dropped without a word.
        let _ = told.recv_timeout(VANISH);
        thread::yield_now();
    }
}

/// Whether the tree has left sockets in its directory, or zombies to its root.
fn check_rest() -> Result<(), String> {
    let sockets = left_sockets();
    if !sockets.is_empty() {
        let list: Vec<_> = sockets.iter().map(|it| it.display().to_string()).collect();
        return Err(format!("the tree has left sockets: {}", list.join(", ")));
    }
    let zombies: Vec<_> = zombie_children(&[std::process::id()])
        .iter()
        .map(described)
        .collect();
    if !zombies.is_empty() {
        let list = zombies.join(", ");
        return Err(format!("the tree has not reaped: {list}"));
    }
    Ok(())
}

/// What is open now, was not before, and is not the runtime's own.
fn left_open(before: &[OpenFd]) -> io::Result<Vec<String>> {
    // The runtime's own stay for the life of the process: they are few and known.
    let kept = |target: &Path| os::is_waited_with(target) || journal::is_written(target);
    let after = open_fds()?;
    let left = after
        .iter()
        .filter(|fd| {
            !before
                .iter()
                .any(|old| old.number == fd.number && old.target == fd.target)
        })
        .filter(|fd| !kept(&fd.target))
        .skip(2 * signals::pairs());
    Ok(left
        .map(|fd| format!("{} {}", fd.number, fd.target.display()))
        .collect())
}

/// Starts the test's root and watches over it to the end.
fn watch_over(name: &str, timeout: Duration) -> Result<(), String> {
    let tree = TreeId::fresh();
    let (mut channel, process, output) =
        start_root(name, tree).map_err(|error| format!("start the test's process: {error}"))?;
    let mut gathered = Gathered::from(output);
    let deadline = Instant::now() + timeout;
    let told = match channel.recv(Some(timeout)) {
        Ok(frame) if frame.kind == Kind::Stopped => codec::decode::<Stopped>(&frame.payload).ok(),
        Ok(_) | Err(_) => None,
    };
    let is_late = told.is_none() && Instant::now() >= deadline;
    let dump = is_late.then(|| {
        gathered.ask(&process);
        dump(tree, timeout)
    });
    if dump.is_some() {
        // SIGKILL to the root: the kernel then kills the tree.
        process
            .signal(Signal::Kill)
            .map_err(|error| format!("kill the test: {error}"))?;
    }
    let status = reap(&process).map_err(|error| format!("reap the test's process: {error}"))?;
    let survivors = survivors(tree);
    for survivor in &survivors {
        kill(survivor.pid);
    }
    gathered.show();
    if let Some(dump) = dump {
        return Err(dump);
    }
    match told {
        Some(Stopped::Tested(Err(failure))) => return Err(failure),
        Some(Stopped::Tested(Ok(()))) => {}
        Some(Stopped::Failed(error)) => return Err(error.to_string()),
        Some(Stopped::Cancelled) | None => {
            return Err(format!("the test's process {status} before the test ended"));
        }
    }
    if survivors.is_empty() {
        Ok(())
    } else {
        let list: Vec<_> = survivors.iter().map(described).collect();
        Err(format!(
            "the test has left processes behind: {}",
            list.join(", ")
        ))
    }
}

fn start_root(name: &str, tree: TreeId) -> io::Result<(Channel, Process, File)> {
    let (socket, theirs) = Socket::pair()?;
    let Spawned {
        process, stderr, ..
    } = spawn_blocking(SpawnSpec {
        name: "test".to_owned(),
        program: Program::SelfExe,
        args: Entry::Test(name.to_owned()).arguments(),
        env: Vec::new(),
        clear_env: false,
        cwd: None,
        tree,
        stdin_link: theirs,
        // The harness of the new process writes there before the test begins.
        stdout: StdioSpec::Null,
        stderr: StdioSpec::Pipe,
    })
    .map_err(io::Error::other)?;
    let output = stderr
        .map(File::from)
        .ok_or_else(|| io::Error::other("it has no output"))?;
    let mut channel = Channel::new(socket);
    let spec = codec::encode(&Spec::TestRoot { tree }).map_err(io::Error::other)?;
    channel
        .send(Kind::Spec, 0, &spec)
        .map_err(io::Error::other)?;
    Ok((channel, process, output))
}

/// What the tree prints.
struct Gathered {
    arrives: mpsc::Receiver<Vec<u8>>,
    all: Vec<u8>,
}

impl Gathered {
    /// Drains what the tree prints, so that nobody blocks on a full pipe.
    fn from(mut output: File) -> Self {
        let (tell, arrives) = mpsc::channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut chunk) {
                if tell.send(chunk[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            arrives,
            all: Vec::new(),
        }
    }

    /// Has the tree say what it is doing, and waits until it says nothing more.
    fn ask(&mut self, root: &Process) {
        if let Err(error) = root.signal(Signal::User1) {
            log::error!("ask the test what it is doing: {error}");
        }
        let end = Instant::now() + VANISH;
        while Instant::now() < end
            && let Ok(chunk) = self.arrives.recv_timeout(SAID)
        {
            self.all.extend_from_slice(&chunk);
        }
    }

    /// Prints what was gathered where the harness captures it. It ends with the last process that
    /// holds the pipe, all of which are dead by now.
    #[expect(
        clippy::print_stderr,
        reason = "the harness captures only what is printed like this"
    )]
    fn show(mut self) {
        while let Ok(chunk) = self.arrives.recv_timeout(VANISH) {
            self.all.extend_from_slice(&chunk);
        }
        eprint!("{}", String::from_utf8_lossy(&self.all));
    }
}

fn reap(process: &Process) -> io::Result<ExitStatus> {
    process.wait_exited(None)?;
    Ok(process.try_reap()?.unwrap_or(ExitStatus::Lost))
}

/// Who of the tree is there although its root is gone.
fn survivors(tree: TreeId) -> Vec<ProcInfo> {
    let deadline = Instant::now() + VANISH;
    loop {
        let mut left = marked_processes(&tree.to_string());
        left.retain(|process| process.pid != std::process::id());
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        // Waits for one of them to exit; there is no event for all of them.
        if let Ok(process) = Process::open(left[0].pid) {
            let within = deadline.saturating_duration_since(Instant::now());
            if process.wait_exited(Some(within)).is_err() {
                return left;
            }
        }
    }
}

fn kill(pid: u32) {
    if let Ok(process) = Process::open(pid)
        && let Err(error) = process.signal(Signal::Kill)
    {
        log::error!("kill what a test has left, pid {pid}: {error}");
    }
}

/// What of the tree is still there when the time is over.
fn dump(tree: TreeId, timeout: Duration) -> String {
    let processes: Vec<_> = marked_processes(&tree.to_string())
        .iter()
        .map(described)
        .collect();
    format!(
        "the test did not end within {timeout:?}; what it was doing stands above; still there: {}",
        if processes.is_empty() {
            "nobody".to_owned()
        } else {
            processes.join(", ")
        },
    )
}

fn described(process: &ProcInfo) -> String {
    let ProcInfo {
        pid,
        ppid,
        state,
        name,
    } = process;
    format!("'{name}' (pid {pid}, child of {ppid}, state {state})")
}
