//! What gdb is told: to attach, and to go to the thread and the frame of the task.
//!
//! Its own commands cannot find the frame (`frame function` misses some that `backtrace` shows), so
//! a few lines of Python do, which every gdb of a distribution knows. They are an argument: no file
//! is left behind.

use super::{CANNOT_ATTACH, Target};

/// The arguments for this target.
pub(super) fn arguments(target: &Target) -> Vec<String> {
    let script = variables(target) + SELECT;
    let python = format!("python exec({})", literal(&script));
    ["-q", "-ex", &python].map(str::to_owned).to_vec()
}

const SELECT: &str = include_str!("select.py");

fn variables(target: &Target) -> String {
    let none = || "None".to_owned();
    let thread = target.thread.map_or_else(none, |thread| thread.to_string());
    let (file, line) = match &target.place {
        Some((file, line)) => (literal(file), line.to_string()),
        None => (none(), none()),
    };
    format!(
        "pid, thread, file, line, cannot_attach = {}, {thread}, {file}, {line}, {CANNOT_ATTACH}\n",
        target.pid
    )
}

/// A text that neither Python nor gdb's command line takes for anything else, whatever is in it.
fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || " _./".contains(c) {
            literal.push(c);
        } else {
            literal.push_str(&format!("\\U{:08x}", u32::from(c)));
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_path_is_a_text() {
        let hostile = "a'b\\\n\"; quit #é.rs";
        let literal = literal(hostile);
        assert!(literal.is_ascii() && !literal.contains('\n'), "{literal}");
        assert_eq!(literal.matches('\'').count(), 2, "{literal}");
        assert!(literal.contains("a\\U00000027b\\U0000005c\\U0000000a"));
    }

    #[test]
    fn the_script_knows_its_target() {
        let place = Some(("src/main.rs".to_owned(), 8));
        let told = |thread, place| {
            variables(&Target {
                pid: 12,
                thread,
                place,
            })
        };
        assert!(told(Some(13), place).ends_with(" = 12, 13, 'src/main.rs', 8, 57\n"));
        assert!(told(None, None).ends_with(" = 12, None, None, None, 57\n"));
    }

    #[test]
    fn the_script_is_one_line_of_a_command() {
        let target = Target {
            pid: 12,
            thread: None,
            place: None,
        };
        let arguments = arguments(&target);
        assert!(arguments.iter().all(|it| !it.contains('\n')));
        assert!(
            arguments[2].starts_with("python exec('pid"),
            "{arguments:?}"
        );
    }
}
