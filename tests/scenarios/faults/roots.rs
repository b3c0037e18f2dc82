//! Faults 7 to 9, 14, 36 to 40, 43, 49: whole programs that are killed, stopped, cut off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use tractor_core::process::{Process, Signal};

use crate::chance::Chance;
use crate::dumps::Standing;
use crate::seeds::{each_seed, hold_back};
use crate::support::{self, Program, marked, program, scratch, signal};
use crate::tree::{BOUNDED, hold, ms, note};

fn start(args: &[&str]) -> Program {
    let mut command = program("fault_programs");
    // Whatever this test was told to log.
    command.args(args).env_remove("TRACTOR_LOG");
    Program::start(command)
}

/// A tree that stands until something happens to it, and everybody below its root.
fn stand(place: &Path, chance: &mut Chance) -> (Program, Vec<Process>) {
    let tree = Standing::start(place, chance);
    (tree.program, tree.pids.into_iter().map(hold).collect())
}

fn path_text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("it is a text").to_owned()
}

/// Fault 8. The root is killed. Of two levels below it, with threads asleep, nobody is left in a
/// moment.
#[test]
fn f08_killed_root_leaves_nobody() {
    each_seed("f08_killed_root_leaves_nobody", |chance| {
        let place = scratch();
        let (root, processes) = stand(place.as_ref(), chance);
        hold_back(chance.delay(20));
        let begin = Instant::now();
        signal(root.pid(), Signal::Kill);
        all_are_gone(&processes, begin);
        assert_eq!(root.end().signal(), Some(9));
    });
}

/// All below a root that was killed are gone in a moment.
fn all_are_gone(processes: &[Process], begin: Instant) {
    for process in processes {
        assert!(
            process
                .wait_exited(Some(BOUNDED))
                .expect("it can be waited for")
        );
    }
    let took = begin.elapsed();
    note(&format!(
        "the tree of a killed root was gone after {took:?}"
    ));
    assert!(took < ms(1000), "it took {took:?}");
}

/// Fault 37. What a killed root has left in the place for sockets is removed by the next one that
/// starts there, and what belongs to one that lives is not.
#[test]
fn f37_next_start_removes_what_the_dead_left_and_nothing_of_the_living() {
    let name = "f37_next_start_removes_what_the_dead_left_and_nothing_of_the_living";
    each_seed(name, |chance| {
        let place = scratch();
        let mut both = [(); 2].map(|()| Settled::stand(place.as_ref(), chance));
        chance.shuffle(&mut both);
        let [dead, living] = both;
        hold_back(chance.delay(20));
        signal(dead.root.pid(), Signal::Kill);
        assert_eq!(dead.root.end().signal(), Some(9));
        assert!(dead.dir.exists(), "nobody was there to remove it");

        let before = entries(&living.dir);
        let next = Settled::stand(place.as_ref(), chance);
        assert!(!dead.dir.exists(), "the dead one's is gone");
        assert_eq!(entries(&living.dir), before, "the living one's is there");
        let mut others = living.processes.iter();
        assert!(others.all(|process| process.state().is_some()));
        let mut roots = [living.root, next.root];
        chance.shuffle(&mut roots);
        for root in roots {
            signal(root.pid(), Signal::Terminate);
            assert_eq!(root.end().signal(), Some(15));
        }
        let trees = trees(place.as_ref());
        assert!(trees.is_empty(), "who ends well removes its own: {trees:?}");
    });
}

/// A tree that stands, and where its sockets are.
struct Settled {
    root: Program,
    processes: Vec<Process>,
    dir: PathBuf,
}

impl Settled {
    fn stand(place: &Path, chance: &mut Chance) -> Self {
        let before = trees(place);
        let (root, processes) = stand(place, chance);
        let mut new = trees(place);
        new.retain(|dir| !before.contains(dir));
        assert_eq!(new.len(), 1, "{new:?}");
        let dir = new.remove(0);
        Self {
            root,
            processes,
            dir,
        }
    }
}

