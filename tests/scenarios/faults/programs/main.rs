//! Roots that the tests of faults start, stop and kill: `fault_programs NAME ARGS`.

// Trees that stand until something happens to them.
mod standing;
// Trees without a place, an output, or their children's status.
mod lacking;

// A tree in which nobody can tell of a process.
mod bereaved;

// What the actors run.
#[path = "../../calls.rs"]
mod calls;

use std::io::{self, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As a test target it is run by cargo as well, perhaps with a filter that is a name of ours.
    if std::env::var_os("TRACTOR_TEST_RUN").is_none() {
        return Ok(());
    }
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let args: Vec<_> = args.collect();
    match &*name {
        "stands" => standing::stands(&args)?,
        "tidies" => standing::tidies(&args)?,
        "waits" => standing::waits()?,
        "changes" => standing::changes()?,
        "stalls" => standing::stalls(&args)?,
        "dumps" => standing::dumps(&args)?,
        "looks" => standing::looks(&args)?,
        "nowhere" => lacking::nowhere(&args)?,
        "unreachable" => lacking::unreachable()?,
        "mute" => lacking::mute(&args)?,
        "bereaved" => bereaved::bereaved(&args)?,
        "robbed" => lacking::robbed(&args)?,
        "recycles" => lacking::recycles(&args)?,
        name => return Err(format!("there is no program `{name}`").into()),
    }
    Ok(())
}

/// A number of its arguments.
fn number(args: &[String], index: usize) -> u64 {
    args[index].parse().expect("it is a number")
}

/// Prints a line, whole: the tests wait for it, and several actors print at once.
fn say(line: &str) {
    // Whoever reads it may be gone.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
