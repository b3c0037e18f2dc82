//! What only one system has, and where that may stand.

use super::Finding;
use super::source::Source;
use super::workspace::{Workspace, library_crate};

/// Parts of names, as `_` divides them, that begin with one of these are of one system's own.
const TELLTALE_WORDS: [&str; 18] = [
    "epoll",
    "eventfd",
    "gettid",
    "inotify",
    "libc",
    "makedev",
    "memfd",
    "peercred",
    "pidfd",
    "prctl",
    "procfs",
    "ptracer",
    "signalfd",
    "syscall",
    "tgkill",
    "timerfd",
    "tiocgptpeer",
    "ucred",
];

/// So are these names as a whole.
const TELLTALE_NAMES: [&str; 4] = [
    "parent_process_death_signal",
    "set_child_subreaper",
    "set_parent_process_death_signal",
    "target_os",
];

/// And texts in which one of these occurs, as a whole.
const TELLTALE_PATHS: [&str; 5] = ["/proc", "/sys", "/dev/pts", "/dev/shm", "anon_inode"];

/// In each crate one module, `os`, has all that only one system has. Tests may look for themselves.
pub(super) fn one_os_module(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in workspace.library_sources() {
        if is_of_os(&source.path) || is_test(&source.path) {
            continue;
        }
        let code_lines = source.code_lines();
        for (line, word) in telltales(source) {
            if line <= code_lines {
                let message = format!("`{word}` is of one system only, and named in `os` only");
                findings.push(Finding::fail(&source.path, line, message));
            }
        }
    }
}

/// Whether a library's source is its crate's `os` module, or below it.
fn is_of_os(path: &str) -> bool {
    let in_crate = library_crate(path).and_then(|_| path.split_once("src/"));
    in_crate.is_some_and(|(_, inner)| inner == "os.rs" || inner.starts_with("os/"))
}

fn is_test(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| part == "tests" || part == "tests.rs")
}

fn telltales(source: &Source) -> Vec<(usize, &'static str)> {
    let of_name = |name: &str| {
        let lowered = name.to_lowercase();
        let begins = |word: &&&str| lowered.split('_').any(|part| part.starts_with(**word));
        let whole = TELLTALE_NAMES.iter().find(|whole| **whole == name);
        whole
            .or_else(|| TELLTALE_WORDS.iter().find(begins))
            .copied()
    };
    let of_text = |text: &str| {
        let occurs = |path: &&&str| {
            let mut behind = text.split(**path).skip(1);
            behind.any(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        TELLTALE_PATHS.iter().find(occurs).copied()
    };
    let names = source
        .tokens()
        .filter_map(|(line, name)| Some((line, of_name(name)?)));
    let texts = source
        .literals()
        .filter_map(|(line, text)| Some((line, of_text(text)?)));
    names.chain(texts).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::findings;
    use super::*;

    fn found(text: &str) -> Vec<String> {
        findings(one_os_module, &[("tractor-core/src/io/link.rs", text)])
    }

    #[test]
    fn what_only_one_system_has_is_refused_outside_of_os() {
        for (text, word) in [
            ("use rustix::event::epoll::{self, Event};", "epoll"),
            ("fn f() { pidfd_open(g()); }", "pidfd"),
            ("fn f(flags: PidfdFlags) {}", "pidfd"),
            ("fn f() { set_ptracer(PTracer::None); }", "ptracer"),
            ("#[cfg(target_os = \"linux\")] fn f() {}", "target_os"),
            ("fn f() { read(format!(\"/proc/{pid}/stat\")); }", "/proc"),
            ("const DIR: &[u8] = br\"/sys/fs\";", "/sys"),
        ] {
            let path = "tractor-core/src/io/link.rs:1: error";
            let message = format!("{path}: `{word}` is of one system only, and named in `os` only");
            assert_eq!(found(text).first(), Some(&message), "{text}");
        }
    }

    #[test]
    fn comments_and_names_that_only_contain_such_a_word_are_let_be() {
        for text in [
            "//! The epoll, /proc and `prctl`.\n/// As /proc says.\nfn f() {} // pidfd_open(g())",
            "/** Of /proc. */ fn f() {}",
            "const INLINE_REPOLLS: u32 = 3;",
            "fn f() { point(\"spawn.pidfd\", \"/process /system\") }",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn the_os_module_of_a_crate_and_tests_may_name_it() {
        let text = "use rustix::event::epoll;";
        let inline = "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() { read(\"/proc/self\"); }\n}\n";
        let files = [
            ("tractor-core/src/os.rs", text),
            ("tractor-core/src/os/linux/poller.rs", text),
            ("tractor-core/src/process/tests.rs", text),
            ("tractor-core/src/process/tests/starting.rs", text),
            ("tractor-core/src/process/spawn.rs", inline),
            ("tests/scenarios/main.rs", text),
            ("tractor-core/src/process/os.rs", text),
        ];
        assert_eq!(
            findings(one_os_module, &files),
            ["tractor-core/src/process/os.rs:1: error: \
              `epoll` is of one system only, and named in `os` only"]
        );
    }
}
