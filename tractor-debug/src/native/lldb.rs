//! What lldb is told: to attach, and to go to the thread and the frame of the task.
//!
//! A few lines of Python do it, as for gdb. But not every lldb has a Python that works: that of
//! Debian 12 looks for its modules where they are not. So it is asked first, with its modules named
//! if it does not find them itself, and without any it only attaches.

use super::script::{each_after, literal, variables};
use super::{Candidate, Probe, Target};

const SELECT: &str = include_str!("select_lldb.py");

/// What to try for this target, the best first. Each does these commands before its prompt.
pub(super) fn candidates(target: &Target, commands: &[String]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for names_modules in [false, true] {
        for program in ["rust-lldb", PROGRAM] {
            candidates.push(Candidate {
                program: program.to_owned(),
                arguments: arguments(target, commands),
                probe: Some(probe()),
                names_modules,
                lacks: None,
            });
        }
    }
    candidates.push(plain(target, commands));
    candidates
}

const PROGRAM: &str = "lldb";

fn arguments(target: &Target, commands: &[String]) -> Vec<String> {
    let script = variables(target) + SELECT;
    let python = format!("script exec({})", literal(&script));
    let first = ["-Q", "-o", &python, "-o", "frame select"].map(str::to_owned);
    first
        .into_iter()
        .chain(each_after("-o", commands))
        .collect()
}

/// Asks for what only a Python that works can say.
fn probe() -> Probe {
    let python = r#"script import lldb; print("valid", lldb.debugger.IsValid())"#;
    Probe {
        arguments: ["-x", "--batch", "-o", python].map(str::to_owned).to_vec(),
        answer: "valid True".to_owned(),
    }
}

/// It without Python.
fn plain(target: &Target, commands: &[String]) -> Candidate {
    let pid = target.pid.to_string();
    let first = ["-Q", "-l", "none", "-p", &pid].map(str::to_owned);
    Candidate {
        program: PROGRAM.to_owned(),
        arguments: first
            .into_iter()
            .chain(each_after("-o", commands))
            .collect(),
        probe: Some(Probe::version()),
        names_modules: false,
        lacks: Some(lacks(target)),
    }
}

fn lacks(target: &Target) -> String {
    let mut text =
        "this lldb has no Python that works: it selects no frame, and steps do not end the pause"
            .to_owned();
    if let Some(thread) = target.thread {
        text += &format!("; the task is on the thread with tid {thread} of `thread list`");
    }
    if let Some((file, line)) = &target.place {
        text += &format!(", at {file}:{line} of its `bt`");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::target;
    use super::*;

    #[test]
    fn the_script_is_one_line_of_a_command() {
        let arguments = arguments(&target(), &[]);
        assert!(arguments.iter().all(|it| !it.contains('\n')));
        assert!(
            arguments[2].starts_with("script exec('pid"),
            "{arguments:?}"
        );
    }

    #[test]
    fn a_question_is_not_its_own_answer() {
        let probe = probe();
        assert!(probe.arguments.iter().all(|it| !it.contains(&probe.answer)));
    }

    #[test]
    fn without_python_it_attaches_and_says_where_the_task_is() {
        let candidates = candidates(&target(), &[]);
        let plain = candidates.last().unwrap();
        assert_eq!(plain.arguments, ["-Q", "-l", "none", "-p", "12"]);
        let lacks = plain.lacks.as_ref().unwrap();
        assert!(lacks.contains("tid 13") && lacks.contains("src/main.rs:8"));
        assert!(candidates.iter().rev().skip(1).all(|it| it.lacks.is_none()));
    }
}
