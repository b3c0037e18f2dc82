//! Typing a line: editing, history, completion, Ctrl-C, and lines of others in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::session::Session;

#[test]
fn a_line_is_edited_and_comes_whole() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    // The end, the beginning, and a letter that is taken back.
    session.keys("rder\x01o\x05x\x7f\r");
    assert_eq!(session.root.hear(), r#"1 Line("order")"#);
    session.quit();
    session.assert_sane();
}

#[test]
fn what_is_typed_ahead_is_read_by_the_next_prompt_of_the_lease() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    session.keys("one\rtwo\r");
    assert_eq!(session.root.hear(), r#"1 Line("one")"#);
    session.prompt(1, "(b)");
    assert_eq!(session.root.hear(), r#"1 Line("two")"#);
    session.quit();
}

#[test]
fn history_is_kept_between_runs_for_its_owner_alone() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    session.keys("first line\r");
    assert_eq!(session.root.hear(), r#"1 Line("first line")"#);
    session.quit();
    let mode = fs::metadata(session.history())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    session.run_again();
    session.prompt(1, "(b)");
    let mark = session.mark();
    session.keys("\x1b[A");
    session.wait_for(mark, "first line");
    session.keys("s\r");
    assert_eq!(session.root.hear(), r#"1 Line("first lines")"#);
    session.quit();
    let history = fs::read_to_string(session.history()).unwrap();
    assert_eq!(history, "first line\nfirst lines\n");
}

#[test]
fn history_that_cannot_be_kept_is_told_once_and_the_prompt_goes_on() {
    let mut session = Session::open();
    // A file stands where a directory should be.
    fs::write(session.dir.path().join("tractor"), "").unwrap();
    let mark = session.mark();
    for line in ["one", "two"] {
        session.prompt(1, "(a)");
        session.keys(format!("{line}\r"));
        assert_eq!(session.root.hear(), format!("1 Line({line:?})"));
    }
    session.quit();
    let told = session.since(mark);
    assert_eq!(told.matches("history of the prompt").count(), 1, "{told:?}");
}

#[test]
fn words_are_completed_by_the_tabulator() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    session.keys("con\t\r");
    assert_eq!(session.root.hear(), r#"1 Line("continue")"#);
    session.quit();
}

#[test]
fn ctrl_c_fifty_times_shows_the_prompt_again_and_ends_nothing() {
    let mut session = Session::open();
    let mut mark = session.prompt(1, "(again)");
    let begin = session.mark();
    for _ in 0..50 {
        session.keys("\x03");
        mark = session.wait_for(mark, "(again)");
    }
    session.keys("abc\x03");
    session.wait_for(mark, "(again)");
    session.keys("still\r");
    assert_eq!(session.root.hear(), r#"1 Line("still")"#);
    let hints = session.since(begin).matches("ends the tree").count();
    assert_eq!(hints, 17, "every third");
    session.quit();
    session.assert_sane();
}

#[test]
fn ctrl_d_on_an_empty_line_is_the_end_of_input() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    session.keys("\x04");
    assert_eq!(session.root.hear(), "1 EndOfInput");
    session.quit();
}

#[test]
fn bytes_that_are_no_text_are_told_and_the_prompt_comes_again() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.keys(b"ab\xff");
    let mark = session.wait_for(mark, "no text");
    session.wait_for(mark, "(a)");
    let line = "x".repeat(5000);
    session.keys(format!("{line}\r"));
    assert_eq!(session.root.hear(), format!("1 Line({line:?})"));
    session.quit();
}

#[test]
fn a_line_of_the_runtime_stands_above_the_prompt_and_tears_nothing() {
    let mut session = Session::open();
    session.prompt(1, "(tree)");
    let mark = session.mark();
    session.keys("one ");
    session.wait_for(mark, "one ");
    let mut mark = session.mark();
    for number in 0..20 {
        session.root.say(&format!("say 0 worker {number} is ready"));
        mark = session.wait_for(mark, &format!("worker {number} is ready"));
    }
    session.wait_for(mark, "one ");
    session.keys("two\r");
    assert_eq!(session.root.hear(), r#"1 Line("one two")"#);
    session.root.say("say 0 at once");
    session.wait_for(mark, "at once");
    session.quit();

    let mut expected: Vec<_> = (0..20).map(|n| format!("worker {n} is ready")).collect();
    expected.extend(["(tree)one two", "at once"].map(String::from));
    // The row that the library's newline may leave at the top of an empty screen.
    let rows: Vec<_> = session
        .rows()
        .into_iter()
        .filter(|row| !row.is_empty())
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_terminal_that_cannot_edit_has_plain_lines() {
    let mut session = Session::open_with(&[("TERM", "dumb")]);
    let mark = session.prompt(1, "(plain)");
    session.root.say("say 0 meanwhile");
    let mark = session.wait_for(mark, "meanwhile");
    let mark = session.wait_for(mark, "(plain)");
    session.root.say("interrupted");
    session.wait_for(mark, "(plain)");
    session.keys("a line\r");
    assert_eq!(session.root.hear(), r#"1 Line("a line")"#);
    session.quit();
    session.assert_sane();
}
