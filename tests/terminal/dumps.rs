//! What a tree tells of itself on SIGUSR1, in a terminal.

use rexpect::process::Signal;

use crate::screen::Screen;

/// the root tells what it does, then names whom it asks,
/// then the child tells the same; and Ctrl-C ends both, although the child cannot be cancelled.
#[test]
fn a_child_that_hangs_is_shown_and_ends_with_the_tree() {
    let mut screen = Screen::of("shield_hang_in_sub");
    screen.text("shows what everybody does");
    // Until it is an actor it is not asked, and then its function is to begin.
    loop {
        screen.signal(Signal::SIGUSR1);
        screen.text("=== what 'root' (pid ");
        screen.text("=== end of 'root'");
        if screen.text("\n").contains("; asking 'hanging'") {
            screen.text("=== what 'hanging' (pid ");
            let told = screen.text("=== end of 'hanging'");
            if told.contains("hang_in_a_shield") {
                break;
            }
        }
    }
    screen.control('c');
    let ended = screen.end();
    assert_eq!(ended.signal(), Some(Signal::SIGINT), "{ended:?}");
}
