//! The scenarios, which are tests of this project, each in a process of its own with seed after
//! seed, under a watchdog: on all cores and, beside that, on one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::options::Options;
use super::watch;

/// How many random walks one process takes: they are short, and starting it is not.
const WALKS: u64 = 10;
/// The test targets that are such roots.
const PROGRAMS: [&str; 2] = ["programs", "fault_programs"];
/// The id of the random walks.
const WALK_ID: &str = "F53";

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    pub(super) id: String,
    pub(super) what: String,
    /// What the test binary calls it.
    name: String,
}

/// How often a scenario was run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) slowest: Duration,
}

/// What came of the runs on some cores.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: &'static str,
    pub(super) tallies: BTreeMap<Test, Tally>,
    pub(super) failures: Vec<String>,
}

impl Lane {
    /// Takes in what came of other runs on these cores.
    fn add(&mut self, other: Self) {
        for (test, tally) in other.tallies {
            let ours = self.tallies.entry(test).or_default();
            ours.runs += tally.runs;
            ours.slowest = ours.slowest.max(tally.slowest);
        }
        self.failures.extend(other.failures);
    }
}

/// Runs what is wanted, on all cores and on one at the same time.
pub(super) fn run(root: &Path, options: &Options) -> Result<Vec<Lane>> {
    let built = build(root, options.is_optimized)?;
    let tests = chosen(list(&built.scenarios)?, options)?;
    println!(
        "real trees: {} scenarios, on all cores and on one",
        tests.len()
    );
    // Others may run the same.
    let scratch = format!("runs-{}", std::process::id());
    let scratch = built.scenarios.with_extension(scratch);
    fs::create_dir_all(&scratch)?;
    let done = AtomicU64::new(0);
    let runner = |name, is_pinned| Runner {
        name,
        is_pinned,
        built: &built,
        scratch: &scratch,
        options,
        tests: &tests,
        next: AtomicU64::new(0),
        has_failed: AtomicBool::new(false),
        done: &done,
    };
    let runners = [runner("all cores", false), runner("one core", true)];
    let lanes: Result<Vec<_>> = thread::scope(|scope| {
        let lanes = runners
            .each_ref()
            .map(|runner| scope.spawn(|| runner.run()));
        lanes.into_iter().map(joined).collect()
    });
    let lanes = lanes?;
    if lanes.iter().all(|lane| lane.failures.is_empty()) {
        // What is kept of a failure is for its reader.
        fs::remove_dir_all(&scratch)?;
    }
    Ok(lanes)
}

/// What came of a thread.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let ended = thread.join();
    ended.map_err(|_| anyhow!("a thread of this command panicked"))?
}

/// What is run.
struct Built {
    scenarios: PathBuf,
    /// The roots that some of them start, by the names of their test targets.
    programs: Vec<(&'static str, PathBuf)>,
}

/// Builds the tests, and gives where they are.
fn build(root: &Path, is_optimized: bool) -> Result<Built> {
    println!("real trees: building");
    let output = Command::new("cargo")
        .args(["test", "--workspace", "--no-run"])
        .args(is_optimized.then_some("--release"))
        .args(["--test", "scenarios"])
        .args(PROGRAMS.iter().flat_map(|name| ["--test", name]))
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "the scenarios do not build");
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = |name: &str| {
        let name = format!("\"name\":\"{name}\"");
        let mut lines = text.lines().filter(|line| line.contains(&name));
        let path = lines.find_map(|line| line.split("\"executable\":\"").nth(1));
        let path = path.and_then(|rest| rest.split('"').next());
        path.map(PathBuf::from)
            .with_context(|| format!("cargo does not say where {name} is"))
    };
    let programs = PROGRAMS.iter().map(|name| Ok((*name, executable(name)?)));
    Ok(Built {
        scenarios: executable("scenarios")?,
        programs: programs.collect::<Result<_>>()?,
    })
}

