//! [`Screen`]: what a terminal of 80 columns shows after all that was written to it.

use std::iter::Peekable;
use std::str::Chars;

/// Rows of characters, and where the cursor is.
#[derive(Default)]
pub(crate) struct Screen {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    /// What is to be seen after this, without spaces at the ends of rows.
    pub(crate) fn of(written: &str) -> Vec<String> {
        let mut screen = Self::default();
        let mut rest = written.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\x1b' => screen.escape(&mut rest),
                '\r' => screen.column = 0,
                '\n' => screen.row += 1,
                '\x08' => screen.column = screen.column.saturating_sub(1),
                c if c.is_control() => {}
                c => screen.print(c),
            }
        }
        let rows = screen.rows.iter().map(|row| row.iter().collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    fn print(&mut self, c: char) {
        if self.column == COLUMNS {
            self.column = 0;
            self.row += 1;
        }
        let column = self.column;
        let row = self.current();
        if row.len() <= column {
            row.resize(column + 1, ' ');
        }
        row[column] = c;
        self.column += 1;
    }

    fn escape(&mut self, rest: &mut Peekable<Chars<'_>>) {
        if rest.next_if_eq(&'[').is_none() {
            return;
        }
        let mut parameters = String::new();
        for c in rest.by_ref() {
            if !('@'..='~').contains(&c) {
                parameters.push(c);
                continue;
            }
            let number = parameters.parse().unwrap_or(1);
            match c {
                'A' => self.row = self.row.saturating_sub(number),
                'B' => self.row += number,
                'C' => self.column = (self.column + number).min(COLUMNS - 1),
                'D' => self.column = self.column.saturating_sub(number),
                'K' => self.clear_line(),
                'J' => {
                    self.clear_line();
                    let below = self.row + 1;
                    self.rows.truncate(below);
                }
                _ => {}
            }
            return;
        }
    }

    fn clear_line(&mut self) {
        let column = self.column;
        self.current().truncate(column);
    }

    fn current(&mut self) -> &mut Vec<char> {
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, Vec::new());
        }
        &mut self.rows[self.row]
    }
}

const COLUMNS: usize = 80;

#[test]
fn a_row_can_be_written_again() {
    assert_eq!(Screen::of("ab\r\ncd\x1b[Ax\r\n\x1b[Ky"), ["abx", "y"]);
}
