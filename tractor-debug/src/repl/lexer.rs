//! The tokens of Rust source, well enough for colours and for finding where a function ends.
//!
//! It never fails: what it does not know is a mark of one character, and what is not closed goes
//! on to the end. The tokens cover the whole text without a gap.

use std::ops::Range;

/// A piece of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it is, in bytes.
    pub(super) range: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// Of any sort: plain, raw, of bytes; and characters, which look the same.
    Text,
    Number,
    Lifetime,
    Keyword,
    /// A name that begins with a capital letter.
    Type,
    /// A name with `!` after it.
    Macro,
    Name,
    /// One character of anything else.
    Mark,
}

const KEYWORDS: [&str; 38] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "self", "Self", "static", "struct", "super", "trait", "true", "type",
    "unsafe", "use", "where", "while",
];

/// Cuts `source` into tokens.
pub(super) fn lex(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < source.len() {
        let (kind, length) = next(&source[start..]);
        let range = start..start + length;
        start = range.end;
        tokens.push(Token { kind, range });
    }
    tokens
}

/// The kind and the length of the first token of `rest`, which is not empty.
fn next(rest: &str) -> (Kind, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    if first.is_whitespace() {
        return (Kind::Space, run(rest, char::is_whitespace));
    }
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if let Some(length) = text(rest) {
        return (Kind::Text, length);
    }
    match first {
        '\'' => quote(rest),
        '0'..='9' => (Kind::Number, number(rest)),
        first if is_name(first) => name(rest),
        first => (Kind::Mark, first.len_utf8()),
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How many bytes at the beginning of `rest` belong to such characters.
fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

/// Comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string literal or of a byte's, if one begins here.
fn text(rest: &str) -> Option<usize> {
    let marked = ["b", "c"].iter().find_map(|mark| rest.strip_prefix(mark));
    let body = marked.unwrap_or(rest);
    let mark = rest.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = run(raw, |c| c == '#');
        let opened = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = opened.find(&end).map_or(opened.len(), |at| at + end.len());
        return Some(mark + 1 + hashes + 1 + length);
    }
    let is_byte = mark == 1 && rest.starts_with("b'");
    let quote = if is_byte { '\'' } else { '"' };
    let opened = body.strip_prefix(quote)?;
    Some(mark + 1 + closed(opened, quote))
}

/// How far it is to just behind the quote that closes a literal.
fn closed(opened: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in opened.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return index + 1,
            _ => {}
        }
    }
    opened.len()
}

/// A character, or a lifetime, or a lone quote.
fn quote(rest: &str) -> (Kind, usize) {
    let after = &rest[1..];
    let mut chars = after.chars();
    match (chars.next(), chars.next()) {
        // An escape of a character ends on its line, whatever else is wrong with it.
        (Some('\\'), _) => {
            let line = after.lines().next().unwrap_or(after);
            (Kind::Text, 1 + closed(line, '\''))
        }
        (Some(c), Some('\'')) => (Kind::Text, 1 + c.len_utf8() + 1),
        (Some(c), _) if is_name(c) => (Kind::Lifetime, 1 + run(after, is_name)),
        _ => (Kind::Mark, 1),
    }
}

/// Digits with all that may follow them; `1..2` is two numbers.
fn number(rest: &str) -> usize {
    let whole = run(rest, is_name);
    match rest[whole..].strip_prefix('.') {
        Some(part) if part.starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + run(part, is_name)
        }
        _ => whole,
    }
}

fn name(rest: &str) -> (Kind, usize) {
    // A raw name, which is no keyword whatever it says.
    if let Some(raw) = rest
        .strip_prefix("r#")
        .filter(|raw| raw.starts_with(is_name))
    {
        return (Kind::Name, 2 + run(raw, is_name));
    }
    let length = run(rest, is_name);
    let (name, after) = rest.split_at(length);
    let kind = if KEYWORDS.contains(&name) {
        Kind::Keyword
    } else if after.starts_with('!') && !after.starts_with("!=") {
        Kind::Macro
    } else if name.starts_with(char::is_uppercase) {
        Kind::Type
    } else {
        Kind::Name
    };
    (kind, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tokens that are not space, as text.
    fn tokens(source: &str) -> Vec<(Kind, &str)> {
        let tokens = lex(source);
        let shown = tokens
            .into_iter()
            .map(|token| (token.kind, &source[token.range]));
        shown.filter(|(kind, _)| *kind != Kind::Space).collect()
    }

    #[test]
    fn names_keywords_types_and_macros_are_told_apart() {
        use Kind::{Keyword, Macro, Mark, Name, Type};
        assert_eq!(
            tokens("fn load(r#fn: Order) { note!(a != b) }")[..],
            [
                (Keyword, "fn"),
                (Name, "load"),
                (Mark, "("),
                (Name, "r#fn"),
                (Mark, ":"),
                (Type, "Order"),
                (Mark, ")"),
                (Mark, "{"),
                (Macro, "note"),
                (Mark, "!"),
                (Mark, "("),
                (Name, "a"),
                (Mark, "!"),
                (Mark, "="),
                (Name, "b"),
                (Mark, ")"),
                (Mark, "}"),
            ]
        );
    }

    #[test]
    fn literals_end_where_they_end() {
        use Kind::{Lifetime, Mark, Number, Text};
        for literal in [
            r#""a \" b""#,
            r##"r#"a " b"#"##,
            r#"b"x""#,
            "b'x'",
            r"'\''",
            "'{'",
            "'ä'",
            r"'\u{7f}'",
        ] {
            let source = format!("{literal}}}");
            assert_eq!(tokens(&source), [(Text, literal), (Mark, "}")]);
        }
        assert_eq!(
            tokens("'a 0xff_u8 1.5e3 1..2"),
            [
                (Lifetime, "'a"),
                (Number, "0xff_u8"),
                (Number, "1.5e3"),
                (Number, "1"),
                (Mark, "."),
                (Mark, "."),
                (Number, "2")
            ]
        );
    }

    #[test]
    fn comments_nest_and_end_with_their_line() {
        use Kind::{Comment, Name};
        assert_eq!(
            tokens("/* a /* { */ b */ x // }\ny"),
            [
                (Comment, "/* a /* { */ b */"),
                (Name, "x"),
                (Comment, "// }"),
                (Name, "y")
            ]
        );
    }

    proptest! {
        #[test]
        fn the_tokens_cover_any_text(source in "(\\PC|[\"'/*#r\n\\\\{}])*") {
            let mut end = 0;
            for token in lex(&source) {
                prop_assert_eq!(token.range.start, end);
                prop_assert!(!token.range.is_empty());
                end = token.range.end;
            }
            prop_assert_eq!(end, source.len());
        }
    }
}
