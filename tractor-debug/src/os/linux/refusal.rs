//! Why a debugger may not attach: what /proc says about it, in words.

/// What is known of a debugger that is to attach, and of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Of the process that the debugger is a child of, and like.
    pub(crate) debugger: Option<Status>,
    /// Of the process; `None` if it is gone.
    pub(crate) target: Option<Status>,
    /// Whether the system lets us not even look at the process.
    pub(crate) is_hidden: bool,
    /// What Yama lets processes do to each other, where it is.
    pub(crate) scope: Option<u32>,
}

/// What /proc/PID/status says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Status {
    user: u32,
    tracer: u32,
    seccomp: u32,
    effective: u64,
    permitted: u64,
}

impl Status {
    /// Reads its text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name));
            found?.strip_prefix(':')?.split_ascii_whitespace().next()
        };
        let number = |name| field(name)?.parse().ok();
        let set = |name| u64::from_str_radix(field(name)?, 16).ok();
        Some(Self {
            user: number("Uid")?,
            tracer: number("TracerPid")?,
            // A kernel without seccomp does not name it.
            seccomp: number("Seccomp").unwrap_or_default(),
            effective: set("CapEff")?,
            permitted: set("CapPrm")?,
        })
    }

    fn may_trace_all(&self) -> bool {
        self.effective >> CAP_SYS_PTRACE & 1 == 1
    }
}

impl Facts {
    /// Why it is certain that no debugger can attach, known before it is tried.
    pub(crate) fn certain(&self) -> Option<String> {
        let target = self.target?;
        if target.tracer != 0 {
            return Some(format!(
                "process {} traces it already, as strace and other debuggers do",
                target.tracer
            ));
        }
        let has_right = self.debugger?.may_trace_all();
        match self.scope? {
            3 => Some(
                "nobody may on this machine until it is started again \
                 (kernel.yama.ptrace_scope is 3)"
                    .to_owned(),
            ),
            2 if !has_right => Some(format!(
                "only who has the capability CAP_SYS_PTRACE may \
                 (kernel.yama.ptrace_scope is 2){CONTAINER}"
            )),
            _ => None,
        }
    }

    /// Why one could not, as far as can be told.
    pub(crate) fn explain(&self) -> String {
        let (Some(debugger), Some(target)) = (self.debugger, self.target) else {
            return "it is gone".to_owned();
        };
        self.certain()
            .or_else(|| self.lacks(&debugger, &target))
            .or_else(|| filtered(&debugger))
            .unwrap_or_else(|| {
                "nothing in /proc says why; a security module may refuse it, and the kernel's log \
                 may tell"
                    .to_owned()
            })
    }

    /// What a debugger that has not CAP_SYS_PTRACE would need.
    fn lacks(&self, debugger: &Status, target: &Status) -> Option<String> {
        if debugger.may_trace_all() {
            return None;
        }
        let reason = if debugger.user != target.user {
            format!(
                "it runs as user {}, the debugger as user {}",
                target.user, debugger.user
            )
        } else if target.permitted & !debugger.effective != 0 {
            "it has capabilities that the debugger has not".to_owned()
        } else if self.is_hidden {
            "it hides its memory: it has said so (PR_SET_DUMPABLE), or had another user".to_owned()
        } else if self.scope == Some(1) {
            "a process lets only its parents, and whom it names (PR_SET_PTRACER), attach \
             (kernel.yama.ptrace_scope is 1); it has named the root, which was not enough"
                .to_owned()
        } else {
            return None;
        };
        Some(format!("{reason}; CAP_SYS_PTRACE would do{CONTAINER}"))
    }
}

/// Whether a filter of system calls is in force, which does not say what it filters.
fn filtered(debugger: &Status) -> Option<String> {
    (debugger.seccomp == 2).then(|| {
        format!("a filter of system calls (seccomp) is in force, which may forbid it{CONTAINER}")
    })
}

/// What helps where most of them occur.
const CONTAINER: &str = "; a container has it by `--cap-add SYS_PTRACE`";

/// The number of the capability to trace any process.
const CAP_SYS_PTRACE: u32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Name:\tworker
State:\tS (sleeping)
TracerPid:\t0
Uid:\t1000\t1000\t1000\t1000
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
NoNewPrivs:\t0
Seccomp:\t0
Seccomp_filters:\t0
";

    fn status(changes: &[(&str, &str)]) -> Option<Status> {
        let mut text = STATUS.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Status::parse(&text)
    }

    /// A debugger and a process that are alike, but for this.
    fn facts(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = Facts {
            debugger: status(&[]),
            target: status(&[]),
            is_hidden: false,
            scope: None,
        };
        change(&mut facts);
        facts
    }

    const RIGHT: (&str, &str) = ("CapEff:\t0000000000000000", "CapEff:\t0000000000080000");

    #[test]
    fn a_status_is_read_as_the_kernel_writes_it() {
        let read = status(&[
            RIGHT,
            ("Uid:\t1000\t", "Uid:\t7\t"),
            ("Pid:\t0", "Pid:\t42"),
        ]);
        let read = read.unwrap();
        assert_eq!((read.user, read.tracer, read.seccomp), (7, 42, 0));
        assert!(read.may_trace_all());
        assert_eq!(Status::parse("Name:\tworker\n"), None);
        let old = status(&[("Seccomp:\t0\n", "")]);
        assert_eq!(old.map(|old| old.seccomp), Some(0));
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(Status::parse(&own).is_some(), "{own}");
    }

    #[test]
    fn what_is_certain_is_told_before_it_is_tried() {
        let traced = facts(|it| it.target = status(&[("TracerPid:\t0", "TracerPid:\t42")]));
        assert!(traced.certain().unwrap().contains("process 42 traces it"));
        let scope = |scope, right: &[_]| {
            let debugger = status(right);
            facts(|it| (it.scope, it.debugger) = (Some(scope), debugger)).certain()
        };
        assert_eq!(scope(0, &[]), None);
        assert_eq!(scope(1, &[]), None, "it names who may");
        assert!(scope(2, &[]).unwrap().contains("CAP_SYS_PTRACE"));
        assert_eq!(scope(2, &[RIGHT]), None);
        assert!(scope(3, &[RIGHT]).unwrap().contains("started again"));
        assert_eq!(facts(|_| ()).certain(), None);
        assert_eq!(Facts::default().certain(), None);
    }

    #[test]
    fn each_reason_has_its_words() {
        let other_user = status(&[("Uid:\t1000\t", "Uid:\t7\t")]);
        let capable = status(&[("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000400")]);
        let filtered = status(&[("Seccomp:\t0", "Seccomp:\t2")]);
        for (facts, text) in [
            (Facts::default(), "it is gone"),
            (facts(|it| it.target = other_user), "as user 7"),
            (facts(|it| it.is_hidden = true), "PR_SET_DUMPABLE"),
            (facts(|it| it.target = capable), "capabilities that"),
            (facts(|it| it.scope = Some(1)), "PR_SET_PTRACER"),
            (facts(|it| it.scope = Some(3)), "ptrace_scope is 3"),
            (facts(|it| it.debugger = filtered), "seccomp"),
            (facts(|_| ()), "nothing in /proc says why"),
        ] {
            let explained = facts.explain();
            assert!(explained.contains(text), "no {text:?} in {explained:?}");
        }
    }

    #[test]
    fn who_may_trace_all_lacks_nothing() {
        let facts = facts(|it| (it.debugger, it.is_hidden) = (status(&[RIGHT]), true));
        assert!(facts.explain().contains("nothing in /proc"), "{facts:?}");
    }
}
