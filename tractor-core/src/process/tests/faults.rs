//! Faults that were asked for.

use super::*;
use crate::process::{SpawnError, census};

/// Role: tells what becomes of three starts in a row.
pub(super) fn start() {
    crate::fault::start();
    for _ in 0..3 {
        let text = match spawn_blocking(shell("exit 0")) {
            Ok(spawned) => reap(&spawned.process).to_string(),
            Err(SpawnError::ProcessLimit) => "process limit".into(),
            Err(error) => error.to_string(),
        };
        tell(&text);
    }
    assert_eq!(census::zombie_children(&[std::process::id()]), []);
    tell("end");
}

/// Role: tells how many of ten bytes it may write, three times, the last under another name.
pub(super) fn write() {
    for _ in 0..2 {
        tell(&format!("{} bytes", crate::fault!("test.write", short, 10)));
    }
    crate::fault::set_actor_name("renamed");
    tell(&format!("{} bytes", crate::fault!("test.write", short, 10)));
}

fn check(plan: &str, expected: &[&str]) -> ExitStatus {
    check_role("faulty-starter", plan, expected)
}

fn check_role(role: &str, plan: &str, expected: &[&str]) -> ExitStatus {
    let (_link, mut spec) = role_spec(role);
    spec.env.push(("TRACTOR_FAULTS".into(), Some(plan.into())));
    spec.stderr = StdioSpec::Null;
    let (process, mut output) = super::start(spec);
    let all: Vec<_> = std::iter::from_fn(|| told(&mut output)).collect();
    assert_eq!(all, expected, "{plan}");
    reap(&process)
}

const FINE: &str = "exited with code 0";

#[test]
fn a_refused_fork_is_a_process_limit_and_the_next_start_is_fine() {
    check(
        "spawn.exec@2=error:EAGAIN",
        &[FINE, "process limit", FINE, "end"],
    );
}

#[test]
fn a_process_without_a_descriptor_is_killed_and_reaped() {
    let refused = "too many files are open (RLIMIT_NOFILE or fs.file-max)";
    check(
        "spawn.pidfd@*=error:EMFILE",
        &[refused, refused, refused, "end"],
    );
}

#[test]
fn a_plan_for_another_actor_does_nothing() {
    check(
        "spawn.exec@*#other=error:EAGAIN",
        &[FINE, FINE, FINE, "end"],
    );
    let limit = "process limit";
    check(
        "spawn.exec@*#faulty-starter=error:EAGAIN",
        &[limit, limit, limit, "end"],
    );
}

#[test]
fn a_write_is_cut_short_at_its_time_and_by_its_actor() {
    let bytes = ["10 bytes", "3 bytes", "10 bytes"];
    check_role("faulty-writer", "test.write@2=short:3", &bytes);
    let bytes = ["10 bytes", "10 bytes", "4 bytes"];
    check_role(
        "faulty-writer",
        "test.write#renamed=short:4; test.write@3=short:9",
        &bytes,
    );
    check_role("faulty-writer", "test.write@*=short:99", &["10 bytes"; 3]);
}

#[test]
fn a_point_refuses_what_it_cannot_do() {
    let status = check_role("faulty-writer", "test.write=error:EIO", &[]);
    assert_eq!(status, ExitStatus::Exited(101));
}

#[test]
fn a_process_can_be_killed_made_to_exit_and_delayed_at_a_point() {
    let status = check("spawn.after_exec@2=kill", &[FINE]);
    assert_eq!(
        status,
        ExitStatus::Signaled {
            signal: 9,
            core_dumped: false
        }
    );
    assert_eq!(
        check("spawn.before_exec=exit:7", &[]),
        ExitStatus::Exited(7)
    );
    check("spawn.before_exec=delay:10ms", &[FINE, FINE, FINE, "end"]);
}

#[test]
fn a_child_that_is_killed_at_boot_closes_its_link() {
    for point in ["boot.detected", "boot.entered"] {
        let (mut link, mut spec) = role_spec("child");
        let plan = format!("{point}#child=kill");
        spec.env.push(("TRACTOR_FAULTS".into(), Some(plan.into())));
        let (process, _output) = super::start(spec);
        assert_eq!(link.line(), "", "the link ends");
        assert_eq!(
            reap(&process),
            ExitStatus::Signaled {
                signal: 9,
                core_dumped: false
            }
        );
    }
}

#[test]
fn a_bad_plan_is_refused_at_the_start() {
    assert_eq!(check("spawn.exec=explode", &[]), ExitStatus::Exited(101));
}
