//! The example `debugging` as a program of the tests: `debugged NAME`; and more of its kind, which
//! show nothing to a user but what cannot happen.

#[path = "../../examples/debugging/main.rs"]
mod debugging;

// Programs of the cases that no example shows.
mod cases;

fn main() -> tractor::Result<()> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    match cases::PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        Some((_, program)) => program(),
        None => debugging::main(),
    }
}
