//! `cargo xtask test-deadlocks`: that a tree cannot hang, as far as it can be shown.
//!
//! First all that small models of the lock and the ladders can do is walked, then each of a list
//! of planted bugs has to be found by them, and then real trees are tortured: every scenario of
//! `tests/scenarios` with seed after seed, and random walks, on all cores and on one.

// What is left of a tree that hangs: its processes, what they have noted, and who waits for whom.
mod dump;
mod journal;
mod waits;
// The pure logic, walked to its end.
mod models;
// What the user wants.
mod options;
// What is said while it runs, and at its end.
mod report;
// Real trees, seed after seed.
mod runs;
// One run of a scenario, and how it ends.
mod watch;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use report::Report;

/// Runs the command with what stands behind its name.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let options = options::parse(args)?;
    let begin = Instant::now();
    let mut report = Report::default();
    if options.scenario.is_none() {
        walk_models(&mut report)?;
    }
    if !options.model_only {
        report.lanes = runs::run(root, &options)?;
    }
    report.took = begin.elapsed();
    report.show();
    if let Some(file) = &options.json {
        report.write_json(file)?;
    }
    let failures = report.failures();
    ensure!(failures == 0, "{failures} failed");
    println!("no hang, no violation ({:.1} s)", report.took.as_secs_f64());
    Ok(())
}

fn walk_models(report: &mut Report) -> Result<()> {
    println!("models: everything that small trees can do");
    report.models = models::run(report::model)?;
    println!("mutants: bugs that these models have to find");
    report.mutants = models::mutants::run(report::mutant)?;
    Ok(())
}