/// What the test binary has.
fn list(program: &Path) -> Result<Vec<Test>> {
    let output = Command::new(program)
        .args(["--list", "--format", "terse"])
        .output()
        .with_context(|| format!("{} could not be started", program.display()))?;
    ensure!(output.status.success(), "the scenarios cannot be listed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(parse).collect())
}

/// `interrupts::t11_what_it_is::case: test` is a scenario; without an id it is another test.
fn parse(line: &str) -> Option<Test> {
    let name = line.strip_suffix(": test")?;
    let parts: Vec<_> = name.split("::").collect();
    let (place, id, what) = parts.iter().enumerate().find_map(|(place, part)| {
        let (id, what) = part.split_once('_')?;
        let (kind, number) = id.split_at_checked(1)?;
        let is_id = ["t", "r", "f", "d"].contains(&kind)
            && number.starts_with(|digit: char| digit.is_ascii_digit());
        is_id.then(|| (place, id.to_uppercase(), what.replace('_', " ")))
    })?;
    // The cases of a scenario are told apart.
    let cases = parts[place + 1..].iter();
    let cases = cases.map(|case| format!(", {}", case.replace('_', " ")));
    Some(Test {
        id,
        what: what + &cases.collect::<String>(),
        name: name.to_owned(),
    })
}

fn chosen(mut tests: Vec<Test>, options: &Options) -> Result<Vec<Test>> {
    if let Some(id) = &options.scenario {
        // A letter is all scenarios of a kind.
        let is_kind = |test: &Test| id.len() == 1 && test.id.starts_with(&id.to_uppercase());
        tests.retain(|test| test.id.eq_ignore_ascii_case(id) || test.name == *id || is_kind(test));
    }
    ensure!(!tests.is_empty(), "no scenario is called so");
    Ok(tests)
}

/// Runs scenarios on some cores.
struct Runner<'a> {
    name: &'static str,
    is_pinned: bool,
    built: &'a Built,
    scratch: &'a Path,
    options: &'a Options,
    tests: &'a [Test],
    /// The number of the next run of this lane.
    next: AtomicU64,
    /// Whether one of them has, which ends the others.
    has_failed: AtomicBool,
    done: &'a AtomicU64,
}

