//! The example `debugging` as a program of the tests: `debugged NAME`.

#[path = "../../examples/debugging/main.rs"]
mod debugging;

fn main() -> tractor::Result<()> {
    debugging::main()
}
