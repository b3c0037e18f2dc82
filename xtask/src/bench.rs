//! `cargo xtask bench`: speed, beside what the operating system can do at best.
//!
//! Absolute times say little about another machine, so the same run measures plain sockets and
//! plain processes too, and the runtime is judged by its ratio to them. A measurement is one
//! function in a file of its own; `raw` lists those of the plain side and `runtime` those of
//! tractor. [`catalogue`] says for every name what it means and what is to be reached.
//!
//! All of it runs in the root of a tree of actors. The plain side takes no notice of that: the
//! runtime's threads sleep while nobody calls.

pub(crate) mod catalogue;
mod machine;
pub(crate) mod peer;
mod plot;
mod raw;
mod report;
pub(crate) mod runtime;
mod scaling;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use futures::future::LocalBoxFuture;

use self::machine::Machine;
use self::report::Report;

/// The hidden command under which the benchmark starts this program as a second process.
pub(crate) const PEER_COMMAND: &str = "bench-peer";

/// The hidden command under which it starts this program as the root of another tree.
pub(crate) const ROOT_COMMAND: &str = "bench-root";

/// The hidden command under which it starts this program as a root that is debugged.
pub(crate) const DEBUGGED_COMMAND: &str = "bench-debugged";

/// Measures one thing, several times if need be, and gives one number in the catalogue's unit.
#[derive(Clone, Copy)]
enum Measure {
    /// Of plain processes and sockets.
    Plain(fn(&Machine) -> Result<f64>),
    /// Of actors below this one.
    InTree(fn() -> LocalBoxFuture<'static, Result<f64>>),
}

/// A measurement and its name in the catalogue.
type Measurement = (&'static str, Measure);

/// Every measurement, in the order in which they run.
const MEASUREMENTS: [&[Measurement]; 2] = [&raw::MEASUREMENTS, &runtime::MEASUREMENTS];

#[derive(Debug, Default, PartialEq)]
struct Options {
    json: Option<String>,
    plot: Option<String>,
    strict: bool,
    names: Vec<String>,
}

pub(crate) async fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    let machine = Machine::look()?;
    eprintln!("{machine}");
    if let Some(path) = &options.plot {
        let lines = scaling::measure(&machine).await?;
        return plot::draw(path.as_ref(), &machine.to_string(), &lines);
    }

    let mut report = Report::default();
    let mut failures = Vec::new();
    for (name, measure) in chosen(&options.names)? {
        eprintln!("measuring {name}");
        let measured = match measure {
            Measure::Plain(measure) => measure(&machine),
            Measure::InTree(measure) => measure().await,
        };
        match measured {
            Ok(value) => report.add(name, value)?,
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }

    match options.json.as_deref() {
        Some("-") => {
            eprint!("{report}");
            print!("{}", report.json());
        }
        Some(path) => {
            print!("{report}");
            fs::write(path, report.json()).with_context(|| format!("cannot write {path}"))?;
        }
        None => print!("{report}"),
    }
    ensure!(
        failures.is_empty(),
        "not measured:\n{}",
        failures.join("\n")
    );
    let missed = report.missed();
    ensure!(
        !options.strict || missed.is_empty(),
        "missed: {}",
        missed.join(", ")
    );
    Ok(())
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => options.json = Some(args.next().context("--json needs a file")?.clone()),
            "--plot" => options.plot = Some(args.next().context("--plot needs a file")?.clone()),
            "--strict" => options.strict = true,
            flag if flag.starts_with('-') => bail!("unknown option {flag}"),
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(options)
}

/// The measurements of these names, with those that they are compared with; all if none is given.
fn chosen(names: &[String]) -> Result<Vec<Measurement>> {
    let all = || MEASUREMENTS.into_iter().flatten().copied();
    if names.is_empty() {
        return Ok(all().collect());
    }
    let mut wanted = Vec::new();
    for name in names {
        ensure!(
            all().any(|(known, _)| known == name),
            "nothing measures {name}"
        );
        wanted.push(name.as_str());
        wanted.extend(catalogue::row_of(name)?.base);
    }
    Ok(all().filter(|(name, _)| wanted.contains(name)).collect())
}

/// The middle value; `None` of nothing.
fn median(values: Vec<f64>) -> Option<f64> {
    percentile(values, 0.5)
}

/// The value that this share of the values does not exceed; `None` of nothing.
fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn options_and_names_may_be_mixed() {
        let options = parse(&strings(&["raw_unix_rtt_s", "--json", "-", "--strict"])).unwrap();
        let json = Some("-".to_owned());
        assert_eq!(
            options,
            Options {
                json,
                plot: None,
                strict: true,
                names: strings(&["raw_unix_rtt_s"])
            }
        );
    }

    #[test]
    fn a_forgotten_file_and_an_unknown_option_are_refused() {
        assert!(parse(&strings(&["--json"])).is_err());
        assert!(parse(&strings(&["--plot"])).is_err());
        assert!(parse(&strings(&["--jsn", "x"])).is_err());
    }

    #[test]
    fn every_measurement_is_in_the_catalogue_once() {
        let mut names: Vec<&str> = MEASUREMENTS
            .into_iter()
            .flatten()
            .map(|(name, _)| *name)
            .collect();
        for name in &names {
            catalogue::row_of(name).unwrap();
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(chosen(&strings(&["raw_unix_rtt_ms"])).is_err());
        assert_eq!(chosen(&strings(&["raw_unix_rtt_s"])).unwrap().len(), 1);
    }

    #[test]
    fn the_median_is_the_middle_value_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
        let hundred = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(hundred, 0.99), Some(100.0));
    }
}
