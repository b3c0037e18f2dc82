//! The example `debugging` as a program of the tests, and programs that only the tests need:
//! `debugged NAME`.

#[path = "../../examples/debugging/main.rs"]
mod debugging;

// Programs of the cases that no example shows.
mod cases;
// Programs that print.
mod printing;

fn main() -> printing::Outcome {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, program)) = cases::PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        return Ok(program()?);
    }
    match printing::PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        Some((_, program)) => program(),
        None => Ok(debugging::main()?),
    }
}
