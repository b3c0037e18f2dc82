//! [`Ring`]: the last lines of the log, as many as were asked for.

use std::collections::VecDeque;

/// A longer line is cut.
const LINE_CHARS_MAX: usize = 1000;

/// The last lines.
#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self {
            lines: VecDeque::new(),
            lines_max: 0,
        }
    }

    /// Keeps so many lines from now on.
    pub(super) fn keep(&mut self, lines_max: usize) {
        self.lines_max = lines_max;
        self.trim();
    }

    /// Takes a line, if any are kept.
    pub(super) fn push(&mut self, line: &str) {
        if self.lines_max > 0 {
            let line = line.trim_end();
            self.lines
                .push_back(line.chars().take(LINE_CHARS_MAX).collect());
            self.trim();
        }
    }

    /// The last so many, oldest first.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let skipped = self.lines.len().saturating_sub(count);
        self.lines.iter().skip(skipped).cloned().collect()
    }

    fn trim(&mut self) {
        let excess = self.lines.len().saturating_sub(self.lines_max);
        self.lines.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let mut ring = Ring::new();
        ring.push("lost");
        ring.keep(3);
        for line in ["a\n", "b\n", "c\n", "d\n"] {
            ring.push(line);
        }
        assert_eq!(ring.last(2), ["c", "d"]);
        assert_eq!(ring.last(99), ["b", "c", "d"]);
        ring.keep(1);
        assert_eq!(ring.last(99), ["d"]);
        ring.push(&"ü".repeat(5000));
        assert_eq!(ring.last(1)[0].chars().count(), LINE_CHARS_MAX);
    }
}
