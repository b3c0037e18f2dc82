//! A backtrace, read from the text that the standard library makes of it.

use super::text::{Paint, count, one_line};

/// Crates whose frames say nothing about the user's code: a segment of a path of one of them
/// begins the name of the function.
const RUNTIME_CRATES: [&str; 20] = [
    "alloc",
    "async_executor",
    "async_global_executor",
    "async_io",
    "async_std",
    "async_task",
    "blocking",
    "core",
    "futures",
    "futures_lite",
    "futures_util",
    "std",
    "test",
    "tractor",
    "tractor_core",
    "tractor_debug",
    "tractor_discovery",
    "tractor_ipc",
    "tractor_nursery",
    "pin_project_lite",
];

/// Directories whose files belong to the standard library, or to a dependency.
const FOREIGN_DIRECTORIES: [&str; 2] = ["/rustc/", "/registry/src/"];

/// How many frames are read: a stack that overflowed has a great many, all alike.
const FRAMES_MAX: usize = 4_000;

/// How many characters of a function's name are shown.
const FUNCTION_CHARS_MAX: usize = 200;

/// One function of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its number in the text, 0 for the innermost.
    pub(super) number: usize,
    pub(super) function: String,
    /// The file and the line, if they are known.
    pub(super) place: Option<(String, u32)>,
}

impl Frame {
    /// Whether it belongs to the user's code.
    pub(super) fn is_users(&self) -> bool {
        let file = self.place.as_ref().map_or("", |(file, _)| file);
        let is_foreign = FOREIGN_DIRECTORIES.iter().any(|dir| file.contains(dir));
        // `<&mut demo::Load as core::future::Future>::poll` is of `demo`.
        let name = self.function.trim_start_matches(['<', '&', '*', '(', '[']);
        let name = ["mut ", "dyn ", "impl ", "const "]
            .iter()
            .fold(name, |name, word| name.strip_prefix(word).unwrap_or(name));
        let Some((first, _)) = name.split_once("::") else {
            // Functions of C, unless they were written in Rust.
            return !is_foreign && file.ends_with(".rs");
        };
        // Some tools show the hash of a crate: `demo[4f2a]`.
        let first = first.split('[').next().unwrap_or(first);
        !is_foreign && !RUNTIME_CRATES.contains(&first)
    }

    /// It on one line.
    pub(super) fn show(&self) -> String {
        let function = one_line(&self.function, FUNCTION_CHARS_MAX);
        match &self.place {
            Some((file, line)) => format!("{function} at {}:{line}", one_line(file, 200)),
            None => function,
        }
    }
}

/// Reads what `std::backtrace::Backtrace` shows; lines that it does not know are passed over.
pub(super) fn parse(backtrace: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in backtrace.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.place = place_of(place);
            }
        } else if let Some((number, function)) = numbered(line) {
            if frames.len() == FRAMES_MAX {
                break;
            }
            frames.push(Frame {
                number,
                function: function.to_owned(),
                place: None,
            });
        }
    }
    frames
}

fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, function) = line.split_once(": ")?;
    Some((number.parse().ok()?, function.trim()))
}

/// `file:line:column`, or `file:line`.
fn place_of(place: &str) -> Option<(String, u32)> {
    let (rest, last) = place.rsplit_once(':')?;
    let last = last.parse().ok()?;
    let with_column = rest
        .rsplit_once(':')
        .and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let (file, line) = with_column.unwrap_or((rest, last));
    Some((file.strip_prefix("./").unwrap_or(file).to_owned(), line))
}

