//! `cargo xtask examples`: runs the examples and compares what they print.
//!
//! Beside `examples/NAME.rs` stands `examples/NAME.out`, the expected standard output. In it,
//! `<...>` matches any text within a line that is not empty: a pid, a time, an address. An example
//! without such a file says why in its header (tidy sees to it) and is not run here.

mod pattern;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The longest that an example may run: far above what any needs, and it ends a hang.
const RUN_MAX: Duration = Duration::from_secs(60);

pub(crate) fn run(root: &Path, names: &[String]) -> Result<()> {
    let names = if names.is_empty() {
        with_output(root)?
    } else {
        names.to_vec()
    };
    ensure!(
        !names.is_empty(),
        "no example has its output stored: nothing would be compared"
    );
    let built = Command::new("cargo")
        // As the tests build them, so that nothing is built twice.
        .args(["build", "--workspace", "--examples"])
        .current_dir(root)
        .status()
        .context("cargo could not be started")?;
    ensure!(built.success(), "the examples do not build");

    let mut failures = 0;
    for name in &names {
        let started = Instant::now();
        match compare(root, name) {
            Ok(()) => println!(
                "example {name} ... ok ({} ms)",
                started.elapsed().as_millis()
            ),
            Err(error) => {
                failures += 1;
                println!("example {name} ... FAILED\n{error:#}");
            }
        }
    }
    println!("{} passed, {failures} failed", names.len() - failures);
    ensure!(failures == 0, "examples do not print what they should");
    Ok(())
}

/// The examples that have their output stored, in order of name.
fn with_output(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = root.join("examples");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "out") {
            names.extend(
                path.file_stem()
                    .and_then(|name| name.to_str())
                    .map(str::to_owned),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn compare(root: &Path, name: &str) -> Result<()> {
    let path = root.join("examples").join(format!("{name}.out"));
    let expected =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let program = target.join("debug/examples").join(name);
    // A file takes any amount of it without blocking the example.
    let errors_path = target.join("debug/examples").join(format!("{name}.stderr"));
    let errors = File::create(&errors_path)?;
    let child = Command::new(&program)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let result = wait(child, RUN_MAX).and_then(|output| pattern::compare(&expected, &output));
    let errors = fs::read_to_string(&errors_path).unwrap_or_default();
    result.map_err(|error| anyhow!("{error:#}\nits standard error:\n{errors}"))
}

/// Gives what the example printed, once it and all that hold its output have ended.
fn wait(mut child: Child, run_max: Duration) -> Result<String> {
    let output = read_to_end(&mut child, run_max);
    if output.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let output = output?;
    ensure!(
        status.success(),
        "it ended with {status}, having printed:\n{output}"
    );
    Ok(output)
}

fn read_to_end(child: &mut Child, run_max: Duration) -> Result<String> {
    let mut pipe = child.stdout.take().context("the output is a pipe")?;
    let deadline = Instant::now() + run_max;
    let mut output = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ready = {
            let mut fds = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
            poll(&mut fds, Some(&Timespec::try_from(left)?)).map_err(io::Error::from)?
        };
        let text = || String::from_utf8_lossy(&output).into_owned();
        if ready == 0 {
            bail!(
                "it still runs after {run_max:?}, having printed:
{}",
                text()
            );
        }
        let mut block = [0; 4096];
        match pipe.read(&mut block)? {
            0 => return Ok(text()),
            count => output.extend_from_slice(&block[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn output_is_given_whole_when_the_program_succeeds() {
        assert_eq!(wait(shell("echo a; echo b"), RUN_MAX).unwrap(), "a\nb\n");
    }

    #[test]
    fn a_failing_program_is_an_error_with_its_output() {
        let error = wait(shell("echo a; exit 3"), RUN_MAX)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.ends_with("a\n"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let error = wait(shell("exec tail -f /dev/null"), Duration::from_millis(50));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("it still runs after 50ms"), "{error}");
    }
}
