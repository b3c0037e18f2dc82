//! What the integration tests share: processes by their number, and programs that run as a root
//! of their own, with everything that they print and a sweep at their end.

// Each test binary uses its part; naming the whole here keeps the rest from counting as unused.
const _: fn() = || {
    let _ = (
        is_alive,
        signal,
        wait_gone,
        program,
        Program::start,
        Program::wait_for,
        marked,
    );
    let _ = (
        Program::pid,
        Program::end,
        Program::lines,
        Ended::signal,
        |ended: Ended| ended.output,
        scratch,
    );
};

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tractor_core::process::{Process, Signal};

/// The longest that a test waits for anything: far above what a busy machine needs, and it ends
/// a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the process is there and has not exited.
pub(crate) fn is_alive(pid: u32) -> bool {
    let state = Process::open(pid).ok().and_then(|process| process.state());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Sends a signal to a process that is there.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let process = Process::open(pid).expect("the process is there");
    process.signal(signal).expect("it is ours");
}

/// Waits until the process has exited, whoever its parent is.
pub(crate) fn wait_gone(pid: u32) {
    if let Ok(process) = Process::open(pid) {
        let gone = process
            .wait_exited(Some(PATIENCE))
            .expect("its descriptor can be polled");
        assert!(
            gone,
            "process {pid} has not exited within {PATIENCE:?}: {:?}",
            process.state()
        );
    }
}

/// An empty directory of this test's own, with a short path, because sockets are made below it.
/// It goes with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// Makes a [`Scratch`] directory.
pub(crate) fn scratch() -> Scratch {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("tt-{}-{number}", std::process::id()));
        match fs::create_dir(&dir) {
            Ok(()) => return Scratch(dir),
            // Of a test that was killed, whose process had our number.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("make {}: {error}", dir.display()),
        }
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A second try would not help, and what a test has found out matters more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command that runs the test target `target`, which is a program (`harness = false`): built by
/// cargo if it is not, so that it is never an old one. Who has it built already says where it is,
/// in `TRACTOR_BUILT_` and its name.
pub(crate) fn program(target: &'static str) -> Command {
    let told = format!("TRACTOR_BUILT_{}", target.to_uppercase());
    if let Some(path) = std::env::var_os(told) {
        return command(path);
    }
    static BUILT: Mutex<Vec<(&str, PathBuf)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = built.iter().find(|(name, _)| *name == target);
    let path = known.map(|(_, path)| path.clone()).unwrap_or_else(|| {
        let path = build(target);
        built.push((target, path.clone()));
        path
    });
    command(path)
}

fn build(target: &str) -> PathBuf {
    let mut cargo = command(env!("CARGO"));
    // As the command that README gives does, whose artefacts are then used.
    cargo.args(["test", "--workspace", "--offline", "--test", target]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it lies in another");
    cargo.env("CARGO_TARGET_DIR", target_dir);
    if cfg!(feature = "__faults") {
        cargo.args(["--features", "__faults"]);
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    executable(cargo, target)
}

/// Has this `cargo test` build the test target and not run it, and gives its executable.
pub(crate) fn executable(mut cargo: Command, target: &str) -> PathBuf {
    cargo.args(["--no-run", "--quiet", "--message-format", "json"]);
    let output = cargo.output().expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let (key, name) = ("\"executable\":\"", format!("/{target}-"));
    let mut paths = text
        .split(key)
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    paths
        .find(|path| path.contains(&name))
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            panic!(
                "cargo has not built {target}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
}

#[expect(
    clippy::disallowed_methods,
    reason = "neither cargo nor a root is an actor; whoever starts it waits for it"
)]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// A program that runs as the root of its own tree. All of the tree carry a mark by which they
/// are found, and have their sockets in a directory of their own.
pub(crate) struct Program {
    child: Child,
    output: mpsc::Receiver<String>,
    seen: Vec<String>,
    mark: String,
    place: Scratch,
}

/// How a [`Program`] ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What all of its tree printed, standard output and error together.
    pub(crate) output: String,
}

impl Ended {
    /// The signal that it died of, if it did.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

impl Program {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        let place = scratch();
        let mark = format!("TRACTOR_TEST_RUN={}", place.0.display());
        let (reader, writer) = io::pipe().expect("a descriptor is free");
        let child = command
            .env("TRACTOR_TEST_RUN", &place.0)
            .env("XDG_RUNTIME_DIR", &place.0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("a descriptor is free"))
            .stderr(writer)
            .spawn()
            .expect("the program can be started");
        // It holds the pipe's other end.
        drop(command);
        let (tell, output) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(reader).split(b'\n');
            let lines = lines.map_while(Result::ok);
            for line in lines {
                if tell
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        });
        Self {
            child,
            output,
            seen: Vec::new(),
            mark,
            place,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line that holds `text`, and gives what stands behind it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.output.recv_timeout(left) else {
                panic!(
                    "no line with {text:?} has come, but:\n{}",
                    self.seen.join("\n")
                );
            };
            let behind = line
                .split_once(text)
                .map(|(_, behind)| behind.trim().to_owned());
            self.seen.push(line);
            if let Some(behind) = behind {
                return behind;
            }
        }
    }

    /// The lines that have been seen so far.
    pub(crate) fn lines(&self) -> &[String] {
        &self.seen
    }

    /// Waits for its end and checks that it has left nothing: no process that carries its mark or
    /// holds its output, and no socket.
    pub(crate) fn end(mut self) -> Ended {
        wait_gone(self.pid());
        let status = self.child.wait().expect("nobody else waits for it");
        while let Ok(line) = self.output.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        let output = self.seen.join("\n");
        let left = marked(&self.mark);
        assert!(
            left.is_empty(),
            "it has left the processes {left:?}; its output:\n{output}"
        );
        let sockets = files_below(&self.place.0);
        assert!(
            sockets.is_empty(),
            "it has left the files {sockets:?}; its output:\n{output}"
        );
        Ended { status, output }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only a test that has failed comes here before the end; its tree goes with the root.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes in whose environment the mark stands.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    pids.filter(is_marked).collect()
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            _ => files.push(entry.path()),
        }
    }
    files
}
