//! What one looks at: the place of the scene or a frame of the stack, and the lines around it.

use super::command::Lines;
use super::excerpt::Excerpt;
use super::frames::{self, Frame};
use super::locate::locate;
use super::text::{Paint, one_line};
use crate::scene::{Place, Scene};
use crate::sources::Sources;

/// How many lines `list` shows before and after the one in question.
const AROUND: usize = 5;

/// The same, after `up`, `down` and `frame`.
const AROUND_FRAME: usize = 2;

/// How many lines are shown at once.
const LINES_MAX: usize = 2_000;

/// What one looks at, and how far `list` has come.
#[derive(Debug)]
pub(super) struct View {
    /// Innermost first.
    frames: Vec<Frame>,
    /// The frame of the scene's place, if one is.
    home: Option<usize>,
    /// The frame one looks at; `None` for the scene's place.
    frame: Option<usize>,
    /// The line with which `list` goes on.
    next: Option<usize>,
}

/// What a view is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) scene: &'a Scene,
    pub(super) sources: &'a dyn Sources,
    pub(super) paint: Paint,
}

/// A line of a file.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    file: &'a str,
    line: usize,
}

impl View {
    pub(super) fn new(scene: &Scene) -> Self {
        let frames = scene
            .backtrace
            .as_deref()
            .map_or_else(Vec::new, frames::parse);
        let is_home = |place: &Place| frames.iter().position(|frame| is_at(frame, place));
        Self {
            home: scene.place.as_ref().and_then(is_home),
            frames,
            frame: None,
            next: None,
        }
    }

    /// The line one looks at.
    fn spot<'a>(&'a self, scene: &'a Scene) -> Option<Spot<'a>> {
        let (file, line) = match self.frame {
            Some(index) => {
                let (file, line) = self.frames[index].place.as_ref()?;
                (file, line)
            }
            None => {
                let place = scene.place.as_ref()?;
                (&place.file, &place.line)
            }
        };
        Some(Spot {
            file,
            line: *line as usize,
        })
    }

    /// Shows something of the file one looks at, or says why not.
    fn with_source(
        &self,
        stage: Stage<'_>,
        show: impl FnOnce(&Excerpt<'_>, Spot<'_>) -> String,
    ) -> String {
        let Some(spot) = self.spot(stage.scene) else {
            return "Where this is in the source is not known; `where` shows the stack.".to_owned();
        };
        let place = stage.scene.place.as_ref();
        let manifest_dir = place.and_then(|place| place.manifest_dir.as_deref());
        match locate(spot.file, manifest_dir, stage.sources) {
            Ok(source) => show(&Excerpt::new(&source), spot),
            Err(message) => message,
        }
    }

    /// The lines around the current one.
    fn around(&self, around: usize, stage: Stage<'_>) -> String {
        self.with_source(stage, |excerpt, spot| {
            let range = spot.line.saturating_sub(around)..=spot.line.saturating_add(around);
            match spot.line <= excerpt.last() {
                true => excerpt.show(range, spot.line, stage.paint),
                false => other_file(excerpt, spot),
            }
        })
    }

    /// The same, above the first prompt.
    pub(super) fn opening(&self, stage: Stage<'_>) -> String {
        self.around(AROUND, stage)
    }

    /// `list`.
    pub(super) fn list(&mut self, lines: &Lines, stage: Stage<'_>) -> String {
        let mut next = self.next;
        let shown = self.with_source(stage, |excerpt, spot| {
            let (first, last) = match lines {
                Lines::Next => match next {
                    Some(next) => (next, next + 2 * AROUND),
                    None => around(spot.line),
                },
                Lines::Current => around(spot.line),
                Lines::Around(line) => around(*line),
                Lines::Between(first, last) => (*first, *last),
                Lines::Function(name) => match excerpt.function_named(name) {
                    Some(line) => around(line.saturating_add(AROUND)),
                    None => {
                        let file = one_line(spot.file, 200);
                        return format!("There is no function `{}` in {file}.", one_line(name, 80));
                    }
                },
            };
            if first > excerpt.last() {
                return match lines {
                    Lines::Next if next.is_some() => {
                        format!("{} ends here.", one_line(spot.file, 200))
                    }
                    Lines::Next | Lines::Current => other_file(excerpt, spot),
                    _ => excerpt.too_short(&one_line(spot.file, 200)),
                };
            }
            let last = last
                .min(first.saturating_add(LINES_MAX - 1))
                .min(excerpt.last());
            next = Some(last + 1);
            excerpt.show(first..=last, spot.line, stage.paint)
        });
        self.next = next;
        shown
    }

    /// `longlist`.
    pub(super) fn function(&self, stage: Stage<'_>) -> String {
        self.with_source(stage, |excerpt, spot| {
            if spot.line > excerpt.last() {
                return other_file(excerpt, spot);
            }
            match excerpt.function_around(spot.line) {
                Some(lines) => {
                    let last = (*lines.end()).min(lines.start() + LINES_MAX - 1);
                    excerpt.show(*lines.start()..=last, spot.line, stage.paint)
                }
                None => format!("Line {} is in no function; `list` shows it.", spot.line),
            }
        })
    }

