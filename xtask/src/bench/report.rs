//! The numbers of one run: as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Result, ensure};

use super::catalogue::{ROWS, Row, Target, row_of};

#[derive(Debug, Default)]
pub(crate) struct Report {
    values: BTreeMap<&'static str, f64>,
}

impl Report {
    /// Takes a number in, if it is one: zero or infinity mean that nothing was measured.
    pub(crate) fn add(&mut self, name: &'static str, value: f64) -> Result<()> {
        row_of(name)?;
        ensure!(
            value.is_finite() && value > 0.0,
            "{name} came out as {value}"
        );
        self.values.insert(name, value);
        Ok(())
    }

    /// One flat object, in the order of the catalogue, ended by a line break.
    pub(crate) fn json(&self) -> String {
        let lines: Vec<String> = self
            .rows()
            .map(|(row, value)| format!("  \"{}\": {value}", row.name))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }

    /// The names that have a target and do not reach it.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        self.rows()
            .filter(|(row, value)| self.is_met(row, *value) == Some(false))
            .map(|(row, _)| row.name)
            .collect()
    }

    fn rows(&self) -> impl Iterator<Item = (&'static Row, f64)> {
        ROWS.iter()
            .filter_map(|row| Some((row, *self.values.get(row.name)?)))
    }

    fn ratio(&self, row: &Row, value: f64) -> Option<f64> {
        Some(value / self.values.get(row.base?)?)
    }

    /// Whether the target is met, where there is one and its base was measured.
    fn is_met(&self, row: &Row, value: f64) -> Option<bool> {
        let judged = if row.base.is_some() {
            self.ratio(row, value)?
        } else {
            value
        };
        Some(row.target?.is_met(judged))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:26} {:>11} {:>8} {:>12}        what",
            "name", "value", "ratio", "target"
        )?;
        for (row, value) in self.rows() {
            let ratio = self
                .ratio(row, value)
                .map_or_else(String::new, |it| format!("{it:.2}"));
            let mut target = String::new();
            if let Some(bound) = row.target {
                let (sign, bound) = match bound {
                    Target::AtMost(bound) => ('≤', bound),
                    Target::AtLeast(bound) => ('≥', bound),
                };
                match row.base {
                    Some(_) => write!(target, "{sign} {bound} ×")?,
                    None => write!(target, "{sign} {}", row.unit.show(bound))?,
                }
            }
            let verdict = match self.is_met(row, value) {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            let value = row.unit.show(value);
            let about = row.about;
            writeln!(
                f,
                "{:26} {value:>11} {ratio:>8} {target:>12} {verdict:6} {about}",
                row.name
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(values: &[(&'static str, f64)]) -> Report {
        let mut report = Report::default();
        for (name, value) in values {
            report.add(name, *value).unwrap();
        }
        report
    }

    #[test]
    fn json_is_one_flat_object_of_numbers() {
        let report = report(&[("rpc_rtt_s", 0.000_006), ("raw_unix_rtt_s", 0.000_041_5)]);
        assert_eq!(
            report.json(),
            "{\n  \"raw_unix_rtt_s\": 0.0000415,\n  \"rpc_rtt_s\": 0.000006\n}\n"
        );
    }

    #[test]
    fn a_target_is_judged_by_the_ratio_where_there_is_a_base() {
        let slow = [
            ("raw_unix_rtt_s", 40e-6),
            ("rpc_rtt_s", 20e-6),
            ("tree_3x3_s", 0.09),
        ];
        assert_eq!(report(&slow).missed(), ["rpc_rtt_s"]);
        let fast = [
            ("raw_unix_rtt_s", 40e-6),
            ("rpc_rtt_s", 6e-6),
            ("tree_3x3_s", 0.2),
        ];
        assert_eq!(report(&fast).missed(), ["tree_3x3_s"]);
    }

    #[test]
    fn without_its_base_a_target_is_not_judged() {
        assert!(report(&[("rpc_rtt_s", 1.0)]).missed().is_empty());
    }

    #[test]
    fn the_table_shows_ratio_target_and_verdict() {
        let table = report(&[("raw_unix_rtt_s", 40e-6), ("rpc_rtt_s", 20e-6)]).to_string();
        let line = table.lines().last().unwrap();
        assert_eq!(
            line.split_whitespace().take(8).collect::<Vec<_>>(),
            [
                "rpc_rtt_s",
                "20.00",
                "µs",
                "0.50",
                "≤",
                "0.25",
                "×",
                "MISSED"
            ]
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut report = Report::default();
        assert!(report.add("rpc_rtt_s", f64::INFINITY).is_err());
        assert!(report.add("rpc_rtt_s", 0.0).is_err());
        assert!(report.add("rpc_rtt_ms", 1.0).is_err());
    }
}
