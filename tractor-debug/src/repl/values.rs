//! The captured values, as they are shown.

use super::help::unknown;
use super::select::{dedent, fields, select};
use super::text::{Paint, count, one_line, plain, short_type};
use crate::scene::Capture;

/// How much of a value a line of `locals` shows, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// The same, above the first prompt.
const BRIEF_CHARS_MAX: usize = 80;

/// How many values are shown above the first prompt.
const BRIEF_VALUES_MAX: usize = 6;

/// How much of a name or a type is shown, in characters.
const NAME_CHARS_MAX: usize = 60;

/// Whether `line` means the value of a capture: its name, or a path into it.
pub(super) fn is_value(line: &str, captures: &[Capture]) -> bool {
    find(line, captures).is_some()
}

/// The capture of that name and the rest of the path; the longest name, if `order` and
/// `order.id` were both captured.
fn find<'c, 'w>(what: &'w str, captures: &'c [Capture]) -> Option<(&'c Capture, &'w str)> {
    let found = captures.iter().filter_map(|capture| {
        let rest = what.strip_prefix(capture.name.as_str())?;
        let is_path = rest.trim_start().starts_with(['.', '[']);
        (!capture.name.is_empty() && (rest.is_empty() || is_path)).then_some((capture, rest))
    });
    found.max_by_key(|(capture, _)| capture.name.len())
}

/// `p` and `pp`: the whole text of a value or of a part of it.
pub(super) fn show(what: &str, pretty: bool, captures: &[Capture]) -> String {
    let Some((capture, path)) = find(what, captures) else {
        return not_captured(what, captures);
    };
    let text = if pretty {
        &capture.pretty
    } else {
        &capture.debug
    };
    match select(&capture.name, text, path) {
        Ok(part) if pretty => format!("{} = {}", one_line(what, 200), plain(&dedent(part))),
        Ok(part) => format!("{} = {}", one_line(what, 200), plain(part)),
        Err(message) => message,
    }
}

fn not_captured(what: &str, captures: &[Capture]) -> String {
    let listed = match captures {
        [] => "nothing was captured here".to_owned(),
        captures => {
            let names = captures.iter().take(20).map(name);
            let more = if captures.len() > 20 { ", …" } else { "" };
            format!(
                "captured are {}{more}",
                names.collect::<Vec<_>>().join(", ")
            )
        }
    };
    format!(
        "`{}` was not captured: {listed}. The native debugger may know it: type `gdb`.",
        one_line(what, 40)
    )
}

/// What to say of a line that is neither a command nor a value.
pub(super) fn neither(line: &str, captures: &[Capture]) -> String {
    let names: Vec<_> = captures
        .iter()
        .map(|capture| capture.name.as_str())
        .collect();
    format!("{} `help` shows the commands.", unknown(line, &names))
}

/// `locals`: all of them, each on one line.
pub(super) fn all(captures: &[Capture], paint: Paint) -> String {
    if captures.is_empty() {
        return "Nothing was captured here. The native debugger shows all variables: type `gdb`."
            .to_owned();
    }
    let lines: Vec<_> = captures
        .iter()
        .map(|capture| {
            let of_type = paint.faint(&format!(": {}", type_of(capture)));
            let value = one_line(&capture.debug, VALUE_CHARS_MAX);
            format!("  {}{of_type} = {value}", name(capture))
        })
        .collect();
    lines.join("\n")
}

/// The first of them, above the first prompt; `None` if there are none.
pub(super) fn brief(captures: &[Capture]) -> Option<String> {
    let shown = captures.iter().take(BRIEF_VALUES_MAX);
    let mut lines: Vec<_> = shown
        .map(|capture| {
            format!(
                "  {} = {}",
                name(capture),
                one_line(&capture.debug, BRIEF_CHARS_MAX)
            )
        })
        .collect();
    if captures.len() > BRIEF_VALUES_MAX {
        let more = captures.len() - BRIEF_VALUES_MAX;
        lines.push(format!("  … {} more: `locals`", count(more, "value")));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What can be typed after `p`: names, and the fields right below them.
pub(super) fn words(captures: &[Capture]) -> impl Iterator<Item = String> {
    captures.iter().flat_map(|capture| {
        let name = &capture.name;
        let fields = fields(&capture.debug).into_iter();
        let fields = fields.map(move |field| format!("{name}.{field}"));
        std::iter::once(name.clone()).chain(fields)
    })
}

fn name(capture: &Capture) -> String {
    one_line(&capture.name, NAME_CHARS_MAX)
}

fn type_of(capture: &Capture) -> String {
    one_line(&short_type(&capture.type_name), NAME_CHARS_MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A value as it is captured.
    pub(in crate::repl) fn capture(name: &str, value: &impl std::fmt::Debug) -> Capture {
        Capture {
            name: name.to_owned(),
            type_name: "alloc::vec::Vec<u8>".to_owned(),
            debug: format!("{value:?}"),
            pretty: format!("{value:#?}"),
        }
    }

    #[test]
    fn the_longest_name_is_the_one_that_is_meant() {
        let captures = [
            capture("a", &(1, 2)),
            capture("a.0", &"other"),
            capture("ab", &3),
        ];
        assert_eq!(show("a.1", false, &captures), "a.1 = 2");
        assert_eq!(show("a.0", false, &captures), "a.0 = \"other\"");
        assert_eq!(show("ab", false, &captures), "ab = 3");
        assert!(!is_value("abc", &captures) && is_value("ab[0]", &captures));
    }

    #[test]
    fn pretty_text_has_its_lines() {
        assert_eq!(
            show("v", true, &[capture("v", &vec![1])]),
            "v = [\n    1,\n]"
        );
    }

    #[test]
    fn what_was_not_captured_is_told_with_what_was() {
        let said = show("b", false, &[capture("a", &1)]);
        assert!(
            said.starts_with("`b` was not captured: captured are a."),
            "{said}"
        );
        assert!(show("b", false, &[]).contains("nothing was captured here"));
    }

    #[test]
    fn locals_have_a_line_each_and_are_cut() {
        let captures = [capture("v", &vec![1]), capture("long", &"x".repeat(1000))];
        let shown = all(&captures, Paint(false));
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "  v: Vec<u8> = [1]");
        assert!(
            lines[1].ends_with("… (802 more)") && lines.len() == 2,
            "{shown}"
        );
    }

    #[test]
    fn a_hostile_debug_does_not_reach_the_terminal() {
        let mut hostile = capture("v", &1);
        hostile.debug = "\x1b[2J\nnothing".to_owned();
        let shown = [
            show("v", false, &[hostile.clone()]),
            all(&[hostile], Paint(false)),
        ];
        assert!(!shown.concat().contains('\x1b'));
    }

    #[test]
    fn only_the_first_values_stand_above_the_prompt() {
        let captures: Vec<_> = (0..9).map(|n| capture(&format!("v{n}"), &n)).collect();
        let shown = brief(&captures).expect("there are some");
        assert!(
            shown.ends_with("  v5 = 5\n  … 3 values more: `locals`"),
            "{shown}"
        );
        assert_eq!(brief(&[]), None);
    }

    #[test]
    fn fields_can_be_completed() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "it is read by Debug")]
        struct Order {
            id: u8,
        }
        let captures = [capture("order", &Order { id: 1 })];
        assert_eq!(words(&captures).collect::<Vec<_>>(), ["order", "order.id"]);
    }
}
