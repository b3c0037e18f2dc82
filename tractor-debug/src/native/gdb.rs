//! What gdb is told: to attach, and to go to the thread and the frame of the task.
//!
//! Its own commands cannot find the frame (`frame function` misses some that `backtrace` shows), so
//! a few lines of Python do, which every gdb of a distribution knows. They are an argument: no file
//! is left behind.

use super::script::{each_after, literal, variables};
use super::{Candidate, Probe, Target};

/// What to try for this target, the best first. Each does these commands before its prompt.
pub(super) fn candidates(target: &Target, commands: &[String]) -> Vec<Candidate> {
    let candidate = |program: &str, probe| Candidate {
        program: program.to_owned(),
        arguments: arguments(target, commands),
        probe,
        names_modules: false,
        lacks: None,
    };
    vec![
        candidate("rust-gdb", Some(Probe::version())),
        candidate("gdb", None),
    ]
}

fn arguments(target: &Target, commands: &[String]) -> Vec<String> {
    let script = variables(target) + SELECT;
    let python = format!("python exec({})", literal(&script));
    let mut arguments = ["-q", "-ex", &python].map(str::to_owned).to_vec();
    if !commands.is_empty() {
        // Nobody is there yet to ask for the next page.
        arguments.extend(["-ex", "set pagination off"].map(str::to_owned));
        arguments.extend(each_after("-ex", commands));
        arguments.extend(["-ex", "set pagination on"].map(str::to_owned));
    }
    arguments
}

const SELECT: &str = include_str!("select.py");

#[cfg(test)]
mod tests {
    use super::super::tests::target;
    use super::*;

    #[test]
    fn the_script_is_one_line_of_a_command() {
        let arguments = arguments(&target(), &[]);
        assert!(arguments.iter().all(|it| !it.contains('\n')));
        assert!(
            arguments[2].starts_with("python exec('pid"),
            "{arguments:?}"
        );
    }
}