/// All frames, one a line, `current` marked. Unless `full`, what is not the user's becomes a line
/// that counts it.
pub(super) fn show(frames: &[Frame], current: Option<usize>, full: bool, paint: Paint) -> String {
    let width = frames
        .last()
        .map_or(1, |last| last.number.to_string().len());
    let mut lines = Vec::new();
    let mut folded = 0;
    let fold = |folded: &mut usize, lines: &mut Vec<String>| {
        if *folded > 0 {
            let text = format!("{} of the runtime", count(*folded, "frame"));
            lines.push(paint.faint(&format!("   {:>width$}  {text}", "…")));
        }
        *folded = 0;
    };
    for (index, frame) in frames.iter().enumerate() {
        let is_current = current == Some(index);
        if !full && !is_current && !frame.is_users() {
            folded += 1;
            continue;
        }
        fold(&mut folded, &mut lines);
        let line = format!("{:>width$}  {}", frame.number, frame.show());
        lines.push(match is_current {
            true => format!("{} {}", paint.alarm("->"), paint.bold(&line)),
            false => format!("   {line}"),
        });
    }
    fold(&mut folded, &mut lines);
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stack as the standard library shows it.
    pub(in crate::repl) const BACKTRACE: &str = "   \
   0: std::backtrace::Backtrace::force_capture
             at /rustc/5980/library/std/src/backtrace.rs:331:9
   1: demo::inner::leaf::{{closure}}
             at ./src/inner.rs:4:17
   2: <demo::Loader as demo::Load>::load
             at ./src/main.rs:12:5
   3: <alloc::boxed::Box<F,A> as core::ops::function::FnOnce<A>>::call_once
             at /rustc/5980/library/alloc/src/boxed.rs:2240:9
   4: tractor_core::invoke::run
             at /home/ann/tractor/tractor-core/src/invoke.rs:80:1
   5: __rust_try
   6: demo::main
             at ./src/main.rs:30:5
   7: serde::de::visit
             at /home/ann/.cargo/registry/src/index/serde-1.0.228/src/de.rs:7:1
   8: start_thread
             at ./nptl/pthread_create.c:442:8
";

    #[test]
    fn functions_and_places_are_read() {
        let frames = parse(BACKTRACE);
        assert_eq!(frames.len(), 9);
        assert_eq!(frames[2].function, "<demo::Loader as demo::Load>::load");
        assert_eq!(frames[2].place, Some(("src/main.rs".to_owned(), 12)));
        assert_eq!((frames[5].number, &frames[5].place), (5, &None));
    }

    #[test]
    fn runs_of_frames_that_are_not_the_users_become_one_line() {
        let frames = parse(BACKTRACE);
        assert_eq!(
            show(&frames, Some(2), false, Paint(false)),
            "   …  1 frame of the runtime
   1  demo::inner::leaf::{{closure}} at src/inner.rs:4
-> 2  <demo::Loader as demo::Load>::load at src/main.rs:12
   …  3 frames of the runtime
   6  demo::main at src/main.rs:30
   …  2 frames of the runtime"
        );
        assert_eq!(show(&frames, None, true, Paint(false)).lines().count(), 9);
    }

    #[test]
    fn the_users_frames_are_told_by_crate_and_directory() {
        let is_users = |function: &str, file: &str| {
            let place = Some((file.to_owned(), 1));
            let function = function.to_owned();
            Frame {
                number: 0,
                function,
                place,
            }
            .is_users()
        };
        assert!(is_users(
            "<&mut demo::A as core::future::Future>::poll",
            "src/a.rs"
        ));
        assert!(is_users("demo[1f]::main", "src/a.rs"));
        assert!(is_users("exported_to_c", "src/a.rs"));
        assert!(is_users("tractor_demo::main", "src/a.rs"));
        assert!(!is_users("main", ""));
        assert!(!is_users(
            "<core::panic::AssertUnwindSafe<F> as demo::A>::b",
            "src/a.rs"
        ));
        assert!(!is_users(
            "demo::generic",
            "/rustc/59/library/core/src/a.rs"
        ));
    }

    #[test]
    fn a_stack_that_overflowed_is_cut() {
        let endless = (0..9000).map(|number| format!("{number}: demo::deeper\n"));
        assert_eq!(parse(&endless.collect::<String>()).len(), FRAMES_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_a_backtrace(text in "(\\PC|[0-9]+: |\n|at |:[0-9]+|<)*", full: bool) {
            let frames = parse(&text);
            show(&frames, Some(0), full, Paint(true));
        }
    }
}
