//! The example `debugging` as a program of the tests, and programs that only the tests need:
//! `debugged NAME`.

#[path = "../../examples/debugging/main.rs"]
mod debugging;

mod printing;

fn main() -> printing::Outcome {
    let wanted = std::env::args().nth(1);
    let ours = printing::PROGRAMS
        .iter()
        .find(|(name, _)| Some(*name) == wanted.as_deref());
    match ours {
        Some((_, program)) => program(),
        None => Ok(debugging::main()?),
    }
}
