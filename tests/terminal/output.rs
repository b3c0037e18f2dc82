//! What others print while a prompt is open, and at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use rstest::rstest;
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::screen::{Ended, Screen};

/// Who prints how in the program `flood`.
const WHO: [&str; 3] = ["one", "two", "root"];
const HOW: [&str; 3] = ["out", "err", "log"];
const FILLING: &str = "abcdefghijklmnopqrstuvwxyz";

/// Whole lines by who printed them how.
pub(crate) type Lines<'a> = BTreeMap<(&'a str, &'a str), Vec<u64>>;

/// The lines that appeared whole, and those that did not.
pub(crate) fn flooded(screen: &str) -> (Lines<'_>, Vec<&str>) {
    let (mut lines, mut torn) = (Lines::new(), Vec::new());
    for line in screen.split(['\r', '\n']) {
        if !line.contains("abc") && !line.contains("xyz") {
            continue;
        }
        // What the log says before its text.
        let text = line.split_once(": ").map_or(line, |(_, text)| text);
        let words: Vec<_> = text.split(' ').collect();
        match words[..] {
            [who, how, number, FILLING, "end"] if (text != line) == (how == "log") => {
                let number = number.parse().expect("it is counted");
                lines.entry((who, how)).or_default().push(number);
            }
            _ => torn.push(line),
        }
    }
    (lines, torn)
}

/// What these printed is there without a gap, also if they have not said how much it was.
#[track_caller]
fn check_gaps(ended: &Ended, who: &[&str]) {
    let (lines, _) = flooded(&ended.all);
    for who in who {
        for how in HOW {
            let numbers = lines.get(&(who, how));
            let numbers = numbers.map(Vec::as_slice).unwrap_or_default();
            let wrong = (0..).zip(numbers).find(|(n, seen)| n != *seen);
            assert_eq!((numbers.is_empty(), wrong), (false, None), "{who} {how}");
        }
    }
}

/// Every line of the flood is there, once and in order.
#[track_caller]
fn check_flood(ended: &Ended) {
    let (lines, torn) = flooded(&ended.all);
    assert_eq!(torn, [""; 0]);
    for who in WHO {
        let printed = ended.all.split(&format!("{who} printed ")).nth(1);
        let count = printed.and_then(|rest| rest.split(['\r', '\n']).next());
        let count: u64 = count
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("{who} has not said how many: {}", ended.tail));
        for how in HOW {
            let theirs = lines.get(&(who, how));
            let theirs = theirs.map(Vec::as_slice).unwrap_or_default();
            let wrong = (0..count).zip(theirs).find(|(n, seen)| n != *seen);
            assert_eq!((theirs.len() as u64, wrong), (count, None), "{who} {how}");
        }
    }
}

/// Waits until everybody has printed in every way.
#[track_caller]
pub(crate) fn wait_for_all(screen: &mut Screen) {
    for who in WHO {
        for how in HOW {
            screen.text(&format!("{who} {how} "));
        }
    }
}

#[test]
fn a_flood_is_shown_above_the_prompt_in_whole_lines() {
    let mut screen = Screen::of("flood").without_history();
    screen.text("Paused actor 'pausing'");
    screen.prompt();
    for key in ["a", "n", "s"] {
        screen.keys(key);
        wait_for_all(&mut screen);
    }
    screen.line("wer");
    screen.text("answer = 42");
    screen.prompt();
    screen.line("c");
    std::fs::write(screen.place().join("stop"), "").expect("it is a directory");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    check_flood(&ended);
}

#[test]
fn sigterm_shows_everything_that_was_printed() {
    let mut screen = Screen::of("flood_without_end");
    screen.text("it floods");
    wait_for_all(&mut screen);
    screen.signal(rexpect::process::Signal::SIGTERM);
    let ended = screen.end();
    let sent = rexpect::process::Signal::SIGTERM;
    assert_eq!(ended.signal(), Some(sent), "{ended:?}");
    let (_, torn) = flooded(&ended.all);
    assert_eq!(torn, [""; 0]);
    check_gaps(&ended, &WHO);
}

/// Asserts that these texts appear in this order.
#[track_caller]
fn check_order(all: &str, texts: &[&str]) {
    let mut rest = all;
    for text in texts {
        rest = match rest.split_once(text) {
            Some((_, rest)) => rest,
            None => panic!("no {text:?} in its place in:\n{all}"),
        };
    }
}

