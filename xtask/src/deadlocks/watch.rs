//! One run of a scenario: a process that ends well, ends badly, or is silent for too long.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::dump::Dump;

/// How long those who are asked may take to print what they are doing.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Runs a test in a directory of its own, and gives what is wrong. A test says when a seed begins,
/// so that one which says nothing for longer than `patience` hangs.
pub(super) fn watch(
    mut command: Command,
    place: &Path,
    patience: Duration,
) -> Result<Option<String>> {
    let (journals, printed) = (place.join("journals"), place.join("printed"));
    if journals.exists() {
        fs::remove_dir_all(&journals)?;
    }
    fs::create_dir_all(&journals)?;
    let output = File::create(&printed)?;
    let mut child = command
        .env("TRACTOR_JOURNAL", &journals)
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .spawn()
        .context("the scenarios could not be started")?;
    let is_over = ends(&child, &printed, patience)?;
    if is_over && child.wait()?.success() {
        return Ok(None);
    }
    let dump = Dump::take(child.id(), &journals);
    if !is_over {
        dump.ask();
        wait(&child, ANSWER_WITHIN)?;
        dump.kill();
    }
    let status = child.wait()?;
    let text = dump.text();
    let (hang, graph) = (place.join("hang.txt"), place.join("hang.dot"));
    fs::write(&hang, &text)?;
    fs::write(&graph, dump.graph())?;
    let verdict = if is_over {
        status.to_string()
    } else {
        format!("it hangs: nothing was heard for {patience:?}")
    };
    let said = String::from_utf8_lossy(&fs::read(&printed)?).into_owned();
    let (hang, graph) = (hang.display(), graph.display());
    Ok(Some(format!(
        "{verdict}; it printed:\n{said}\n{text}the same: {hang}, as a graph: {graph}"
    )))
}

/// Whether the process ends before it is silent for so long.
fn ends(child: &Child, printed: &Path, patience: Duration) -> Result<bool> {
    let mut heard = 0;
    loop {
        if wait(child, patience)? {
            return Ok(true);
        }
        let bytes = fs::metadata(printed)?.len();
        if bytes == heard {
            return Ok(false);
        }
        heard = bytes;
    }
}

/// Whether the process ends in that time.
fn wait(child: &Child, within: Duration) -> Result<bool> {
    let pid = Pid::from_child(child);
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from)?;
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec::try_from(left)?)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("wait for a test: {}", io::Error::from(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_noticed() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!wait(&child, Duration::from_millis(20)).unwrap());
        drop(child.stdin.take());
        assert!(wait(&child, Duration::from_secs(20)).unwrap());
        child.wait().unwrap();
    }
}
