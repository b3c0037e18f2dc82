//! A screen as a picture.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// The size of a character.
const WIDTH: f32 = 7.8;
const HEIGHT: f32 = 17.0;
/// Around all of them.
const MARGIN: f32 = 14.0;

const BACKGROUND: &str = "#1c1e26";
const PLAIN: &str = "#d5d8da";

/// The sixteen colours that programs name by number.
const NAMED: [&str; 16] = [
    "#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8da",
    "#7f848e", "#ef8a92", "#b5e08d", "#f0d399", "#8cc8ff", "#d9a0e8", "#7fd1da", "#ffffff",
];

/// Draws what is to be seen, down to the last line that is not empty.
pub(super) fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let rows: Vec<_> = (0..rows)
        .map(|row| pieces((0..columns).filter_map(|column| screen.cell(row, column))))
        .collect();
    let used = rows.iter().rposition(|row| !row.is_empty());
    let rows = &rows[..used.map_or(0, |last| last + 1)];
    let width = f32::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = rows.len() as f32 * HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-size=\"13\" font-family=\"ui-monospace, \
         'DejaVu Sans Mono', Menlo, Consolas, monospace\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (row, pieces) in rows.iter().enumerate() {
        let y = MARGIN + (row as f32 + 0.75) * HEIGHT;
        for piece in pieces {
            write_piece(&mut svg, piece, y);
        }
    }
    svg + "</svg>\n"
}

/// Characters beside each other that look alike.
#[derive(Debug, PartialEq)]
struct Piece {
    column: usize,
    text: String,
    colour: &'static str,
    bold: bool,
    dim: bool,
}

/// The pieces of a row, without the spaces between them.
fn pieces<'a>(cells: impl Iterator<Item = &'a Cell>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut gap = 0;
    for (column, cell) in cells.enumerate() {
        let text = cell.contents();
        if text.trim().is_empty() {
            gap += 1;
            continue;
        }
        let piece = Piece {
            column,
            text: text.to_owned(),
            colour: colour(cell.fgcolor()),
            bold: cell.bold(),
            dim: cell.dim(),
        };
        match pieces.last_mut() {
            Some(last) if gap <= 1 && last.looks_like(&piece) => {
                last.text.extend(std::iter::repeat_n(' ', gap));
                last.text.push_str(text);
            }
            _ => pieces.push(piece),
        }
        gap = 0;
    }
    pieces
}

impl Piece {
    fn looks_like(&self, other: &Self) -> bool {
        (self.colour, self.bold, self.dim) == (other.colour, other.bold, other.dim)
    }
}

fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Idx(number) => NAMED.get(usize::from(number)).copied().unwrap_or(PLAIN),
        Color::Default | Color::Rgb(..) => PLAIN,
    }
}

fn write_piece(svg: &mut String, piece: &Piece, y: f32) {
    let x = MARGIN + piece.column as f32 * WIDTH;
    let length = piece.text.chars().count() as f32 * WIDTH;
    let weight = if piece.bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let faint = if piece.dim { " opacity=\"0.6\"" } else { "" };
    let text = piece
        .text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let colour = piece.colour;
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" fill=\"{colour}\"{weight}{faint}>\
         {text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    fn size(size: u16) -> NonZero<u16> {
        NonZero::new(size).unwrap()
    }

    fn drawn(written: &str) -> String {
        let mut parser = vt100::Parser::new(size(9), size(20), 0);
        parser.process(written.as_bytes());
        draw(parser.screen())
    }

    #[test]
    fn what_looks_alike_is_one_piece() {
        let svg = drawn("a b\x1b[1;31mc<d\x1b[0m   e");
        let texts: Vec<_> = svg
            .lines()
            .filter(|line| line.starts_with("<text"))
            .collect();
        assert_eq!(texts.len(), 3, "{svg}");
        assert!(texts[0].ends_with(">a b</text>"), "{svg}");
        assert!(
            texts[1].contains(NAMED[1]) && texts[1].contains("bold"),
            "{svg}"
        );
        assert!(texts[1].ends_with(">c&lt;d</text>"), "{svg}");
        assert!(texts[2].ends_with(">e</text>"), "{svg}");
    }

    #[test]
    fn empty_lines_at_the_end_are_not_drawn() {
        let height = |svg: &str| svg.split("height=\"").nth(1).map(str::len);
        assert_eq!(height(&drawn("a")), height(&drawn("a\r\n\r\n  \r\n")));
        assert!(
            drawn("a").contains("viewBox=\"0 0 184 45\""),
            "{}",
            drawn("a")
        );
    }
}
