//! A plain program without a runtime: what goes wrong in a block of it has a prompt.

use std::num::{IntErrorKind, ParseIntError};

use tractor::{CrashHandler, open_crash_handler};

fn parse(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

pub(crate) fn main() -> tractor::Result<()> {
    let contained = CrashHandler::new().contain(|| parse("7x"));
    println!("went on after: {contained:?}");

    let is_filled = |error: &ParseIntError| *error.kind() != IntErrorKind::Empty;
    let ignored = CrashHandler::new().catch(is_filled).contain(|| parse(""));
    println!("no prompt for: {ignored:?}");

    open_crash_handler(|| {
        let found = 1;
        assert_eq!(found, 2, "AssertionError");
        Ok(())
    })
}