impl Runner<'_> {
    /// Makes as many runs at a time as is wanted.
    fn run(&self) -> Result<Lane> {
        let deadline = Instant::now() + self.options.budget;
        let mut lane = self.lane();
        thread::scope(|scope| {
            let jobs =
                (0..self.options.jobs).map(|job| scope.spawn(move || self.work(job, deadline)));
            let jobs: Vec<_> = jobs.collect();
            for job in jobs {
                lane.add(joined(job)?);
            }
            Ok(lane)
        })
    }

    fn lane(&self) -> Lane {
        Lane {
            name: self.name,
            tallies: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Makes one run after the other, until no more are wanted or one has failed.
    fn work(&self, job: u64, deadline: Instant) -> Result<Lane> {
        if self.is_pinned {
            pin()?;
        }
        let mut lane = self.lane();
        // The lanes begin at different places, and with seeds of their own.
        let stagger = if self.is_pinned {
            self.tests.len() / 2
        } else {
            0
        };
        while !self.has_failed.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let tests = self.tests.len() as u64;
            let (round, place) = (number / tests, (number % tests) as usize);
            let is_wanted = match self.options.iterations {
                Some(count) => round < count,
                None => Instant::now() < deadline,
            };
            if !is_wanted {
                break;
            }
            let test = &self.tests[(place + stagger) % self.tests.len()];
            if let Err(error) = self.run_one(test, round, job, &mut lane) {
                // What the others have found is not lost.
                lane.failures
                    .push(format!("{} was not run: {error:#}", test.id));
            }
            if !lane.failures.is_empty() {
                self.has_failed.store(true, Ordering::Relaxed);
            }
        }
        Ok(lane)
    }

    fn run_one(&self, test: &Test, round: u64, job: u64, lane: &mut Lane) -> Result<()> {
        let single = self.options.iterations.is_some();
        let count = if test.id == WALK_ID && !single {
            WALKS
        } else {
            1
        };
        let lanes = if single { 1 } else { 2 };
        let first =
            self.options.seed + count * (lanes * round + u64::from(self.is_pinned && !single));
        let seeds = match count {
            1 => first.to_string(),
            _ => format!("{first}..{}", first + count - 1),
        };
        let begin = Instant::now();
        let failure = self.watch(test, &seeds, job)?;
        let tally = lane.tallies.entry(test.clone()).or_default();
        tally.runs += count;
        tally.slowest = tally.slowest.max(begin.elapsed() / count as u32);
        if let Some(text) = failure {
            lane.failures.push(self.verdict(test, &seeds, &text));
        }
        self.progress(count, test);
        Ok(())
    }

    /// Runs the test, and gives what is wrong.
    fn watch(&self, test: &Test, seeds: &str, job: u64) -> Result<Option<String>> {
        let mut command = Command::new(&self.built.scenarios);
        command
            .args(["--exact", &test.name, "--test-threads", "1"])
            .env("TRACTOR_SEEDS", seeds);
        for (name, path) in &self.built.programs {
            command.env(format!("TRACTOR_BUILT_{}", name.to_uppercase()), path);
        }
        if let Some(bug) = &self.options.planted {
            command.env("TRACTOR_PLANTED", bug);
        }
        let place = format!("{}-{job}", self.name.replace(' ', "-"));
        let place = self.scratch.join(place);
        watch::watch(command, &place, self.options.patience)
    }

    /// A failure, with the one command that shows it again.
    fn verdict(&self, test: &Test, seeds: &str, text: &str) -> String {
        let Test { id, what, name } = test;
        // Each seed is told when it begins.
        let seed = text.rsplit_once(", seed ").map(|(_, rest)| rest);
        let seed = seed.and_then(|rest| rest.split_whitespace().next());
        let seed = seed.unwrap_or_else(|| seeds.split("..").next().unwrap_or(seeds));
        let planted = self.options.planted.as_ref();
        let planted = planted.map_or_else(String::new, |bug| format!(" --planted {bug}"));
        let release = if self.options.is_optimized {
            " --release"
        } else {
            ""
        };
        format!(
            "{id} ({what}), seed {seed}\n{text}\nagain with:\n    \
             cargo xtask test-deadlocks --scenario {name} --seed {seed}{release}{planted}"
        )
    }

    fn progress(&self, count: u64, test: &Test) {
        let before = self.done.fetch_add(count, Ordering::Relaxed);
        let done = before + count;
        if io::stdout().is_terminal() {
            print!("\r\x1b[K  {done} runs, {}", test.id);
            // A terminal that is gone is no reason to stop.
            let _ = io::stdout().flush();
        } else if before / 100 != done / 100 {
            println!("  {done} runs");
        }
    }
}

/// Keeps this thread, and all processes that it starts, on one core.
fn pin() -> Result<()> {
    let allowed = sched_getaffinity(None).map_err(io::Error::from)?;
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
    let mut only = CpuSet::new();
    only.set(first.context("there is a core to run on")?);
    sched_setaffinity(None, &only).map_err(io::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_known_by_its_id() {
        let test = parse("t07_cancel_ack_races_death: test").unwrap();
        assert_eq!(
            (test.id.as_str(), test.what.as_str()),
            ("T07", "cancel ack races death")
        );
        let test = parse("interrupts::t11_interrupt_ends::case_2_late: test").unwrap();
        assert_eq!(test.id, "T11");
        assert_eq!(test.what, "interrupt ends, case 2 late");
        assert_eq!(test.name, "interrupts::t11_interrupt_ends::case_2_late");
        let test = parse("t45_stream_ends::case_01_early::debug_2_true: test").unwrap();
        assert_eq!(test.what, "stream ends, case 01 early, debug 2 true");
    }

    #[test]
    fn what_has_no_id_is_no_scenario() {
        assert!(parse("every_id_is_listed_once: test").is_none());
        assert!(parse("t07_x: benchmark").is_none());
        assert!(parse("3 tests, 0 benchmarks").is_none());
    }
}
