//! `cargo xtask ci`: everything that a change must pass.
//!
//! The steps stand in `.ci/run` and nowhere else, so that a build machine and a developer run the
//! same ones; here they run without installing anything.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub(crate) fn run(root: &Path) -> Result<()> {
    let status = Command::new("bash")
        .args([".ci/run", "--no-install"])
        .current_dir(root)
        .status()
        .context("bash could not be started")?;
    ensure!(status.success(), "a step failed ({status})");
    Ok(())
}
