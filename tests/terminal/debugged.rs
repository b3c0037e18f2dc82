//! The example `debugging` as a program of the tests, and programs that only the tests need:
//! `debugged NAME`.

#[path = "../../examples/debugging/main.rs"]
mod debugging;

// What cannot happen to a user, or shows nothing to one.
mod cases;

// Programs that print.
mod printing;

fn main() -> printing::Outcome {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, program)) = printing::PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        return program();
    }
    match cases::PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        Some((_, program)) => Ok(program()?),
        None => Ok(debugging::main()?),
    }
}
