//! A part of a value, found in the text that `Debug` made of it: `.field`, `.0`, `[2]`, `["key"]`.
//!
//! The value itself is out of reach, but what derived `Debug` and the standard collections write
//! has a shape that can be followed. Text of another shape has no parts.

use std::ops::Range;

use super::lexer::{Kind, Token, lex};
use super::text::one_line;

/// How many names of parts a message lists.
const PARTS_MAX: usize = 12;

/// A part of a value: its key, if it has one, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part<'a> {
    key: Option<&'a str>,
    value: &'a str,
}

/// Follows `path`, which is empty or begins with `.` or `[`, into `value`.
///
/// `Err` says what is wrong, of the value called `name`.
pub(super) fn select<'a>(name: &str, value: &'a str, path: &str) -> Result<&'a str, String> {
    let path = path.trim();
    let (mut value, mut rest) = (value, path);
    while !rest.is_empty() {
        let so_far = one_line(&format!("{name}{}", &path[..path.len() - rest.len()]), 100);
        let Some((step, after)) = step(rest) else {
            let rest = one_line(rest, 40);
            return Err(format!(
                "`{rest}` is no way into `{so_far}`: write .FIELD or [N]."
            ));
        };
        let parts = parts(value);
        let part = step.find(&parts);
        value = part.ok_or_else(|| step.not_found(&so_far, &parts))?.value;
        rest = after.trim_start();
    }
    Ok(value)
}

/// The names of the fields of a value, if it is a structure.
pub(super) fn fields(value: &str) -> Vec<&str> {
    let keys = parts(value).into_iter().filter_map(|part| part.key);
    keys.filter(|key| is_field(key)).collect()
}

fn is_field(key: &str) -> bool {
    key.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit())
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    /// `.name` or `.0`.
    Field(&'a str),
    /// What stands in brackets: a number, or a key as `Debug` writes it.
    Index(&'a str),
}

/// The first step of a path and what follows it; `None` if it is none.
fn step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (field, after) = rest.split_at(end.unwrap_or(rest.len()));
        return (!field.is_empty()).then_some((Step::Field(field), after));
    }
    let tokens = lex(path.strip_prefix('[')?);
    let end = tokens
        .iter()
        .find(|token| path[1..][token.range.clone()] == *"]")?;
    let (index, after) = path[1..].split_at(end.range.start);
    let index = index.trim();
    (!index.is_empty()).then_some((Step::Index(index), &after[1..]))
}

impl Step<'_> {
    fn find<'p, 'v>(self, parts: &'p [Part<'v>]) -> Option<&'p Part<'v>> {
        let by_key = |key: &str| parts.iter().find(|part| part.key == Some(key));
        let by_number = |number: &str| {
            let part = parts.get(number.parse::<usize>().ok()?)?;
            part.key.is_none().then_some(part)
        };
        match self {
            Self::Field(name) => by_key(name).or_else(|| by_number(name)),
            Self::Index(index) => by_key(index).or_else(|| by_number(index)),
        }
    }

    fn not_found(self, so_far: &str, parts: &[Part<'_>]) -> String {
        let (Self::Field(wanted) | Self::Index(wanted)) = self;
        let wanted = one_line(wanted, 40);
        let keys: Vec<_> = parts.iter().filter_map(|part| part.key).collect();
        let listed = keys.iter().take(PARTS_MAX).map(|key| one_line(key, 40));
        let mut listed = listed.collect::<Vec<_>>().join(", ");
        if keys.len() > PARTS_MAX {
            listed.push_str(", …");
        }
        match (parts.len(), keys.is_empty()) {
            (0, _) => format!("`{so_far}` has no parts that can be seen, so no `{wanted}`."),
            (1, true) => format!("`{so_far}` has no `{wanted}`; its only part is 0."),
            (count, true) => {
                format!(
                    "`{so_far}` has no `{wanted}`; its parts are 0 to {}.",
                    count - 1
                )
            }
            (_, false) => format!("`{so_far}` has no `{wanted}`; it has {listed}."),
        }
    }
}

/// The parts of a structure, tuple, list, set or map; none of anything else.
fn parts(value: &str) -> Vec<Part<'_>> {
    let tokens = lex(value);
    let is_code = |token: &&Token| !matches!(token.kind, Kind::Space | Kind::Comment);
    let mut code = tokens.iter().filter(is_code).peekable();
    // The name of the type, if there is one.
    code.next_if(|token| matches!(token.kind, Kind::Name | Kind::Type | Kind::Keyword));
    let text = |token: &Token| &value[token.range.clone()];
    let Some(open) = code
        .next()
        .filter(|token| ["{", "(", "["].contains(&text(token)))
    else {
        return Vec::new();
    };
    let has_keys = text(open) == "{";
    let mut parts = Vec::new();
    let (mut depth, mut start, mut colon) = (1_usize, open.range.end, None);
    let mut end = value.len();
    for token in code.filter(|token| token.kind == Kind::Mark) {
        match text(token) {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            "," if depth == 1 => {
                parts.extend(part(value, start..token.range.start, colon.take()));
                start = token.range.end;
            }
            ":" if depth == 1 && has_keys && colon.is_none() => colon = Some(token.range.start),
            _ => {}
        }
        if depth == 0 {
            end = token.range.start;
            break;
        }
    }
    parts.extend(part(value, start..end, colon));
    parts
}