    /// `where`.
    pub(super) fn stack(&self, full: bool, stage: Stage<'_>) -> String {
        if !self.frames.is_empty() {
            return frames::show(&self.frames, self.frame.or(self.home), full, stage.paint);
        }
        let place = match &stage.scene.place {
            Some(place) => format!("at {}", show_place(place)),
            None => "at a place that is not known".to_owned(),
        };
        format!("{place}; the stack was not recorded. The native debugger shows it: type `gdb`.")
    }

    /// `up`: towards the callers.
    pub(super) fn up(&mut self, count: usize, stage: Stage<'_>) -> String {
        let rank = self.rank(self.frame);
        let mut outwards = self.stops(stage.scene);
        outwards.retain(|stop| self.rank(*stop) > rank);
        self.go(&outwards, count, "outermost", stage)
    }

    /// `down`: towards what was called.
    pub(super) fn down(&mut self, count: usize, stage: Stage<'_>) -> String {
        let rank = self.rank(self.frame);
        let mut inwards = self.stops(stage.scene);
        inwards.retain(|stop| self.rank(*stop) < rank);
        inwards.reverse();
        self.go(&inwards, count, "innermost", stage)
    }

    /// `frame`: the one of that number, or the present one.
    pub(super) fn frame(&mut self, number: Option<usize>, stage: Stage<'_>) -> String {
        let Some(number) = number else {
            return self.show_frame(stage);
        };
        let Some(index) = self.frames.iter().position(|frame| frame.number == number) else {
            return format!("There is no frame {number}; `where full` shows them all.");
        };
        if self.frames[index].place.is_none() {
            let frame = self.frames[index].show();
            return format!("frame {number}: {frame}, of which the source is not known");
        }
        self.look_at(Some(index).filter(|_| self.home != Some(index)));
        self.show_frame(stage)
    }

    /// Where `up` and `down` stop, innermost first: the scene's place, and the user's frames
    /// further out.
    fn stops(&self, scene: &Scene) -> Vec<Option<usize>> {
        let first = scene.place.as_ref().map(|_| None);
        let from = match scene.place {
            Some(_) => self.home.map_or(0, |home| home + 1),
            None => 0,
        };
        let frames = self.frames.iter().enumerate().skip(from);
        let users = frames.filter(|(_, frame)| frame.place.is_some() && frame.is_users());
        first
            .into_iter()
            .chain(users.map(|(index, _)| Some(index)))
            .collect()
    }

    /// How far out a stop is; the scene's place is innermost if no frame is there.
    fn rank(&self, stop: Option<usize>) -> usize {
        stop.or(self.home).map_or(0, |index| index + 1)
    }

    fn go(&mut self, stops: &[Option<usize>], count: usize, end: &str, stage: Stage<'_>) -> String {
        match stops.get(count.saturating_sub(1)).or_else(|| stops.last()) {
            Some(_) if count == 0 => self.show_frame(stage),
            Some(stop) => {
                self.look_at(*stop);
                self.show_frame(stage)
            }
            None if self.frames.is_empty() => {
                "The stack was not recorded, so there is no other frame.".to_owned()
            }
            None => format!("This is the {end} frame whose source is known."),
        }
    }

    fn look_at(&mut self, frame: Option<usize>) {
        self.frame = frame;
        self.next = None;
    }

    /// The frame one looks at, with a few lines.
    fn show_frame(&self, stage: Stage<'_>) -> String {
        let title = match (self.frame.or(self.home), &stage.scene.place) {
            (Some(index), _) => {
                let frame = &self.frames[index];
                format!("frame {}: {}", frame.number, frame.show())
            }
            (None, Some(place)) => format!("at {}", show_place(place)),
            (None, None) => String::new(),
        };
        let lines = self.around(AROUND_FRAME, stage);
        format!("{}\n{lines}", stage.paint.bold(&title))
            .trim_start()
            .to_owned()
    }
}

/// `FILE:LINE`.
pub(crate) fn show_place(place: &Place) -> String {
    format!("{}:{}", one_line(&place.file, 200), place.line)
}

fn around(line: usize) -> (usize, usize) {
    (
        line.saturating_sub(AROUND).max(1),
        line.saturating_add(AROUND),
    )
}

fn other_file(excerpt: &Excerpt<'_>, spot: Spot<'_>) -> String {
    let short = excerpt.too_short(&one_line(spot.file, 200));
    format!(
        "{short} Line {} was in the one that was compiled.",
        spot.line
    )
}

/// Whether the frame is where the macro stood. The compiler's paths and those of a backtrace may
/// begin in different directories.
fn is_at(frame: &Frame, place: &Place) -> bool {
    let ends = |long: &str, short: &str| {
        let before = long.strip_suffix(short);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    frame.place.as_ref().is_some_and(|(file, line)| {
        *line == place.line && (ends(file, &place.file) || ends(&place.file, file))
    })
}
