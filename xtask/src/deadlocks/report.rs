//! What is said: a line for whatever has ended, and the table.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::models::Walked;
use super::models::mutants::Sought;
use super::runs::{Lane, Tally};

/// All that came of the command.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) models: Vec<Walked>,
    pub(super) mutants: Vec<Sought>,
    pub(super) lanes: Vec<Lane>,
    pub(super) took: Duration,
}

/// Says what came of a walk.
pub(super) fn model(walked: &Walked) {
    let Walked {
        name,
        about,
        states,
        depth,
        took,
        broken,
        ..
    } = walked;
    let took = took.as_secs_f64();
    println!("  {name:<20} {states:>8} states, {depth:>2} deep, {took:>5.1} s  {about}");
    if let Some(broken) = broken {
        println!("VIOLATION in {name}: {broken}");
    }
}

/// Says whether a planted bug was found.
pub(super) fn mutant(sought: &Sought) {
    let Sought {
        bug,
        model,
        found,
        states,
        took,
    } = sought;
    let found = found.as_deref().map_or_else(
        || "NOT FOUND".to_owned(),
        |rule| format!("breaks \"{rule}\""),
    );
    let millis = took.as_millis();
    println!("  {bug:<30} {found} in \"{model}\" ({states} states, {millis} ms)");
}

impl Report {
    /// How much is wrong.
    pub(super) fn failures(&self) -> usize {
        let broken = |walked: &&Walked| walked.broken.is_some();
        let lost = |sought: &&Sought| sought.found.is_none();
        let lanes = self.lanes.iter().map(|lane| lane.failures.len());
        self.models.iter().filter(broken).count()
            + self.mutants.iter().filter(lost).count()
            + lanes.sum::<usize>()
    }

    /// Shows the table, and what failed below it.
    pub(super) fn show(&self) {
        if !self.lanes.is_empty() {
            println!("{:<9} {:>8} {:>10}  what it is", "id", "runs", "slowest");
            for ((id, what), tally) in self.tallies() {
                let slowest = format!("{} ms", tally.slowest.as_millis());
                println!("{id:<9} {:>8} {slowest:>10}  {what}", tally.runs);
            }
        }
        for lane in &self.lanes {
            for failure in &lane.failures {
                println!("\nFAILED on {}: {failure}", lane.name);
            }
        }
        let (states, runs) = (self.states(), self.runs());
        let replayed = self.replayed();
        println!(
            "{} models with {states} states, {replayed} ways through them taken by a real root; {} of {} planted bugs found; {runs} runs of real trees",
            self.models.len(),
            self.mutants
                .iter()
                .filter(|own| own.found.is_some())
                .count(),
            self.mutants.len(),
        );
    }

    /// Writes the numbers as one flat object.
    pub(super) fn write_json(&self, file: &str) -> Result<()> {
        let found = self.mutants.iter().filter(|own| own.found.is_some());
        let numbers = [
            ("models", self.models.len() as u64),
            ("model_states", self.states() as u64),
            ("model_ways_replayed", self.replayed() as u64),
            ("mutants", self.mutants.len() as u64),
            ("mutants_found", found.count() as u64),
            ("runs", self.runs()),
            ("walks", self.walks()),
            ("failures", self.failures() as u64),
            ("seconds", self.took.as_secs()),
        ];
        let lines: Vec<_> = numbers
            .iter()
            .map(|(name, number)| format!("  \"{name}\": {number}"))
            .collect();
        let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        if file == "-" {
            print!("{text}");
            return Ok(());
        }
        fs::write(file, text).with_context(|| format!("cannot write {file}"))
    }

    fn states(&self) -> usize {
        self.models.iter().map(|walked| walked.states).sum()
    }

    fn replayed(&self) -> usize {
        self.models.iter().map(|walked| walked.replayed).sum()
    }

    fn runs(&self) -> u64 {
        self.tallies().values().map(|tally| tally.runs).sum()
    }

    fn walks(&self) -> u64 {
        let tallies = self.tallies();
        let walks = tallies.iter().filter(|((id, _), _)| id == "F53");
        walks.map(|(_, tally)| tally.runs).sum()
    }

    /// All lanes together, by id and name.
    fn tallies(&self) -> BTreeMap<(String, String), Tally> {
        let mut all: BTreeMap<_, Tally> = BTreeMap::new();
        for (test, tally) in self.lanes.iter().flat_map(|lane| &lane.tallies) {
            let own = all.entry((test.id.clone(), test.what.clone())).or_default();
            own.runs += tally.runs;
            own.slowest = own.slowest.max(tally.slowest);
        }
        all
    }
}