/// What lies between two commas, with the place of its colon; `None` if nothing does.
fn part(value: &str, range: Range<usize>, colon: Option<usize>) -> Option<Part<'_>> {
    let part = match colon {
        Some(colon) => Part {
            key: Some(value[range.start..colon].trim()),
            value: value[colon + 1..range.end].trim(),
        },
        None => Part {
            key: None,
            value: value[range].trim(),
        },
    };
    (!part.value.is_empty()).then_some(part)
}

/// Moves the lines of a part as far to the left as its last line allows.
pub(super) fn dedent(part: &str) -> String {
    let last = part.lines().last().unwrap_or("");
    let indent = last.len() - last.trim_start_matches(' ').len();
    let dedented = |line: &str| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line[spaces.min(indent)..].to_owned()
    };
    let lines: Vec<_> = part.split('\n').map(dedented).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "they are read by Debug")]
    struct Order {
        id: u32,
        note: &'static str,
        at: (f64, Option<char>),
        items: Vec<Item>,
        by_name: BTreeMap<&'static str, u8>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is read by Debug")]
    struct Item(u8, &'static str);

    fn order() -> Order {
        Order {
            id: 7,
            note: "a, } \" b: c",
            at: (1.5, Some('}')),
            items: vec![Item(1, "x"), Item(2, "y")],
            by_name: [("one", 1), ("t]o", 2)].into(),
        }
    }

    #[test]
    fn paths_lead_through_what_debug_writes() {
        let order = order();
        for text in [format!("{order:?}"), format!("{order:#?}")] {
            let part = |path| select("order", &text, path);
            assert_eq!(part(".id"), Ok("7"));
            assert_eq!(part(".note"), Ok(r#""a, } \" b: c""#));
            assert_eq!(part(".at.0"), Ok("1.5"));
            assert_eq!(part(".at.1.0"), Ok("'}'"));
            assert_eq!(part(".items[1].1"), Ok("\"y\""));
            assert_eq!(part(" . items [ 0 ] .0"), Ok("1"));
            assert_eq!(part(".by_name[\"t]o\"]"), Ok("2"));
            assert_eq!(part(""), Ok(text.as_str()));
        }
    }

    #[test]
    fn a_wrong_step_is_told_with_what_there_is() {
        let text = format!("{:?}", order());
        let wrong = |path| select("order", &text, path).expect_err(path);
        assert_eq!(
            wrong(".idd"),
            "`order` has no `idd`; it has id, note, at, items, by_name."
        );
        assert_eq!(
            wrong(".items[2]"),
            "`order.items` has no `2`; its parts are 0 to 1."
        );
        assert_eq!(
            wrong(".id.x"),
            "`order.id` has no parts that can be seen, so no `x`."
        );
        for broken in [
            ".", "[", "[]", ".id.", ".items[", ".id]", "..id", ".items[0",
        ] {
            assert!(wrong(broken).contains("is no way into"), "{broken}");
        }
    }

    #[test]
    fn space_behind_a_path_is_not_a_part_of_it() {
        let said = select("a", "1", ".ä\u{a0}");
        assert_eq!(
            said.expect_err("it has no parts"),
            "`a` has no parts that can be seen, so no `ä`."
        );
    }

    #[test]
    fn fields_are_those_of_structures_only() {
        assert_eq!(
            fields(&format!("{:?}", order())),
            ["id", "note", "at", "items", "by_name"]
        );
        assert!(fields("{\"a b\": 1, 2: 3}").is_empty());
        assert!(fields("[1, 2]").is_empty());
    }

    #[test]
    fn a_part_of_pretty_text_begins_at_the_left() {
        let text = format!("{:#?}", order());
        let part = select("order", &text, ".items[0]").map(dedent);
        assert_eq!(part.as_deref(), Ok("Item(\n    1,\n    \"x\",\n)"));
    }

    proptest! {
        #[test]
        fn any_path_into_any_text_gives_a_part_or_a_message(
            text in "(\\PC|[{}(),:\\[\\]\"'\n])*", path in "(\\.|\\[)(\\PC|[.\\[\\]0-9 \"'])*",
        ) {
            if let Ok(part) = select("a", &text, &path) {
                prop_assert!(text.contains(part));
            }
            fields(&text);
            dedent(&text);
        }
    }
}
