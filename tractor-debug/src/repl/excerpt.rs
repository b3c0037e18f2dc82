//! Some lines of a source file, numbered, one of them marked, and coloured if that is wanted.

use std::ops::RangeInclusive;

use super::lexer::{Kind, Token, lex};
use super::text::{Paint, count, one_line};

/// How many characters of one line are shown; a longer one was not written by hand.
const LINE_CHARS_MAX: usize = 300;

/// What stands before the line in question.
const MARK: &str = "->";

/// A source file in memory.
#[derive(Debug)]
pub(super) struct Excerpt<'a> {
    source: &'a str,
    /// The byte at which each line begins.
    starts: Vec<usize>,
    tokens: Vec<Token>,
}

impl<'a> Excerpt<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let after = source.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after);
        Self {
            source,
            // What is behind the last line break is no line if it is nothing.
            starts: starts.filter(|start| *start < source.len()).collect(),
            tokens: lex(source),
        }
    }

    /// The number of the last line; 0 if the file is empty.
    pub(super) fn last(&self) -> usize {
        self.starts.len()
    }

    /// The lines of `range` that there are, with `marked` marked.
    pub(super) fn show(&self, range: RangeInclusive<usize>, marked: usize, paint: Paint) -> String {
        let (first, last) = range.into_inner();
        let range = first.max(1)..=last.min(self.last());
        let width = range.end().to_string().len();
        let lines = range.map(|number| {
            let text = self.line(number, paint);
            let line = if number == marked {
                let mark = paint.alarm(MARK);
                format!("{mark} {} {text}", paint.bold(&format!("{number:>width$}")))
            } else {
                format!("   {} {text}", paint.faint(&format!("{number:>width$}")))
            };
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A line as it is shown.
    fn line(&self, number: usize, paint: Paint) -> String {
        let start = self.starts[number - 1];
        let end = self
            .starts
            .get(number)
            .copied()
            .unwrap_or(self.source.len());
        let whole = self.source[start..end].trim_end();
        if !paint.0 || whole.chars().count() > LINE_CHARS_MAX {
            return one_line(whole, LINE_CHARS_MAX);
        }
        let end = start + whole.len();
        let first = self
            .tokens
            .partition_point(|token| token.range.end <= start);
        let tokens = self.tokens[first..]
            .iter()
            .take_while(|token| token.range.start < end);
        let pieces = tokens.map(|token| {
            let piece = &self.source[token.range.start.max(start)..token.range.end.min(end)];
            let piece = one_line(piece, LINE_CHARS_MAX);
            match colour(token.kind) {
                Some(codes) => paint.with(codes, &piece),
                None => piece,
            }
        });
        pieces.collect()
    }

    /// The lines of the innermost function around `line`.
    pub(super) fn function_around(&self, line: usize) -> Option<RangeInclusive<usize>> {
        let around = self.functions().filter(|(_, lines)| lines.contains(&line));
        around
            .map(|(_, lines)| lines)
            .max_by_key(|lines| *lines.start())
    }

    /// The line of the first function called `name`.
    pub(super) fn function_named(&self, name: &str) -> Option<usize> {
        let mut functions = self.functions();
        let (_, lines) = functions.find(|(found, _)| *found == name)?;
        Some(*lines.start())
    }

    /// The functions that have a body, from `fn` to the closing brace.
    fn functions(&self) -> impl Iterator<Item = (&'a str, RangeInclusive<usize>)> {
        let is_code = |token: &&Token| !matches!(token.kind, Kind::Space | Kind::Comment);
        let code: Vec<&Token> = self.tokens.iter().filter(is_code).collect();
        (0..code.len()).filter_map(move |index| {
            let [keyword, name, rest @ ..] = &code[index..] else {
                return None;
            };
            // `fn(u8)` is a type, and has no name.
            let is_function = self.text(keyword) == "fn" && keyword.kind == Kind::Keyword;
            if !is_function || !matches!(name.kind, Kind::Name | Kind::Type) {
                return None;
            }
            let end = self.end_of_body(rest)?;
            let lines = self.line_of(keyword.range.start)..=self.line_of(end);
            Some((self.text(name), lines))
        })
    }

    /// Where the first block among the tokens ends; `None` if there is a semicolon before.
    fn end_of_body(&self, code: &[&Token]) -> Option<usize> {
        let (mut brackets, mut braces) = (0_usize, 0_usize);
        for token in code.iter().filter(|token| token.kind == Kind::Mark) {
            match self.text(token) {
                ";" if braces == 0 && brackets == 0 => return None,
                "(" | "[" if braces == 0 => brackets += 1,
                ")" | "]" if braces == 0 => brackets = brackets.saturating_sub(1),
                // Braces within brackets, before the body, are constants of types.
                "{" if brackets == 0 => braces += 1,
                "}" if brackets == 0 => {
                    braces = braces.saturating_sub(1);
                    if braces == 0 {
                        return Some(token.range.start);
                    }
                }
                _ => {}
            }
        }
        // Not closed: all that there is.
        (braces > 0).then_some(self.source.len())
    }

    fn text(&self, token: &Token) -> &'a str {
        &self.source[token.range.clone()]
    }

    fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// What to say of a line that the file does not have.
    pub(super) fn too_short(&self, path: &str) -> String {
        format!("{path} has only {}.", count(self.last(), "line"))
    }
}

/// The attributes of a kind of token.
fn colour(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Comment => Some("90"),
        Kind::Text => Some("32"),
        Kind::Number | Kind::Lifetime => Some("33"),
        Kind::Keyword => Some("35"),
        Kind::Type => Some("36"),
        Kind::Macro => Some("34"),
        Kind::Space | Kind::Name | Kind::Mark => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "\
fn outer(f: fn(u8) -> [u8; { 2 }]) {
    // Not the end: }
    let text = \"}\";

    fn inner() {
        let brace = '}';
    }
    done()
}

trait Later {
    fn no_body(&self);
}
";

    #[test]
    fn lines_are_numbered_and_one_is_marked() {
        let excerpt = Excerpt::new(SOURCE);
        assert_eq!(excerpt.last(), 13);
        assert_eq!(
            excerpt.show(2..=4, 3, Paint(false)),
            "   2     // Not the end: }\n-> 3     let text = \"}\";\n   4"
        );
        assert_eq!(
            excerpt.show(12..=99, 1, Paint(false)),
            "   12     fn no_body(&self);\n   13 }"
        );
        assert_eq!(excerpt.show(0..=1, 0, Paint(false)).lines().count(), 1);
    }

    #[test]
    fn colours_change_no_text() {
        let excerpt = Excerpt::new(SOURCE);
        let coloured = excerpt.show(1..=13, 3, Paint(true));
        assert!(coloured.contains("\x1b[35mlet\x1b[0m"), "{coloured}");
        let mut bare = String::new();
        for (index, part) in coloured.split("\x1b[").enumerate() {
            let text = part.split_once('m').map_or(part, |(_, text)| text);
            bare.push_str(if index == 0 { part } else { text });
        }
        let trimmed: Vec<_> = bare.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), excerpt.show(1..=13, 3, Paint(false)));
    }

    #[test]
    fn the_innermost_function_is_found_whatever_its_strings_hold() {
        let excerpt = Excerpt::new(SOURCE);
        assert_eq!(excerpt.function_around(6), Some(5..=7));
        assert_eq!(excerpt.function_around(8), Some(1..=9));
        assert_eq!(excerpt.function_around(12), None, "it has no body");
        assert_eq!(excerpt.function_named("inner"), Some(5));
        assert_eq!(excerpt.function_named("no_body"), None);
    }

    #[test]
    fn a_function_that_is_not_closed_goes_on_to_the_end() {
        assert_eq!(
            Excerpt::new("fn a() {\n{\n").function_around(2),
            Some(1..=2)
        );
    }

    #[test]
    fn a_line_of_a_generated_file_is_cut() {
        let source = "x".repeat(5000);
        let shown = Excerpt::new(&source).show(1..=1, 1, Paint(true));
        assert!(
            shown.contains("(4700 more)") && shown.len() < 400,
            "{shown}"
        );
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        let excerpt = Excerpt::new("");
        assert_eq!(
            (excerpt.last(), excerpt.show(1..=9, 1, Paint(true))),
            (0, String::new())
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_shown(
            source in "(\\PC|[\"'/*\n{}]|fn )*", first in 0..9_usize, last in 0..9_usize,
        ) {
            let excerpt = Excerpt::new(&source);
            for paint in [Paint(false), Paint(true)] {
                excerpt.show(first..=last, first, paint);
            }
            let around = excerpt.function_around(first);
            prop_assert!(around.is_none_or(|lines| lines.contains(&first)));
        }
    }
}
