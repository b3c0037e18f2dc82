//! T11, T45: Ctrl-C at the root of a tree whose actors stream, also while the link beneath the
//! stream breaks, in debug mode and without. The tree ends within two seconds, and nobody is left.

use std::time::Instant;

use rstest::rstest;
use tractor_core::process::Signal;

use crate::chance::Chance;
use crate::seeds::{hold_back, seeds};
use crate::support::{Program, program, signal};
use crate::tree::{PROMPT, note, within};

#[rstest]
#[case::open("nobody", "open")]
#[case::after_close("nobody", "closed")]
fn t11_interrupt_ends_a_context_that_streams(
    #[case] breaks: &str,
    #[case] when: &str,
    #[values("plain", "debug")] mode: &str,
) {
    for seed in seeds() {
        note(&format!(
            "T11 ({breaks} breaks it, {when}, {mode}), seed {seed}"
        ));
        let (code, output) = interrupted([breaks, when, mode], seed);
        assert_eq!(code, None, "nothing was wrong but the signal:\n{output}");
        assert_eq!(lines(&output, "child cleaned"), 1, "{output}");
    }
}

#[rstest]
#[case::shut_by_parent_mid_stream("parent", "open")]
#[case::shut_by_parent_after_close("parent", "closed")]
#[case::shut_by_child_mid_stream("child", "open")]
#[case::shut_by_child_after_close("child", "closed")]
#[case::shut_by_both_mid_stream("both", "open")]
#[case::shut_by_both_after_close("both", "closed")]
fn t45_interrupt_ends_a_tree_with_a_broken_stream(
    #[case] breaks: &str,
    #[case] when: &str,
    #[values("plain", "debug")] mode: &str,
) {
    for seed in seeds() {
        note(&format!(
            "T45 ({breaks} breaks it, {when}, {mode}), seed {seed}"
        ));
        let (code, output) = interrupted([breaks, when, mode], seed);
        // The loss may be what ends the tree, before the signal does.
        if let Some(code) = code {
            assert_eq!(code, 1, "{output}");
            assert!(output.contains("'child'"), "{output}");
        }
    }
}

/// The exit code of the root, if it did not end by the signal, and what was printed.
fn interrupted(what: [&str; 3], seed: u64) -> (Option<i32>, String) {
    let mut command = program("programs");
    command.arg("streams").args(what);
    let mut tree = Program::start(command);
    tree.wait_for("streaming");
    hold_back(Chance::new(seed).delay(6));
    let begin = Instant::now();
    signal(tree.pid(), Signal::Interrupt);
    let ended = tree.end();
    within(begin, PROMPT, "an interrupted tree");
    let output = ended.output.clone();
    assert_eq!(lines(&output, "root cleaned"), 1, "{output}");
    assert!(
        ended.signal() == Some(2) || ended.status.code().is_some(),
        "{ended:?}"
    );
    (ended.status.code(), output)
}

fn lines(output: &str, line: &str) -> usize {
    output.lines().filter(|seen| *seen == line).count()
}
