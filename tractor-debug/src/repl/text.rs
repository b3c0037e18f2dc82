//! Text as a terminal may have it: nothing in it moves a cursor, changes a colour or rings a bell
//! but what this crate puts there itself.

use std::borrow::Cow;
use std::time::Duration;

/// What stands for a tab, so that columns stay columns.
const TAB: &str = "    ";

/// Whether to colour, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// Bold.
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// As what went wrong.
    pub(super) fn alarm(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// As what is beside the point.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("90", text)
    }

    /// With the attributes `codes` of an SGR sequence; each line for itself, so that a line that
    /// is cut off or dropped takes none of the next ones with it.
    pub(super) fn with(self, codes: &str, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let painted = |line: &str| match line {
            "" => String::new(),
            line => format!("\x1b[{codes}m{line}\x1b[0m"),
        };
        let lines: Vec<_> = text.split('\n').map(painted).collect();
        lines.join("\n")
    }
}

/// `text` with its line breaks and without anything else that a terminal would obey.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' => shown.push(c),
            c => push_shown(c, &mut shown),
        }
    }
    Cow::Owned(shown)
}

/// `text` on one line of at most `chars_max` characters; what is cut off is counted.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(chars_max) {
        push_shown(c, &mut shown);
    }
    match chars.count() {
        0 => shown,
        cut => format!("{shown}… ({cut} more)"),
    }
}

/// Shows what cannot be seen as Rust would write it.
fn push_shown(c: char, shown: &mut String) {
    match c {
        '\t' => shown.push_str(TAB),
        c if is_hidden(c) => shown.extend(c.escape_default()),
        c => shown.push(c),
    }
}

/// Control characters, and those that turn the direction of the text around them.
fn is_hidden(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns
}

/// A type without the modules of its parts: `Vec<Order>` for `alloc::vec::Vec<demo::Order>`.
pub(super) fn short_type(full: &str) -> String {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let mut short = String::with_capacity(full.len());
    for part in full.split_inclusive(|c| !is_path(c)) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// A time that has passed, in the two units that matter.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) => format!("{:.3} s", age.as_secs_f64()),
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Rows as a table, its cells one line each; the last column is not padded.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("  {}", cells.join("  ")).trim_end().to_owned()
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    lines.join("\n")
}

/// A count with its word: `1 frame`, `2 frames`.
pub(super) fn count(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(plain("a\r\nb\tc"), "a\nb    c");
        assert_eq!(plain("\x1b[2Jgone\x07"), "\\u{1b}[2Jgone\\u{7}");
        assert_eq!(plain("\u{202e}evil"), "\\u{202e}evil");
        assert!(matches!(plain("as it is\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_that_is_cut_says_how_much_is_missing() {
        assert_eq!(one_line("one\ntwo", 20), "one\\ntwo");
        assert_eq!(one_line("äöüß", 2), "äö… (2 more)");
    }

    #[test]
    fn types_lose_their_modules() {
        let full = "core::option::Option<&alloc::vec::Vec<(u8, demo::Order)>>";
        assert_eq!(short_type(full), "Option<&Vec<(u8, Order)>>");
        assert_eq!(short_type("u32"), "u32");
    }

    #[test]
    fn ages_have_at_most_two_units() {
        let shown = |millis| age(Duration::from_millis(millis));
        assert_eq!(shown(1_234), "1.234 s");
        assert_eq!(shown(59_999), "59 s");
        assert_eq!(shown(61_000), "1 min 1 s");
        assert_eq!(shown(7_260_000), "2 h 1 min");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "bcd"]), row(["long", ""])];
        assert_eq!(table(&rows), "  a     bcd\n  long");
    }

    #[test]
    fn each_line_is_coloured_for_itself() {
        assert_eq!(Paint(false).bold("a\nb"), "a\nb");
        assert_eq!(
            Paint(true).faint("a\n\nb"),
            "\x1b[90ma\x1b[0m\n\n\x1b[90mb\x1b[0m"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_becomes_harmless(text in any::<String>(), chars_max in 0..50_usize) {
            prop_assert!(!plain(&text).contains(|c| c != '\n' && is_hidden(c)));
            prop_assert!(!one_line(&text, chars_max).contains(is_hidden));
        }
    }
}
