//! Scenarios with real processes: shells, and this test binary itself in a [`role`].

// What a process is given, how it ends, and what is refused.
mod starting;

// Who dies with whom, and who is reaped by whom.
mod lifetimes;

// Who is stopped too early.
mod stopped;

// Faults that were asked for.
#[cfg(feature = "__faults")]
mod faults;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use tractor_ipc::TreeId;

use super::{
    Boot, ExitStatus, Process, Program, Signal, SpawnSpec, Spawned, StdioSpec, detect, marks,
    set_process_name, spawn_blocking,
};

/// Nothing here takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says which part a re-executed test binary plays.
const ROLE: &str = "TRACTOR_PROCESS_TEST_ROLE";

/// Not a test of its own: what this binary does when a test starts it again.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    match role.as_str() {
        "child" => child(|boot| boot.enter().unwrap()),
        "child-on-a-thread" => {
            child(|boot| thread::spawn(|| boot.enter().unwrap()).join().unwrap());
        }
        "cramped-child" => lifetimes::enter_without_room(),
        "late-child" => late_child(),
        "parent" => parent(),
        "root" => lifetimes::adopt(),
        "stranger" => tell(&format!("detected {}", detect().is_some())),
        "starter-of-the-stopped" => stopped::start_until_one_is_stopped(),
        "starter" => starting::start_with_few_descriptors(),
        #[cfg(feature = "__faults")]
        "faulty-starter" => faults::start(),
        #[cfg(feature = "__faults")]
        "faulty-writer" => faults::write(),
        role => panic!("there is no role {role}"),
    }
}

/// Enters, says so over the link, and then answers each line until it is killed.
fn child(enter: impl FnOnce(Boot) -> OwnedFd) {
    let link = enter(detect().expect("we are a child"));
    set_process_name("tractor-test-child").unwrap();
    let mut link = UnixStream::from(link);
    let mut lines = BufReader::new(link.try_clone().unwrap()).lines();
    writeln!(link, "entered").unwrap();
    while let Some(Ok(line)) = lines.next() {
        let answer = match line.as_str() {
            "stdin" => format!("{:?}", std::fs::read_link("/proc/self/fd/0").unwrap()),
            "name" => std::fs::read_to_string("/proc/self/comm")
                .unwrap()
                .trim()
                .to_owned(),
            "tty" => format!("{:?}", File::open("/dev/tty").map(drop)),
            "again" => format!("{:?}", detect()),
            "fds" => format!("{:?}", inheritable_fds()),
            // How many descriptors are what the standard input is, whoever inherits them.
            "copies" => {
                let stdin = std::fs::read_link("/proc/self/fd/0").unwrap();
                let fds = super::census::open_fds().unwrap();
                let copies = fds.iter().filter(|fd| fd.target == stdin).count();
                copies.to_string()
            }
            line => line.to_owned(),
        };
        writeln!(link, "{answer}").unwrap();
    }
    // The end of the link must not be what ends us.
    thread::park_timeout(2 * PATIENCE);
}

/// Boots when its parent is dead.
fn late_child() {
    let parent = std::os::unix::process::parent_id();
    tell("waiting");
    until("the parent is gone", || {
        std::os::unix::process::parent_id() != parent
    });
    let boot = detect().expect("an orphan is a child still");
    drop(boot.enter());
    tell("alive");
}

/// Starts a child and tells its pid when it has entered, then waits to be killed.
fn parent() {
    let role = std::env::var("CHILD_ROLE").unwrap();
    let (mut link, spec) = role_spec(&role);
    let tree = std::env::var(marks::TREE).unwrap();
    let tree = TreeId(u128::from_str_radix(&tree, 16).unwrap());
    let spec = SpawnSpec {
        tree,
        stdout: StdioSpec::Inherit,
        ..spec
    };
    let child = spawn_blocking(spec).unwrap();
    if role.starts_with("child") {
        assert_eq!(link.line(), "entered");
    }
    tell(&format!("pid {}", child.process.pid()));
    thread::park_timeout(2 * PATIENCE);
}

/// Writes a line that [`told`] finds among what the test harness prints: at once, because the
/// harness of another one with the same output could begin the line in between.
fn tell(text: &str) {
    let line = format!("\ntold {text}\n");
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The next thing that a role tells, `None` at its end.
fn told(output: &mut impl BufRead) -> Option<String> {
    let mut lines = output.lines().map_while(Result::ok);
    lines.find_map(|line| line.strip_prefix("told ").map(str::to_owned))
}

/// The far end of a child's link.
struct Link {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Link {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.stream, "{question}").unwrap();
        self.line()
    }
}

/// This binary again, in a role.
fn role_spec(role: &str) -> (Link, SpawnSpec) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let test = module_path!().split_once("::").unwrap().1.to_owned() + "::role";
    let args = [&test, "--exact", "--nocapture", "--test-threads=1"];
    let spec = SpawnSpec {
        name: role.into(),
        program: Program::SelfExe,
        args: args.map(Into::into).into(),
        env: vec![(ROLE.into(), Some(role.into()))],
        stdin_link: theirs.into(),
        ..shell("")
    };
    (
        Link {
            lines: BufReader::new(ours.try_clone().unwrap()),
            stream: ours,
        },
        spec,
    )
}

/// A shell that runs a script, with nothing to read and a pipe to write to.
fn shell(script: &str) -> SpawnSpec {
    SpawnSpec {
        name: "shell".into(),
        program: Program::Path("/bin/sh".into()),
        args: ["-c", script].map(Into::into).into(),
        env: vec![],
        clear_env: false,
        cwd: None,
        tree: TreeId::fresh(),
        stdin_link: File::open("/dev/null").unwrap().into(),
        stdout: StdioSpec::Pipe,
        stderr: StdioSpec::Inherit,
    }
}

/// Starts it, and gives what it writes beside it.
fn start(spec: SpawnSpec) -> (Process, BufReader<File>) {
    let Spawned {
        process, stdout, ..
    } = spawn_blocking(spec).unwrap();
    (process, BufReader::new(File::from(stdout.unwrap())))
}

/// All that a process writes, and how it ends.
fn run(spec: SpawnSpec) -> (String, ExitStatus) {
    let (process, mut output) = start(spec);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    (text, reap(&process))
}

fn reap(process: &Process) -> ExitStatus {
    assert!(
        process.wait_exited(Some(PATIENCE)).unwrap(),
        "{process:?} does not end"
    );
    process.try_reap().unwrap().expect("it has exited")
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn pipe() -> (BufReader<File>, OwnedFd) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (BufReader::new(File::from(read)), write)
}

/// Waits for what no descriptor tells.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// What was opened without close-on-exec: our own three, and what whoever runs the tests left us.
fn inheritable_fds() -> Vec<i32> {
    let is_inheritable = |fd: &i32| {
        // Another test may have closed it meanwhile.
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.map(|flags| u32::from_str_radix(flags.trim(), 8).unwrap());
        flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    let fds = super::census::open_fds().unwrap();
    fds.into_iter()
        .map(|fd| fd.number)
        .filter(is_inheritable)
        .collect()
}
