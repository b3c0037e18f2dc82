//! Roots that the tests start, watch and signal: `programs NAME`, with a mark in the environment.

use std::io::{self, Write};

// How its errors and its children's ends are shown.
mod failing;
// What it logs.
mod logging;
// What its vars are, and what it does without a place.
mod looking;
// Who pauses in it.
mod prompting;
// How it ends by signals.
mod signalled;
// What becomes of its streams.
mod streaming;
// How random walks end.
mod walking;

// How links are cut.
#[path = "../scenarios/cut.rs"]
mod cut;

// What a seed decides, and what is walked.
#[path = "../scenarios/chance.rs"]
mod chance;
#[path = "../scenarios/wander.rs"]
mod wander;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As a test target it is run by cargo as well, perhaps with a filter that is a name of ours.
    if std::env::var_os("TRACTOR_TEST_RUN").is_none() {
        return Ok(());
    }
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let args: Vec<_> = args.collect();
    match &*name {
        "fails" => failing::fails()?,
        "panics" => failing::panics()?,
        "returns_early" => failing::returns_early()?,
        "vars" => looking::vars()?,
        "placeless" => looking::placeless()?,
        "logs" => logging::logs()?,
        "logs_much" => logging::logs_much()?,
        "forgets_daemons" => logging::forgets_daemons()?,
        "prompts" => prompting::prompts()?,
        "grows" => signalled::grows()?,
        "resists" => signalled::resists()?,
        "blocks" => signalled::blocks()?,
        "streams" => streaming::streams(&args)?,
        "walks" => walking::walks()?,
        "walks_with_prompts" => walking::walks_with_prompts()?,
        name => return Err(format!("there is no program `{name}`").into()),
    }
    Ok(())
}

/// Prints a line, whole: the tests wait for it, and several actors print at once.
fn say(line: &str) {
    // Whoever reads it may be gone.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
