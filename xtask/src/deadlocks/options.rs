//! What stands behind the command's name.

use std::num::NonZeroU64;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Only what has this id, and no models.
    pub(super) scenario: Option<String>,
    /// The first seed.
    pub(super) seed: u64,
    /// How many seeds each scenario has, instead of a budget.
    pub(super) iterations: Option<u64>,
    /// For how long real trees are tortured.
    pub(super) budget: Duration,
    /// How long nothing may be heard of a run.
    pub(super) patience: Duration,
    /// How many runs are made at a time, on all cores and on one each.
    pub(super) jobs: u64,
    /// Whether the trees are built with optimizations.
    pub(super) is_optimized: bool,
    /// A bug that is planted in the trees, to see that it is found.
    pub(super) planted: Option<String>,
    pub(super) model_only: bool,
    /// Where the numbers go: a file, or `-`.
    pub(super) json: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scenario: None,
            seed: 1,
            iterations: None,
            budget: Duration::from_secs(60),
            patience: Duration::from_secs(25),
            jobs: 1,
            is_optimized: false,
            planted: None,
            model_only: false,
            json: None,
        }
    }
}

pub(super) fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let (mut has_seed, mut has_budget) = (false, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--scenario" => options.scenario = Some(value()?.to_owned()),
            "--seed" => {
                options.seed = value()?.parse().context("--seed needs a number")?;
                has_seed = true;
            }
            "--iterations" => {
                let number = value()?.parse().context("--iterations needs a number")?;
                options.iterations = Some(number);
            }
            "--budget" => {
                options.budget = seconds(value()?)?;
                has_budget = true;
            }
            "--patience" => options.patience = seconds(value()?)?,
            "--jobs" => {
                let jobs: NonZeroU64 = value()?.parse().context("--jobs needs a number")?;
                options.jobs = jobs.get();
            }
            "--release" => options.is_optimized = true,
            "--planted" => options.planted = Some(value()?.to_owned()),
            "--model-only" => options.model_only = true,
            "--json" => options.json = Some(value()?.to_owned()),
            other => bail!("unknown argument {other}"),
        }
    }
    // Who names a seed wants to see what it does, once.
    if has_seed && !has_budget {
        options.iterations.get_or_insert(1);
    }
    Ok(options)
}

/// `60s`, `2m` or `60`.
fn seconds(text: &str) -> Result<Duration> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(number) => (number, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let number: u64 = number
        .parse()
        .with_context(|| format!("{text} is no time like 60s or 2m"))?;
    Ok(Duration::from_secs(number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        parse(&words)
    }

    #[test]
    fn a_seed_alone_is_run_once() {
        let options = parsed(&["--scenario", "T07", "--seed", "9"]).unwrap();
        assert_eq!((options.seed, options.iterations), (9, Some(1)));
        assert_eq!(options.scenario.as_deref(), Some("T07"));
    }

    #[test]
    fn a_budget_is_a_time() {
        assert_eq!(parsed(&["--budget", "2m"]).unwrap().budget.as_secs(), 120);
        assert_eq!(parsed(&["--budget", "7s"]).unwrap().budget.as_secs(), 7);
        assert!(parsed(&["--budget", "soon"]).is_err());
    }

    #[test]
    fn what_is_unknown_or_has_no_value_is_refused() {
        assert!(parsed(&["--seed"]).is_err());
        assert!(parsed(&["--sed", "1"]).is_err());
        assert!(parsed(&["--jobs", "0"]).is_err());
    }
}
