//! Which program works here, of those that a native debugger can be started by.

use std::cell::LazyCell;
use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::iter;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::command;
use crate::native::{CANNOT_ATTACH, Candidate, Launch, Probe};
use crate::os;

/// The one that is to be, of those that a debugger can be started by.
pub(super) fn choose(launch: &Launch) -> io::Result<Command> {
    let modules: Modules = LazyCell::new(python_path);
    let works = |it: &&Candidate| {
        let probe = it.probe.as_ref();
        probe.is_none_or(|probe| answers(it, probe, &modules))
    };
    let Some(found) = launch.candidates.iter().find(works) else {
        // That it is not there is what it says itself.
        let last = launch.candidates.last();
        return last
            .map(|last| prepared(last, &modules))
            .ok_or_else(|| io::ErrorKind::NotFound.into());
    };
    if let Some(lacks) = &found.lacks {
        if os::is_closed(launch.pid) {
            give_up();
        }
        writeln!(io::stderr(), "{lacks}")?;
    }
    let mut command = prepared(found, &modules);
    command.args(&found.arguments);
    Ok(command)
}

/// Where its Python modules are, for who has to be told.
type Modules = LazyCell<Option<OsString>>;

fn prepared(candidate: &Candidate, modules: &Modules) -> Command {
    let mut command = command(&candidate.program);
    if candidate.names_modules
        && let Some(path) = &**modules
    {
        command.env(PYTHON_PATH, path);
    }
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process is no actor, and is to end as a debugger would"
)]
fn give_up() -> ! {
    std::process::exit(CANNOT_ATTACH)
}

/// Whether it works here: some programs need what is not always there.
fn answers(candidate: &Candidate, probe: &Probe, modules: &Modules) -> bool {
    if candidate.names_modules && modules.is_none() {
        return false;
    }
    let mut command = prepared(candidate, modules);
    command.args(&probe.arguments).stdin(Stdio::null());
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    spawned.is_ok_and(|mut asked| {
        let said = read_within(asked.stdout.take(), ASKED_WITHIN);
        if said.is_none() {
            // It may have ended by itself.
            let _ = asked.kill();
        }
        let is_well = asked.wait().is_ok_and(|status| status.success());
        is_well && said.is_some_and(|said| said.contains(&probe.answer))
    })
}

/// All that comes, if it ends in time.
fn read_within(from: Option<ChildStdout>, within: Duration) -> Option<String> {
    let (mut from, begun) = (from?, Instant::now());
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = Timespec::try_from(within.checked_sub(begun.elapsed())?).ok()?;
        if poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&left)).ok()? == 0 {
            return None;
        }
        match from.read(&mut piece).ok()? {
            0 => return Some(String::from_utf8_lossy(&said).into_owned()),
            length => said.extend_from_slice(&piece[..length]),
        }
    }
}

/// Where a lldb that does not find its Python modules has them: beside itself.
fn python_path() -> Option<OsString> {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).find_map(|it| it.join("lldb").canonicalize().ok())?;
    let library = found.parent()?.parent()?.join("lib");
    let pythons = library.read_dir().ok()?.flatten().filter(|it| {
        let name = it.file_name();
        name.as_encoded_bytes().starts_with(b"python3")
    });
    let modules = pythons
        .flat_map(|it| ["dist-packages", "site-packages"].map(|name| it.path().join(name)))
        .find(|it| it.join("lldb/embedded_interpreter.py").exists())?;
    let others = env::var_os(PYTHON_PATH);
    let others = others.iter().flat_map(env::split_paths);
    env::join_paths(iter::once(modules).chain(others)).ok()
}

const PYTHON_PATH: &str = "PYTHONPATH";

/// How long a program may take to say whether it works.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
