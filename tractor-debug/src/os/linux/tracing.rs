//! Who may attach a debugger to whom, and the numbers and names by which it knows what it sees.

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;

use rustix::process::{PTracer, Pid, set_ptracer};

use super::refusal::{Facts, Status};

/// The number of the calling thread.
pub(crate) fn this_thread() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
}

/// The path of a descriptor of a process.
pub(crate) fn fd_path(pid: u32, number: RawFd) -> String {
    format!("/proc/{pid}/fd/{number}")
}

/// Lets the descendants of a process trace this one, or, by `None`, nobody but our parents.
pub(crate) fn allow_tracing(root: Option<u32>) {
    let tracer = match root.map(|root| root.try_into().ok().and_then(Pid::from_raw)) {
        Some(Some(root)) => PTracer::ProcessID(root),
        // No process has this number.
        Some(None) => return,
        None => PTracer::None,
    };
    // A system that knows nothing of it refuses no debugger for that.
    let _ = set_ptracer(tracer);
}

/// Whether the system lets nobody like us trace a process: it asks for the same right.
pub(crate) fn is_closed(pid: u32) -> bool {
    is_refused(&File::open(format!("/proc/{pid}/mem")))
}

/// Why it is certain that no child of ours can attach to this process.
pub(crate) fn certain_refusal(pid: u32) -> Option<String> {
    facts_about(pid).certain()
}

/// Why one could not, as far as can be told.
pub(crate) fn refusal(pid: u32) -> String {
    facts_about(pid).explain()
}

/// What decides whether a child of ours may attach to this process.
fn facts_about(pid: u32) -> Facts {
    let status = |process: &str| {
        let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Status::parse(&text)
    };
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    Facts {
        debugger: status("self"),
        target: status(&pid.to_string()),
        is_hidden: is_refused(&fs::read_link(format!("/proc/{pid}/exe"))),
        scope: scope.and_then(|scope| scope.trim().parse().ok()),
    }
}

fn is_refused<T>(result: &io::Result<T>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
