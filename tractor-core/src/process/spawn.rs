//! [`spawn()`]: starting a process.
//!
//! It goes by `posix_spawn`, whose cost does not grow with our memory: 0.8 ms even with 2 GB
//! resident, where a fork takes 84. The standard library takes that way as long as nothing has to
//! run between fork and exec, which is why a child does its first acts itself, in
//! [`Boot::enter`](super::Boot::enter), and why a [`SpawnSpec`] has no hook.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::Access;
use rustix::io::Errno;
use tractor_ipc::TreeId;

use super::{Process, marks, oom, spawner};
use crate::os;

/// What to start.
///
/// The new process is the leader of a process group of its own. It inherits three descriptors, and
/// those that somebody in this process opened without close-on-exec.
#[derive(Debug)]
pub struct SpawnSpec {
    /// What the process calls itself: its argument zero.
    pub name: String,
    /// What it runs.
    pub program: Program,
    /// Its arguments, without argument zero.
    pub args: Vec<OsString>,
    /// Variables to set (`Some`) or to remove (`None`), in this order.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Whether it starts without our environment. What the loader and rustdoc need is kept, and
    /// `env` comes on top.
    pub clear_env: bool,
    /// Where it starts; `None` is our working directory.
    pub cwd: Option<PathBuf>,
    /// The tree that it belongs to, for [`marks::TREE`].
    pub tree: TreeId,
    /// Its descriptor 0: for an actor the link to us, for another program what it reads.
    pub stdin_link: OwnedFd,
    /// Its descriptor 1.
    pub stdout: StdioSpec,
    /// Its descriptor 2.
    pub stderr: StdioSpec,
}

/// What a new process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The file that we run, even if it was replaced or removed since. Such a process finds our
    /// pid in [`marks::CHILD_OF`].
    SelfExe,
    /// Another program. A name without a slash is looked up in the `PATH` that the process will
    /// have; a relative path starts in [`SpawnSpec::cwd`].
    Path(PathBuf),
}

/// What a new process has as its standard input, output or error.
#[derive(Debug)]
pub enum StdioSpec {
    /// What this process has there: its own input, output or error.
    Inherit,
    /// `/dev/null`: what is written is lost, and what is read is at its end.
    Null,
    /// A pipe to write to, whose other end `tractor_core::process::spawn` gives. The start of an
    /// actor refuses it.
    Pipe,
    /// This descriptor. Our copy of it is closed when the process has been started, or could not
    /// be.
    Fd(OwnedFd),
}

/// A process that was started: whoever holds it reaps it.
#[derive(Debug)]
pub struct Spawned {
    /// The process.
    pub process: Process,
    /// What it writes to its descriptor 1, for [`StdioSpec::Pipe`]. It blocks.
    pub stdout: Option<OwnedFd>,
    /// What it writes to its descriptor 2, for [`StdioSpec::Pipe`]. It blocks.
    pub stderr: Option<OwnedFd>,
}

/// Starts a process; the order is placed at once, not at the first poll.
///
/// The work is done by a thread that lives as long as this process, because a child dies with the
/// *thread* that started it. The future is ready when the new program runs, or could not be run.
///
/// # Cancellation
///
/// *Cancel-relays*: a process that is started for a dropped future is killed, with its group, and
/// reaped.
///
/// # Errors
///
/// See [`SpawnError`]. Nothing of the process is left then.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::io::Read;
/// use tractor_core::process::{ExitStatus, Program, SpawnSpec, StdioSpec, spawn};
///
/// # futures::executor::block_on(async {
/// let spawned = spawn(SpawnSpec {
///     name: "greeter".into(),
///     program: Program::Path("echo".into()),
///     args: vec!["hello".into()],
///     env: vec![],
///     clear_env: false,
///     cwd: None,
///     tree: tractor_ipc::TreeId::fresh(),
///     stdin_link: File::open("/dev/null")?.into(),
///     stdout: StdioSpec::Pipe,
///     stderr: StdioSpec::Inherit,
/// })
/// .await?;
///
/// let mut text = String::new();
/// File::from(spawned.stdout.expect("a pipe was asked for")).read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
///
/// spawned.process.wait_exited(None)?;
/// assert_eq!(spawned.process.try_reap()?, Some(ExitStatus::Exited(0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn spawn(
    spec: SpawnSpec,
) -> impl Future<Output = Result<Spawned, SpawnError>> + Send + use<> + 'static {
    spawn_keeping(spec, ())
}

/// Starts a process like [`spawn()`]. `keep` is dropped when the process is handed over or could
/// not be started; for a dropped future, when there is none or it is reaped.
///
/// # Cancellation
///
/// As [`spawn()`].
///
/// # Errors
///
/// See [`SpawnError`]. Nothing of the process is left then.
pub fn spawn_keeping<K: Send + 'static>(
    spec: SpawnSpec,
    keep: K,
) -> impl Future<Output = Result<Spawned, SpawnError>> + Send + use<K> + 'static {
    let reply = spawner::submit(spec, Box::new(keep));
    async move {
        match reply?.recv().await {
            Ok(unclaimed) => unclaimed.claim(),
            Err(_) => Err(SpawnError::Unanswered),
        }
    }
}

/// Starts a process like [`spawn()`], and waits for it.
///
/// # Blocking
///
/// For about a millisecond, longer if others are being started.
///
/// # Errors
///
/// See [`SpawnError`]. Nothing of the process is left then.
pub fn spawn_blocking(spec: SpawnSpec) -> Result<Spawned, SpawnError> {
    match spawner::submit(spec, Box::new(()))?.recv_blocking() {
        Ok(unclaimed) => unclaimed.claim(),
        Err(_) => Err(SpawnError::Unanswered),
    }
}

