//! Lines over logarithmic axes, as SVG.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

/// One line of the plot: bytes per second by bytes of an item.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(usize, f64)>,
}

const SIZE: (u32, u32) = (900, 560);
const FONT: &str = "sans-serif";

/// Colours that also who sees no red or green tells apart: P. Tol's bright scheme,
/// <https://personal.sron.nl/~pault/>.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0xBB, 0xBB, 0xBB),
    RGBColor(0x44, 0x77, 0xAA),
    RGBColor(0x22, 0x88, 0x33),
    RGBColor(0xCC, 0xBB, 0x44),
    RGBColor(0xEE, 0x66, 0x77),
];

/// Writes the plot of these lines to a file; `machine` is what they were measured on.
pub(super) fn draw(path: &Path, machine: &str, lines: &[Line]) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let drawn = draw_on(&root, machine, lines);
    drawn
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("cannot draw {}", path.display()))
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw_on<'a>(
    root: &DrawingArea<SVGBackend<'a>, Shift>,
    machine: &str,
    lines: &[Line],
) -> Drawn<'a> {
    root.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|line| &line.points);
    let sizes = points().map(|(size, _)| *size as f64);
    let rates = points().map(|(_, rate)| *rate);
    let mut chart = ChartBuilder::on(root)
        .caption("Bytes per second of streams between two actors", (FONT, 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (1.0..sizes.fold(1.0, f64::max)).log_scale().base(16.0),
            (rates.clone().fold(f64::MAX, f64::min)..rates.fold(1.0, f64::max) * 2.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc(format!("bytes of an item ({machine})"))
        .x_label_formatter(&|size| scaled(*size, 1024.0, ["B", "KiB", "MiB", "GiB"]))
        .y_label_formatter(&|rate| scaled(*rate, 1000.0, ["B/s", "kB/s", "MB/s", "GB/s"]))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points = line.points.iter().map(|(size, rate)| (*size as f64, *rate));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(&line.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE)
        .label_font((FONT, 14))
        .draw()?;
    root.present()
}

/// A number with the unit that leaves it between 1 and `step`.
fn scaled(number: f64, step: f64, units: [&str; 4]) -> String {
    let mut number = number;
    let mut left = units.iter();
    let mut unit = left.next().unwrap_or(&"");
    for next in left {
        if number < step {
            break;
        }
        number /= step;
        unit = next;
    }
    format!("{} {unit}", number.round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_their_unit() {
        let bytes = |n| scaled(n, 1024.0, ["B", "KiB", "MiB", "GiB"]);
        assert_eq!(bytes(1.0), "1 B");
        assert_eq!(bytes(65536.0), "64 KiB");
        assert_eq!(bytes((1_u64 << 40) as f64), "1024 GiB");
    }
}
