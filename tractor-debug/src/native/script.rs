//! The Python that a debugger is told: what it knows of its target, and how it is put into one
//! argument.

use super::{CANNOT_ATTACH, Target};

/// What it knows of its target, as assignments.
pub(super) fn variables(target: &Target) -> String {
    let number = |number: Option<u32>| number.map_or_else(none, |number| number.to_string());
    let file = target.place.as_ref().map(|(file, _)| literal(file));
    let line = target.place.as_ref().map(|(_, line)| *line);
    let gate = target.gate.as_ref().map(|gate| literal(&gate.0));
    format!(
        "pid, thread, gate = {}, {}, {}\nfile, line, cannot_attach = {}, {}, {CANNOT_ATTACH}\n",
        target.pid,
        number(target.thread),
        gate.unwrap_or_else(none),
        file.unwrap_or_else(none),
        number(line),
    )
}

/// Each of these commands as an argument that follows this option.
pub(super) fn each_after(option: &str, commands: &[String]) -> Vec<String> {
    let pairs = commands.iter().flat_map(move |it| [option, it]);
    pairs.map(str::to_owned).collect()
}

fn none() -> String {
    "None".to_owned()
}

/// A text that neither Python nor a debugger's command line takes for anything else, whatever is in it.
pub(super) fn literal(text: &str) -> String {
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
    use super::super::Gate;
    use super::*;

    #[test]
    fn a_hostile_path_is_a_text() {
        let hostile = "a'b\\\n\"; quit #é.rs";
        let literal = literal(hostile);
        assert!(literal.is_ascii() && !literal.contains('\n'), "{literal}");
        assert_eq!(literal.matches('\'').count(), 2, "{literal}");
        assert!(literal.contains("a\\U00000027b\\U0000005c\\U0000000a"));
    }

    fn target(thread: Option<u32>, gate: Option<&str>, file: Option<&str>) -> Target {
        Target {
            pid: 12,
            thread,
            place: file.map(|file| (file.to_owned(), 8)),
            gate: gate.map(|path| Gate(path.to_owned())),
        }
    }

    #[test]
    fn the_script_knows_its_target() {
        let all = variables(&target(Some(13), Some("/dev/fd/7"), Some("src/main.rs")));
        assert!(
            all.contains("pid, thread, gate = 12, 13, '/dev/fd/7'\n"),
            "{all}"
        );
        assert!(all.contains("= 'src/main.rs', 8, 57\n"), "{all}");
        let none = variables(&target(None, None, None));
        assert!(none.contains("= 12, None, None\n"), "{none}");
        assert!(none.contains("= None, None, 57\n"), "{none}");
    }
}
