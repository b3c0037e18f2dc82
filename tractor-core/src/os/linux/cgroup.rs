//! Which control group counts the memory of a process, and what it has counted.

use std::fs;
use std::path::{Path, PathBuf};

/// The file in which the control group of a process counts out-of-memory kills; `None` for this
/// process itself. There is none where no controller of memory is, or in the topmost group.
///
/// A process that has exited is asked before it is reaped. Of groups of the first version the
/// kernel says then that it was in the topmost one, so that there is no answer.
pub(crate) fn memory_events(pid: Option<u32>) -> Option<PathBuf> {
    let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    events_file(&groups)
}

/// How many it has counted so far.
pub(crate) fn oom_kills(file: &Path) -> Option<u64> {
    kills_in(&fs::read_to_string(file).ok()?)
}

/// Where the group of these lines of `/proc/PID/cgroup` counts.
fn events_file(groups: &str) -> Option<PathBuf> {
    let group = |is_it: &dyn Fn(&str, &str) -> bool| {
        groups.lines().find_map(|line| {
            let (hierarchy, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            // The topmost group counts nothing in either version.
            let path = path.strip_prefix('/').filter(|path| !path.is_empty())?;
            is_it(hierarchy, controllers).then(|| path.to_owned())
        })
    };
    let has_memory = |controllers: &str| controllers.split(',').any(|name| name == "memory");
    // A controller of the first version is none of the second.
    if groups.lines().any(|line| {
        let mut parts = line.splitn(3, ':');
        parts.nth(1).is_some_and(has_memory)
    }) {
        let path = group(&|_, controllers| has_memory(controllers))?;
        let place = Path::new("/sys/fs/cgroup/memory").join(path);
        return Some(place.join("memory.oom_control"));
    }
    let path = group(&|hierarchy, controllers| hierarchy == "0" && controllers.is_empty())?;
    let place = Path::new("/sys/fs/cgroup").join(path);
    Some(place.join("memory.events"))
}

/// The count in a `memory.events` or, in the first version, a `memory.oom_control`.
fn kills_in(events: &str) -> Option<u64> {
    let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    events.lines().find_map(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_that_of_the_version_that_counts_memory() {
        for (groups, expected) in [
            (
                "0::/user.slice/run.scope\n",
                Some("/sys/fs/cgroup/user.slice/run.scope/memory.events"),
            ),
            (
                "4:memory:/job/1\n3:cpu,cpuacct:/\n0::/x\n",
                Some("/sys/fs/cgroup/memory/job/1/memory.oom_control"),
            ),
            (
                "5:hugetlb,memory:/a:b\n0::/\n",
                Some("/sys/fs/cgroup/memory/a:b/memory.oom_control"),
            ),
            // A zombie of the first version, and the topmost group of the second.
            ("4:memory:/\n0::/x\n", None),
            ("1:name=systemd:/y\n0::/\n", None),
            ("", None),
            ("nonsense\n", None),
        ] {
            let expected = expected.map(PathBuf::from);
            assert_eq!(events_file(groups), expected, "{groups:?}");
        }
    }

    #[test]
    fn the_count_is_found_in_both_versions() {
        let second = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n";
        let first = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        assert_eq!((kills_in(second), kills_in(first)), (Some(2), Some(5)));
        // Kernels before 4.13 do not count.
        assert_eq!(kills_in("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