/// The directories of trees below a place for sockets.
fn trees(place: &Path) -> Vec<PathBuf> {
    entries(place)
        .iter()
        .flat_map(|trees| entries(trees))
        .collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = found.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Fault 9. The root gets SIGTERM. Every task below it is dropped and not killed, and whoever
/// started the root sees the signal (a shell shows 143).
#[test]
fn f09_terminated_root_ends_its_tree_in_order() {
    each_seed("f09_terminated_root_ends_its_tree_in_order", |chance| {
        let begin = Instant::now();
        let levels = 1 + chance.below(4);
        let mut program = start(&["tidies", &levels.to_string()]);
        program.wait_for("all are busy");
        hold_back(chance.delay(20));
        signal(program.pid(), Signal::Terminate);
        let ended = program.end();
        assert_eq!(ended.signal(), Some(15), "{}", ended.output);
        for level in 1..=levels {
            let line = format!("level {level} has tidied up");
            assert_eq!(ended.output.matches(&line).count(), 1, "{}", ended.output);
        }
        assert!(begin.elapsed() < BOUNDED);
    });
}

/// Fault 14. The root is stopped for longer than its deadlines allow, and goes on later. They see
/// the gap: what had time before has time afterwards, and calls made in that scope are answered.
#[test]
fn f14_stopped_root_finds_its_deadlines_where_it_left_them() {
    let name = "f14_stopped_root_finds_its_deadlines_where_it_left_them";
    each_seed(name, |chance| {
        let mut program = start(&["waits"]);
        program.wait_for("waiting");
        // Long before it could be over.
        hold_back(chance.delay(150));
        let root = hold(program.pid());
        root.signal(Signal::Stop).expect("it is ours");
        while root.state() != Some('T') {
            std::thread::yield_now();
        }
        // Time itself is what is tested: far longer than a busy machine could be late.
        crate::calls::block_thread(2500 + chance.below(500));
        root.signal(Signal::Continue).expect("it is ours");
        let ended = program.end();
        assert!(
            ended.output.contains("finished after 10 calls"),
            "{}",
            ended.output
        );
        assert!(ended.status.success(), "{}", ended.output);
    });
}

/// Fault 36. There is no place for sockets: the directory is missing, cannot be written, or its
/// path is too long. It is said once, and everything works that goes along the links between
/// parents and children; what does not says why.
#[test]
fn f36_tree_without_a_place_for_sockets_works_along_its_links() {
    let name = "f36_tree_without_a_place_for_sockets_works_along_its_links";
    each_seed(name, |chance| {
        let place = scratch();
        // An address has room for 108 bytes.
        let long = "long".repeat(25 + chance.below(38) as usize);
        let long = place.as_ref().join(long);
        fs::create_dir(&long).expect("it is ours");
        let file = place.as_ref().join("file");
        fs::write(&file, "").expect("it is ours");
        let mut bases = [
            "/proc/self/nowhere".to_owned(),
            path_text(&file),
            path_text(&long),
        ];
        chance.shuffle(&mut bases);
        bases.iter().for_each(|base| works_without(base));
    });
}

fn works_without(base: &str) {
    let program = start(&["nowhere", base]);
    let ended = program.end();
    let output = &ended.output;
    assert!(ended.status.success(), "{base}: {output}");
    for line in [
        "listens false",
        "called true",
        "root true",
        "child true",
        "nested true",
    ] {
        assert!(output.contains(line), "{base}: no {line:?} in\n{output}");
    }
    let sibling = output
        .lines()
        .find(|line| line.starts_with("sibling "))
        .unwrap_or_default();
    assert!(
        sibling.contains("'two'") && sibling.contains("listens nowhere"),
        "{output}"
    );
    assert_eq!(
        output.matches("no place for sockets").count(),
        1,
        "{base}: {output}"
    );
}

/// Fault 7, at its edge: the last actor dies with its parent while it starts another, which is
/// stopped before its first act. The root, which nobody could tell of it, leaves when it is reaped;
/// several times, for it is a matter of who is faster.
#[test]
fn f07_root_leaves_nobody_behind_of_whom_it_was_not_told() {
    let name = "f07_root_leaves_nobody_behind_of_whom_it_was_not_told";
    each_seed(name, |chance| {
        for _ in 0..8 {
            let moment = chance.delay(10).as_micros().to_string();
            let mut program = start(&["bereaved", &moment]);
            let orphan = program.wait_for("orphan ").parse();
            let orphan = orphan.expect("it is a number");
            let ended = program.end();
            assert!(ended.status.success(), "{}", ended.output);
            let left = Process::open(orphan).map(|orphan| orphan.state());
            assert!(
                matches!(left, Err(_) | Ok(None)),
                "{left:?}: {}",
                ended.output
            );
        }
    });
}

/// The root cannot listen where far actors would reach it, for one reason or another. It is the
/// start that fails, and says so.
#[test]
fn f32_far_start_below_a_root_that_cannot_listen_fails() {
    let name = "f32_far_start_below_a_root_that_cannot_listen_fails";
    each_seed(name, |chance| {
        let (reason, text) = *chance.pick(&[
            ("EMFILE", "open files"),
            ("ENFILE", "open files in system"),
            ("98", "Address already in use"),
        ]);
        let mut command = program("fault_programs");
        command.arg("unreachable").env_remove("TRACTOR_LOG");
        command.env("TRACTOR_FAULTS", format!("far.root_listens=error:{reason}"));
        let ended = Program::start(command).end();
        assert!(ended.status.success(), "{}", ended.output);
        for part in ["NotSpawned", "'wanted'", "the root cannot listen", text] {
            assert!(
                ended.output.contains(part),
                "no {part:?} in\n{}",
                ended.output
            );
        }
    });
}

/// Fault 38. The wall clock may jump: the runtime does not look at it but for the log's lines.
/// (It cannot be set here without harm to others, so the sources are asked.)
#[test]
fn f38_wall_clock_is_read_for_log_lines_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for part in ["ipc", "core", "discovery", "debug", "nursery"] {
        collect(&root.join(format!("tractor-{part}/src")), &mut sources);
    }
    collect(&root.join("src"), &mut sources);
    assert!(sources.len() > 50, "{} sources", sources.len());
    let words = ["SystemTime", "ClockId::Realtime", "CLOCK_REALTIME"];
    for source in sources {
        let text = fs::read_to_string(&source).expect("it is readable");
        let found = words.iter().find(|word| text.contains(**word));
        let is_log = source.ends_with("tractor-core/src/logging.rs");
        assert!(
            is_log || found.is_none(),
            "{} in {}",
            found.unwrap_or(&""),
            source.display()
        );
    }
}

