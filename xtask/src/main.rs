//! The commands of the project itself: `cargo xtask COMMAND`.
//!
//! Each command is one file with a `run`; this one only parses and matches.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: it prints, starts other programs and exits with a code"
)]

mod bench;
mod ci;
mod deadlocks;
mod examples;
mod pty;
mod record;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const HELP: &str = "\
The commands of the project: cargo xtask COMMAND

  ci                 everything that a change must pass, as on a build machine
  tidy               the rules of the source tree that no compiler checks
  examples [NAME]..  runs the examples and compares their output with examples/NAME.out
  bench [--json FILE | --plot SVG] [--strict] [NAME]..
                     measures speed beside what the operating system can do at best
                     --json FILE   writes one flat object of numbers (`-`: standard output)
                     --strict      a missed target is a failure too
  record SVG         draws a session with the debugger, as docs/session.svg has it
  test-deadlocks [--scenario ID] [--seed N] [--iterations N] [--budget 60s]
                 [--jobs N] [--release] [--patience 25s] [--planted BUG] [--model-only]
                 [--json FILE]
                     walks models of the lock and the ladders, and tortures real trees
                     --scenario ID  only this one (T07, F53 for random walks, D for all of
                                    the terminal), and no models
                     --seed N       this seed, once, or the first of several
                     --iterations N so many seeds each, instead of a time
                     --budget 2m    for how long real trees are tortured (default 60s)
                     --jobs N       so many runs at a time on all cores, and as many on one
                     --release      real trees of an optimized build
                     --patience 25s after what silence a run counts as a hang
                     --planted BUG  in the trees, to see it found: loss-releases-nothing,
                                    ladder-forgets-waiters, cancel-waits-for-the-terminal
                     --model-only   only the models and the planted bugs
                     --json FILE    writes one flat object of numbers (`-`: standard output)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        print!("{HELP}");
        bail!("no command given");
    };
    match (command.as_str(), rest) {
        // First, because the benchmark times how soon this process answers.
        (bench::PEER_COMMAND, [role, cpu]) => bench::peer::run(role, cpu),
        (bench::ROOT_COMMAND, []) => bench::runtime::orphans::be_root(),
        (bench::DEBUGGED_COMMAND, [what]) => bench::runtime::prompts::be_debugged(what),
        // The actors that it starts come this way too, and go no further than `tractor::run`.
        ("bench", rest) => {
            tractor::run(tractor::Options::default(), async || bench::run(rest).await)
        }
        ("ci", []) => ci::run(&root()?),
        ("examples", names) => examples::run(&root()?, names),
        ("test-deadlocks", rest) => deadlocks::run(&root()?, rest),
        ("record", [picture]) => record::run(&root()?, picture),
        ("tidy", []) => tidy::run(&root()?),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("unknown command or argument: {}\n\n{HELP}", args.join(" ")),
    }
}

/// The root of the workspace: the folder above this package.
fn root() -> Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().context("xtask must lie in a workspace")?;
    Ok(root.to_owned())
}
