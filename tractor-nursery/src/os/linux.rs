//! Linux.

use std::path::Path;

/// Directories for everybody that are in memory.
pub(crate) const MEMORY_DIRS: [&str; 1] = ["/dev/shm"];

/// Whether a descriptor with this target is what the threads of a runtime wait with: pollers,
/// timers and what ends their waits.
pub(crate) fn is_waited_with(target: &Path) -> bool {
    let kinds = [
        "anon_inode:[eventpoll]",
        "anon_inode:[eventfd]",
        "anon_inode:[timerfd]",
        "pipe:",
    ];
    let text = target.to_string_lossy();
    kinds.iter().any(|kind| text.starts_with(kind))
}