/// Why a process was not started. The text is a reason: it follows "not started: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// EAGAIN: the user or the control group has as many processes and threads as it may.
    #[error("the limit of processes is reached (RLIMIT_NPROC or pids.max)")]
    ProcessLimit,
    /// EMFILE or ENFILE: this process, or the system, has no descriptor left.
    #[error("too many files are open (RLIMIT_NOFILE or fs.file-max)")]
    TooManyFiles,
    /// ENOMEM.
    #[error("the system has not enough memory")]
    OutOfMemory,
    /// E2BIG: together they may be a quarter of the stack's limit.
    #[error("the arguments and the environment are too long")]
    ArgumentsTooLong,
    /// The working directory does not exist, is none, or may not be entered.
    #[error("the working directory {} cannot be entered", path.display())]
    WorkingDirectory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program does not exist, or may not or cannot be run.
    #[error("the program {} cannot be run", path.display())]
    Program {
        /// Which, as it was looked up.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that starts processes gave no answer, which is a defect of this crate.
    #[error("the thread that starts processes gave no answer")]
    Unanswered,
    /// Anything else.
    #[error("the system refused")]
    System(#[source] io::Error),
}

impl SpawnError {
    /// Tells what an error means that has nothing to do with what was to be started.
    pub(super) fn of_system(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::AGAIN) => Self::ProcessLimit,
            Some(Errno::MFILE | Errno::NFILE) => Self::TooManyFiles,
            Some(Errno::NOMEM) => Self::OutOfMemory,
            Some(Errno::TOOBIG) => Self::ArgumentsTooLong,
            _ => Self::System(error),
        }
    }

    fn of_start(source: io::Error, program: &OsStr, cwd: Option<&Path>) -> Self {
        match Self::of_system(source) {
            // The kernel does not say which of the two paths it means.
            Self::System(source) => match cwd {
                Some(path) if !is_enterable(path) => Self::WorkingDirectory {
                    path: path.to_owned(),
                    source,
                },
                _ => Self::Program {
                    path: program.into(),
                    source,
                },
            },
            error => error,
        }
    }
}

/// Starts the process. On the spawner's thread only.
pub(super) fn start(spec: SpawnSpec) -> Result<Spawned, SpawnError> {
    oom::remember();
    let cwd = spec.cwd.clone();
    let mut command = command(spec);
    let outcome = match crate::fault!("spawn.exec", error) {
        Some(error) => Err(error),
        None => command.spawn(),
    };
    let mut child = outcome
        .map_err(|error| SpawnError::of_start(error, command.get_program(), cwd.as_deref()))?;
    crate::fault!("spawn.after_exec");
    let process = match crate::fault!("spawn.pidfd", error) {
        Some(error) => Err(error),
        None => Process::open(child.id()),
    };
    match process {
        Ok(process) => Ok(Spawned {
            process,
            stdout: child.stdout.take().map(OwnedFd::from),
            stderr: child.stderr.take().map(OwnedFd::from),
        }),
        Err(error) => {
            // Without a descriptor it could not be watched. Either call fails only if it is gone.
            let _ = child.kill();
            let _ = child.wait();
            Err(SpawnError::of_system(error))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts processes"
)]
fn command(spec: SpawnSpec) -> Command {
    let (program, is_ours) = match &spec.program {
        Program::SelfExe => (os::own_program().to_owned(), true),
        Program::Path(path) => (locate(path, &spec), false),
    };
    let mut command = Command::new(program);
    command.arg0(&spec.name).args(&spec.args);
    environment(&mut command, &spec, is_ours);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    command
        .process_group(0)
        .stdin(Stdio::from(spec.stdin_link))
        .stdout(Stdio::from(spec.stdout))
        .stderr(Stdio::from(spec.stderr));
    command
}

fn environment(command: &mut Command, spec: &SpawnSpec, is_ours: bool) {
    if spec.clear_env {
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| marks::is_kept(name)));
    }
    if !is_ours {
        // It is ours to inherit, not another program's.
        command.env_remove(marks::CHILD_OF);
    }
    for (name, value) in &spec.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if is_ours {
        command.env(marks::CHILD_OF, std::process::id().to_string());
    }
    command.env(marks::TREE, spec.tree.to_string());
}

/// A program's path. With a name alone the standard library would fork where `PATH` is changed.
fn locate(program: &Path, spec: &SpawnSpec) -> PathBuf {
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        return program.to_owned();
    }
    let path = match spec.env.iter().rev().find(|(name, _)| name == "PATH") {
        Some((_, value)) => value.clone(),
        None if spec.clear_env => None,
        None => std::env::var_os("PATH"),
    };
    let path = path.unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path)
        // What a relative one means depends on who reads it.
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|file| file.is_file() && may_execute(file))
        // This is not found either, and the error names it.
        .unwrap_or_else(|| Path::new("./").join(program))
}

fn is_enterable(directory: &Path) -> bool {
    directory.is_dir() && may_execute(directory)
}

fn may_execute(path: &Path) -> bool {
    rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

impl From<StdioSpec> for Stdio {
    fn from(spec: StdioSpec) -> Self {
        match spec {
            StdioSpec::Inherit => Self::inherit(),
            StdioSpec::Null => Self::null(),
            StdioSpec::Pipe => Self::piped(),
            StdioSpec::Fd(fd) => Self::from(fd),
        }
    }
}