fn collect(dir: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

/// Fault 39. The number of a dead actor is given to a program that has nothing to do with it.
/// Whatever is asked of the dead one, in whatever order, does not reach that program.
#[test]
fn f39_recycled_pid_is_not_taken_for_the_dead() {
    each_seed("f39_recycled_pid_is_not_taken_for_the_dead", |chance| {
        let namespace = ["--fork", "--pid", "--mount-proc"];
        let mut possible = support::command("unshare");
        possible.args(namespace).arg("true").stderr(Stdio::null());
        if !possible.status().is_ok_and(|status| status.success()) {
            note("no pid namespace can be made here, so no pid can be given again on purpose");
            return;
        }
        let mut ways = ["cancel", "kill", "kill_group", "probe"];
        chance.shuffle(&mut ways);
        let target = program("fault_programs");
        let mut command = support::command("unshare");
        command
            .args(namespace)
            .arg(target.get_program())
            .arg("recycles")
            .args(ways);
        let ended = Program::start(command).end();
        for line in ["recycled true", "probe Gone", "innocent true"] {
            assert!(
                ended.output.contains(line),
                "no {line:?} in\n{}",
                ended.output
            );
        }
        assert!(ended.status.success(), "{}", ended.output);
    });
}

/// Fault 40. SIGCHLD is ignored, so that the system reaps every child and keeps no status. Deaths
/// are seen and told, in whatever order they come, with a status that is lost, and no cancel waits
/// for one.
#[test]
fn f40_deaths_are_told_where_the_system_reaps_by_itself() {
    let name = "f40_deaths_are_told_where_the_system_reaps_by_itself";
    each_seed(name, |chance| {
        let mut turns = ["killed", "cancelled", "grandchild"];
        chance.shuffle(&mut turns);
        let target = program("fault_programs");
        let mut command = support::command("env");
        command
            .arg("--ignore-signal=CHLD")
            .arg(target.get_program())
            .arg("robbed")
            .args(turns);
        let begin = Instant::now();
        let ended = Program::start(command).end();
        assert!(ended.status.success(), "{}", ended.output);
        let told: Vec<_> = ended
            .output
            .lines()
            .filter_map(|line| line.strip_prefix("told "))
            .collect();
        assert_eq!(told.len(), 3, "{}", ended.output);
        for (turn, told) in turns.into_iter().zip(told) {
            let dead = match turn {
                "killed" => "'mortal'",
                "grandchild" => "'grandchild'",
                _ => {
                    assert_eq!(told, "nothing", "a cancel is no failure");
                    continue;
                }
            };
            assert!(
                told.contains(dead) && told.contains("exit status"),
                "{told}"
            );
        }
        assert!(begin.elapsed() < BOUNDED);
    });
}

/// Fault 43. Several trees of one user run the same program with the same names, in the same
/// place. Each finds its own.
#[test]
fn f43_two_trees_find_their_own() {
    each_seed("f43_two_trees_find_their_own", |chance| {
        let place = scratch();
        let mut programs = Vec::new();
        for _ in 0..2 + chance.below(2) {
            programs.push(start(&["looks", &path_text(&place)]));
            hold_back(chance.delay(10));
        }
        for program in &mut programs {
            let line = program.wait_for("ours ");
            let (ours, found) = line.split_once(" found ").expect("it says both");
            assert_eq!(found, format!("[{ours}]"));
        }
        assert_eq!(trees(place.as_ref()).len(), programs.len());
        chance.shuffle(&mut programs);
        for program in programs {
            signal(program.pid(), Signal::Terminate);
            assert_eq!(program.end().signal(), Some(15));
        }
    });
}

/// Fault 49. From some moment on nobody reads the standard output and error any more. The runtime
/// loses its log lines and nothing else: it neither panics nor stops.
#[test]
fn f49_closed_outputs_harm_nobody() {
    each_seed("f49_closed_outputs_harm_nobody", |chance| {
        let (place, others) = (scratch(), scratch());
        let told = others.as_ref().join("told");
        let mut root = Mute::start(place.as_ref(), &told);
        close_outputs(&mut root.0, chance);
        let process = hold(root.0.id());
        assert!(
            process
                .wait_exited(Some(BOUNDED))
                .expect("it can be waited for"),
            "it hangs"
        );
        let status = root.0.wait().expect("nobody else waits for it");
        assert!(status.success(), "{status}");
        let text = fs::read_to_string(&told).expect("it has told what came of it");
        assert_eq!(text, "output true death Some(9)");
        let left = marked(&format!("TRACTOR_TEST_RUN={}", path_text(&place)));
        assert!(left.is_empty(), "it has left the processes {left:?}");
        let trees = trees(place.as_ref());
        assert!(trees.is_empty(), "it has left {trees:?}");
    });
}

/// A root whose outputs the test closes. If the test fails before its end it is killed, and its
/// tree with it.
struct Mute(Child);

impl Mute {
    /// Starts one that has its sockets in `place`, and leaves in the file `told` what comes of it.
    fn start(place: &Path, told: &Path) -> Self {
        let mut command = program("fault_programs");
        command.arg("mute").arg(told).env_remove("TRACTOR_LOG");
        command
            .env("TRACTOR_TEST_RUN", place)
            .env("XDG_RUNTIME_DIR", place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().expect("the program can be started"))
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As `head` does when it has seen enough, of each at a moment of its own. Then its input ends.
fn close_outputs(child: &mut Child, chance: &mut Chance) {
    let mut error_first = chance.coin();
    for _ in 0..2 {
        hold_back(chance.delay(50));
        if error_first {
            drop(child.stderr.take());
        } else {
            drop(child.stdout.take());
        }
        error_first = !error_first;
    }
    drop(child.stdin.take());
}
