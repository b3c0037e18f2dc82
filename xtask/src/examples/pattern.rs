//! Comparing printed text with a pattern in which `<...>` stands for text that varies.

use anyhow::{Result, bail};

/// Compares line by line; the error shows both texts from the first difference on.
pub(super) fn compare(expected: &str, output: &str) -> Result<()> {
    let mut expected = expected.lines();
    let mut output = output.lines();
    for number in 1.. {
        match (expected.next(), output.next()) {
            (None, None) => break,
            (Some(pattern), Some(line)) if matches(pattern, line) => {}
            (pattern, line) => {
                let shown = |line: Option<&str>| line.unwrap_or("(nothing more)").to_owned();
                let rest: Vec<&str> = line.into_iter().chain(output).collect();
                bail!(
                    "line {number} differs\n  expected: {}\n  printed:  {}\nall from there on:\n{}",
                    shown(pattern),
                    shown(line),
                    rest.join("\n")
                );
            }
        }
    }
    Ok(())
}

/// Whether a line is what the pattern describes.
fn matches(pattern: &str, line: &str) -> bool {
    let placeholder = pattern.find('<').and_then(|start| {
        let end = start + pattern[start..].find('>')?;
        Some((&pattern[..start], &pattern[end + 1..]))
    });
    let Some((before, after)) = placeholder else {
        return pattern == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    // The placeholder takes at least one character, and then as few as the rest of the pattern
    // lets it.
    rest.char_indices()
        .skip(1)
        .map(|(index, _)| index)
        .chain([rest.len()])
        .any(|taken| taken > 0 && matches(after, &rest[taken..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_take_text_that_varies() {
        for (pattern, line) in [
            ("", ""),
            ("plain", "plain"),
            ("pid <pid>", "pid 17"),
            ("<pid>: <n> of <n>", "17: 2 of 3"),
            ("took <time> ms", "took 1.5 ms"),
            ("é <x>é", "é éé"),
            ("a < b", "a < b"),
        ] {
            assert!(matches(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in [
            ("pid <pid>", "pid "),
            ("<a>x", "x"),
            ("a", "b"),
            ("a<n>b", "a1c"),
        ] {
            assert!(!matches(pattern, line), "{pattern} {line}");
        }
    }

    #[test]
    fn the_first_difference_is_told_with_its_line() {
        let error = compare("a\nb\nc\n", "a\nx\nc\n").unwrap_err().to_string();
        assert!(
            error.starts_with("line 2 differs\n  expected: b\n  printed:  x\n"),
            "{error}"
        );
    }

    #[test]
    fn missing_and_surplus_lines_differ() {
        assert!(compare("a\nb\n", "a\n").is_err());
        assert!(compare("a\n", "a\nb\n").is_err());
        assert!(compare("a\n", "a\n").is_ok());
    }
}
