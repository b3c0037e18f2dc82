//! The cores of this machine, and staying on one of them.

use std::{fmt, fs, io};

use anyhow::Result;
use rustix::io::Errno;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// What the measurements need to know of the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// How many cores this process may use.
    cores: usize,
    /// Where the two ends of a pair run. `None` with one core only.
    pair: Option<Pair>,
}

/// Two different cores, by the numbers that the kernel gives them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) ours: usize,
    pub(crate) theirs: usize,
}

impl Machine {
    pub(crate) fn look() -> Result<Self> {
        let allowed = sched_getaffinity(None).map_err(io::Error::from)?;
        let cpus: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| allowed.is_set(*cpu))
            .collect();
        Ok(Self {
            cores: cpus.len(),
            pair: choose(&cpus, siblings),
        })
    }

    pub(crate) fn pair(&self) -> Option<Pair> {
        self.pair
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pair {
            Some(Pair { ours, theirs }) => {
                write!(f, "{} cores; pairs run on {ours} and {theirs}", self.cores)
            }
            None => f.write_str(
                "one core only: the two processes of a pair cannot be kept apart. A blocking pair \
                 on one core takes about a fifth of its time on two, so the ratios of calls and \
                 streams say nothing here",
            ),
        }
    }
}

/// Two processors, preferably not the two threads of one core.
fn choose(cpus: &[usize], siblings: impl Fn(usize) -> String) -> Option<Pair> {
    let (&ours, rest) = cpus.split_first()?;
    let mine = siblings(ours);
    let apart = rest.iter().find(|cpu| siblings(**cpu) != mine);
    let theirs = *apart.or_else(|| rest.first())?;
    Some(Pair { ours, theirs })
}

/// The processors that share a core with this one, as the kernel lists them.
fn siblings(cpu: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    // Without that file each processor counts as a core of its own.
    fs::read_to_string(path).unwrap_or_else(|_| cpu.to_string())
}

/// Keeps every thread that this process has now, and those that they start, on one processor.
pub(crate) fn pin_process(cpu: usize) -> Result<()> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.file_name();
        let number = task.to_str().and_then(|it| it.parse().ok());
        let thread = number.and_then(Pid::from_raw);
        match sched_setaffinity(thread, &only(cpu)) {
            // It has ended meanwhile.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(())
}

/// Keeps the calling thread on one processor until it is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    pub(crate) fn to(cpu: usize) -> Result<Self> {
        let before = sched_getaffinity(None).map_err(io::Error::from)?;
        sched_setaffinity(None, &only(cpu)).map_err(io::Error::from)?;
        Ok(Self { before })
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut only = CpuSet::new();
    only.set(cpu);
    only
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Err(error) = sched_setaffinity(None, &self.before) {
            eprintln!("cannot give this thread its processors back: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cores_are_preferred_to_two_threads_of_one() {
        let pair = choose(&[0, 1, 2, 3], |cpu| format!("core {}", cpu / 2)).unwrap();
        assert_eq!((pair.ours, pair.theirs), (0, 2));
    }

    #[test]
    fn two_threads_of_one_core_do_if_there_is_nothing_else() {
        let pair = choose(&[4, 5], |_| "4-5".to_owned()).unwrap();
        assert_eq!((pair.ours, pair.theirs), (4, 5));
    }

    #[test]
    fn one_core_has_no_pair_and_says_why() {
        assert!(choose(&[3], |cpu| cpu.to_string()).is_none());
        let machine = Machine {
            cores: 1,
            pair: None,
        };
        assert!(machine.to_string().starts_with("one core only: "));
    }

    #[test]
    fn a_pinned_thread_gets_its_processors_back() {
        let before = sched_getaffinity(None).unwrap();
        let cpu = (0..CpuSet::MAX_CPU)
            .find(|cpu| before.is_set(*cpu))
            .unwrap();
        let pinned = Pinned::to(cpu).unwrap();
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
        drop(pinned);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