#[test]
fn last_words_are_shown_before_the_error_of_main() {
    let mut screen = Screen::of("last_words");
    screen.prompt_after(&["Crashed actor 'root'"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    for number in 0..200 {
        let line = format!("child {number} {FILLING} end\r\n");
        assert!(ended.all.contains(&line), "no {line:?}: {}", ended.all);
    }
    check_order(
        &ended.all,
        &[
            "child's last words",
            "root's last words",
            "main's last words",
        ],
    );
}

#[rstest]
#[case::a_panic("panicking", Some(101), &["before the panic", "the root panics"])]
#[case::an_exit("exiting", Some(7), &["root 199 abc", "root's last words"])]
fn what_the_root_printed_is_shown_at_its_end(
    #[case] program: &str,
    #[case] code: Option<i32>,
    #[case] texts: &[&str],
) {
    let mut screen = Screen::of(program);
    if code == Some(101) {
        screen.prompt();
        screen.line("c");
    }
    let ended = screen.end();
    assert_eq!(ended.code(), code, "{ended:?}");
    check_order(&ended.all, texts);
}

#[test]
fn kill_at_the_prompt_shows_everything_that_was_printed() {
    let mut screen = Screen::of("flood").without_history();
    screen.text("Paused actor 'pausing'");
    screen.prompt();
    wait_for_all(&mut screen);
    screen.line("kill");
    screen.prompt();
    screen.line("kill");
    let ended = screen.end();
    // Who is killed in the middle of a line has not printed the rest of it, and the root goes on
    // while it ends.
    check_gaps(&ended, &["one", "two"]);
}

#[test]
fn a_line_that_was_begun_before_a_prompt_ends_behind_it() {
    let mut screen = Screen::of("unfinished");
    let opened = screen.prompt();
    check_order(&opened, &["begun \r\n", "Paused actor 'child'"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    check_order(&ended.tail, &["and ended\r\n"]);
}

#[test]
fn everybody_still_prints_to_a_terminal() {
    let ended = Screen::of("colours").end();
    check_order(
        &ended.all,
        &["root out true err true\r\n", "child out true err true\r\n"],
    );
}

#[test]
fn a_redirected_standard_output_stays_so() {
    let ended = Screen::redirected("colours").end();
    let printed = std::fs::read_to_string((*ended.place).as_ref().join("out"));
    assert_eq!(
        printed.expect("it was redirected there"),
        "root out false err true\nchild out false err true\n"
    );
    check_order(&ended.all, &["root logs\r\n", "child logs\r\n"]);
    assert!(!ended.all.contains("out false"), "{ended:?}");
}

/// What is done to the terminal while others print.
#[derive(Debug, Clone, Copy)]
enum Disturbed {
    /// It has another size, again and again.
    Resized,
    /// Background groups are stopped when they print.
    Tostop,
}

#[rstest]
#[case::resized(Disturbed::Resized)]
#[case::with_tostop(Disturbed::Tostop)]
fn a_disturbed_terminal_shows_the_flood_all_the_same(#[case] disturbed: Disturbed) {
    let mut screen = Screen::of("flood").without_history();
    screen.text("Paused actor 'pausing'");
    screen.prompt();
    let terminal = screen.inside();
    if let Disturbed::Tostop = disturbed {
        set_tostop(&terminal, true);
    }
    for key in ["a", "n", "s", "w", "e", "r"] {
        screen.keys(key);
        if let Disturbed::Resized = disturbed {
            (30..60).for_each(|columns| resize(&terminal, columns));
        }
        wait_for_all(&mut screen);
    }
    screen.line("");
    screen.text("answer = 42");
    screen.prompt();
    set_tostop(&terminal, false);
    // Or it would not end for us.
    drop(terminal);
    screen.line("c");
    std::fs::write(screen.place().join("stop"), "").expect("it is a directory");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{}", ended.tail);
    check_flood(&ended);
}

fn resize(terminal: &File, columns: u16) {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("it is a terminal");
}

fn set_tostop(terminal: &File, on: bool) {
    let mut settings = tcgetattr(terminal).expect("it is a terminal");
    settings.local_modes.set(LocalModes::TOSTOP, on);
    tcsetattr(terminal, OptionalActions::Now, &settings).expect("it is a terminal");
}

#[test]
fn actors_see_the_size_of_the_terminal_as_it_is() {
    let mut screen = Screen::of("sized");
    screen.prompt();
    for columns in 100..=133 {
        resize(screen.terminal(), columns);
    }
    screen.line("answer");
    screen.text("answer = 42");
    screen.prompt();
    screen.line("c");
    let ended = screen.end();
    check_order(&ended.all, &["24 rows, 133 columns\r\n"]);
}

/// Whoever prints waits until the user lets the output go on; the runtime does not.
#[test]
fn a_terminal_whose_output_is_stopped_keeps_nobody_from_being_ended() {
    let mut screen = Screen::of("flood_below");
    let pids = ["one", "two"].map(|who| {
        screen.text(&format!("WARN  {who}["));
        let pid = screen.text("]");
        pid.parse::<u32>().expect("it is a number")
    });
    screen.control('s');
    let written = |pid| {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("it is there");
        io.lines()
            .find(|line| line.starts_with("wchar"))
            .map(str::to_owned)
    };
    // Until everything is full, and nobody can print any more.
    let mut before = pids.map(|_| None);
    while pids.map(written) != before {
        before = pids.map(written);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    screen.signal(rexpect::process::Signal::SIGTERM);
    screen.end();
}
