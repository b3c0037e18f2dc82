//! Linux.

// Processes: held by descriptor, and tied to one another.
mod process;

// Who was killed for its memory.
mod cgroup;

// What /proc tells.
mod procfs;

// Many descriptors at once.
mod poller;

// Descriptors that travel between processes.
mod descriptors;

// Numbers of signals, and their names.
mod signals;

pub(crate) use cgroup::{memory_events, oom_kills};
pub(crate) use descriptors::{send_descriptor, take_descriptor};
pub(crate) use poller::Poller;
pub(crate) use process::{
    Held, NAME_BYTES_MAX, TIOCNOTTY, arm_parent_death, become_subreaper, has_parent_death,
    is_main_thread, set_main_thread_name, stdin_peer,
};
pub(crate) use procfs::{
    UNNAMED, environment, is_caught, is_ignored, main_thread_children, open_fds, own_program, pids,
};
pub(crate) use signals::{MARK, signal_name};
