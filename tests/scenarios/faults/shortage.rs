//! Faults 31, 32, 47: no descriptors left, far too many bytes, a value that cannot be written.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::ClockId;
use serde::ser::{Error as _, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tractor::{Address, Ending, current_actor, find_actor, open_nursery};
use tractor_core::process::Process;
use tractor_core::process::census::open_fds;

use super::birth::{assert_no_child, near_or_far};
use super::odd_deaths::command;
use super::raw::{address, answers_a_ping, garbage, peer, raw};
use crate::calls::{die, echo, idle, pid};
use crate::chance::Chance;
use crate::tree::{BOUNDED, PROMPT, assert_alone, exited, ms, within};

/// Leaves this process so many descriptors that it may still open, as long as it lives.
struct Shortage(Rlimit);

impl Shortage {
    fn leave(free: usize) -> Self {
        let before = getrlimit(Resource::Nofile);
        let taken: Vec<_> = open_fds()
            .expect("a process may list its descriptors")
            .iter()
            .map(|fd| fd.number as u64)
            .collect();
        // The kernel gives the lowest number that is free, below the limit.
        let numbers = (0..).filter(|number| !taken.contains(number));
        let limit = numbers
            .take(free + 1)
            .last()
            .expect("there are numbers without end");
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(limit),
                ..before
            },
        )
        .expect("it may be lowered");
        Self(before)
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).expect("it may be raised again");
    }
}

/// Does something with so few descriptors left, from its beginning or after so many microseconds of
/// it.
async fn short_of_descriptors<F: Future>(free: usize, after: u64, done: F) -> F::Output {
    // The executor takes some of its own with its first timer, perhaps in the midst of this.
    async_std::task::sleep(ms(1)).await;
    if after == 0 {
        let _shortage = Shortage::leave(free);
        return done.await;
    }
    let shortage = async {
        async_std::task::sleep(Duration::from_micros(after)).await;
        Shortage::leave(free)
    };
    let (shortage, done) = futures::join!(shortage, done);
    drop(shortage);
    done
}

/// When the descriptors run short: at the beginning, or in the midst of what takes so long.
fn onset(chance: &mut Chance, micros: u64) -> u64 {
    match chance.coin() {
        true => 0,
        false => 1 + chance.below(micros),
    }
}

/// Fault 31. An actor has no descriptor for a connection that waits. It does not spin, its old
/// links live, and when it has one again the connection is accepted. In the root, whose listener
/// must be closed at the end all the same.
pub(crate) async fn f31_accept_without_descriptors_waits_and_does_not_spin(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let ours = current_actor()?.address().expect("the root listens");
        let shortage = Shortage::leave(1);
        // The one that is left is this end of it. Others wait behind it.
        let waiting = raw(&ours);
        let visit = visit(ours.clone(), chance.below(4));
        let visiting = async_std::task::spawn(worker.run(visit));
        let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
        let time = ms(400) + chance.delay(200);
        async_std::task::sleep(time).await;
        let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime) - cpu;
        let used = Duration::try_from(used).expect("time goes on");
        assert!(used < time / 4, "it used {used:?} of {time:?}");
        let bytes = garbage(&mut chance, 1000);
        assert_eq!(worker.run(echo(bytes.clone())).await?, bytes);
        // The first may be gone before there is a descriptor for it.
        let waiting = chance.coin().then_some(waiting);
        drop(shortage);
        visiting.await?;
        drop(waiting);
        answers_a_ping(peer(&ours).await).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Connects so many times at once, and has each connection answer.
#[tractor::rpc]
async fn visit(address: Address, visitors: u64) {
    let visits = (0..visitors).map(|_| {
        let address = address.clone();
        async move { answers_a_ping(peer(&address).await).await }
    });
    join_all(visits).await;
}

/// Fault 32. An actor starts others with one descriptor after the other less than it needs. Each
/// start fails and says why, or works; none hangs, and nothing is half started.
pub(crate) async fn f32_start_without_descriptors_fails_whole(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        assert_eq!(middle.run(start_with(100, 0)).await?, "started");
        let mut all: Vec<usize> = (0..12).collect();
        // Those that cannot work, then those that may.
        let (few, more) = all.split_at_mut(2);
        chance.shuffle(few);
        chance.shuffle(more);
        let mut outcomes = vec![String::new(); all.len()];
        for free in all {
            let after = if free < 2 {
                0
            } else {
                onset(&mut chance, 10_000)
            };
            let begin = Instant::now();
            outcomes[free] = middle.run(start_with(free, after)).await?;
            within(begin, BOUNDED, "a start with few descriptors");
        }
        assert!(outcomes[0].contains("was not started"), "{outcomes:#?}");
        let failed = outcomes
            .iter()
            .take_while(|outcome| *outcome != "started")
            .count();
        assert!(failed >= 2, "{outcomes:#?}");
        assert_eq!(middle.run(start_with(100, 0)).await?, "started");
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// What comes of a start with so many descriptors left, after so many microseconds.
#[tractor::rpc]
async fn start_with(free: usize, after: u64) -> tractor::Result<String> {
    let outcome: tractor::Result<String> = open_nursery(async |nursery| {
        let start = nursery.start_actor("wanted").into_future();
        match short_of_descriptors(free, after, start).await {
            Ok(wanted) => {
                wanted.cancel_actor().await?;
                tractor::Ok("started".to_owned())
            }
            Err(error) => {
                let (not_spawned, died) = (
                    matches!(error.ending(), Ending::NotSpawned { .. }),
                    error.is_death(),
                );
                assert!(not_spawned || died, "{error}");
                tractor::Ok(error.to_string())
            }
        }
    })
    .await;
    assert_no_child();
    outcome
}

/// Fault 32. An actor without descriptors looks another up. It is told that it cannot; the other
/// one is not taken for dead, and everybody finds it afterwards.
pub(crate) async fn f32_lookup_without_descriptors_forgets_nobody(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let wanted = nursery.start_actor("wanted").await?;
        let mut all = [0, 1, 2];
        chance.shuffle(&mut all);
        for free in all {
            // With none or one it may find it.
            let after = onset(&mut chance, 2000);
            let found = asker.run(find_with(free, after)).await;
            let is_found = matches!(found, Ok(Some(pid)) if pid == wanted.pid());
            assert!(is_found || free < 2, "{free} were free: {found:?}");
            let found = find_actor("wanted").await?.expect("it is there");
            assert_eq!(found.run(pid()).await?, wanted.pid());
        }
        assert_eq!(asker.run(find_with(100, 0)).await?, Some(wanted.pid()));
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn find_with(free: usize, after: u64) -> tractor::Result<Option<u32>> {
    let finding = async {
        match find_actor("wanted").await? {
            Some(found) => found.run(pid()).await.map(Some),
            None => Ok(None),
        }
    };
    short_of_descriptors(free, after, finding).await
}

/// Fault 32. A child dies while its parent has no descriptor left, or is losing the last. Its death
/// is dealt with, and the programs that it had started end with its group.
pub(crate) async fn f32_death_without_descriptors_is_dealt_with(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let programs = 1 + chance.below(3);
        let lose = lose_a_child(programs, onset(&mut chance, 2000));
        for foreign in middle.run(lose).await? {
            if let Ok(process) = Process::open(foreign) {
                exited(process, PROMPT).await;
            }
        }
        middle.cancel_actor().await
    })
    .await?;
    // What it had started came to the root, which leaves a stranger's zombie to whoever knows it.
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    assert_alone();
    Ok(())
}

/// Starts a child that starts so many programs, kills the child with no descriptor left after so
/// many microseconds, and gives the pids of the programs.
#[tractor::rpc]
async fn lose_a_child(programs: u64, after: u64) -> tractor::Result<Vec<u32>> {
    let mut foreign = Vec::new();
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let child = nursery.start_actor("mortal").await?;
        for _ in 0..programs {
            foreign.push(child.run(start_program()).await?);
        }
        short_of_descriptors(0, after, child.run(die()))
            .await
            .map(drop)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    Ok(foreign)
}

#[tractor::rpc]
async fn start_program() -> u32 {
    command("sleep")
        .arg("100")
        .spawn()
        .expect("sleep is there")
        .id()
}

/// Fault 32. The root has no descriptor left when an actor below a child is started, so it cannot
/// watch it. When it has one again it does: the orphan of an actor that is killed then, or was
/// before, is seen to its end.
pub(crate) async fn f32_orphan_that_could_not_be_watched_is_reaped(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let mut shortage = Some(Shortage::leave(0));
        async_std::task::spawn(middle.run(start_idle()));
        let below = tractor::wait_for_actor("below");
        let waiting = async_std::future::timeout(ms(300), below).await;
        assert!(waiting.is_err() || waiting.is_ok_and(|found| found.is_err()));
        if chance.coin() {
            drop(shortage.take());
            chance.pause(150).await;
        }
        let ended = middle.run(die()).await.map(drop);
        chance.pause(50).await;
        drop(shortage);
        ended
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").origin().name(), "middle");
    within(begin, BOUNDED, "the end of an orphan that was not watched");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_idle() -> tractor::Result<()> {
    open_nursery(async |nursery| nursery.start_actor("below").await?.run(idle()).await).await
}

/// Fault 47. A function fails with, or panics with, a hundred megabytes of text. What arrives is
/// the beginning of it, with the name of its type and how much there was more.
pub(crate) async fn f47_enormous_error_arrives_cut_short(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    // Where it is cut, there may be the midst of a letter.
    let text = Long {
        before: chance.below(4) as usize,
        letter: *chance.pick(&['é', '€', '😀']),
        bytes: (100 << 20) - chance.below(8 << 20) as usize,
    };
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let begin = Instant::now();
        let (fails, panics) = (worker.run(fail_with(text)), worker.run(panic_with(text)));
        let (failed, panicked) = if chance.coin() {
            (fails.await, panics.await)
        } else {
            let panicked = panics.await;
            (fails.await, panicked)
        };
        let failed = failed.expect_err("it fails");
        let Ending::Failed(user) = failed.ending() else {
            panic!("it has failed")
        };
        assert!(
            user.type_name().contains("Enormous"),
            "{}",
            user.type_name()
        );
        let panicked = panicked.expect_err("it panics");
        assert!(panicked.is_panic());
        for error in [&failed, &panicked] {
            let text = error.to_string();
            assert!(text.len() < 4 << 20, "{} bytes", text.len());
            assert!(
                text.contains("'worker'") && text.contains("bytes more"),
                "{}",
                text.chars().take(200).collect::<String>()
            );
        }
        within(begin, Duration::from_secs(20), "two enormous failures");
        assert_eq!(worker.run(pid()).await?, worker.pid());
        answers_a_ping(peer(&address(&worker)).await).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// What is as long as one likes: a few bytes, then one letter again and again where it may be cut,
/// and then what the standard library's `Debug` passes over quickly.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Long {
    before: usize,
    letter: char,
    bytes: usize,
}

impl Long {
    fn text(self) -> String {
        let begin = "x".repeat(self.before) + &self.letter.to_string().repeat(1 << 18);
        let rest = self.bytes - begin.len();
        begin + &"x".repeat(rest)
    }
}

/// An error whose text is as long as one likes.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
struct Enormous {
    text: String,
}

#[tractor::rpc]
async fn fail_with(text: Long) -> Result<(), Enormous> {
    Err(Enormous { text: text.text() })
}

#[tractor::rpc]
async fn panic_with(text: Long) {
    // Its message is not written to the log as well.
    std::panic::resume_unwind(Box::new(text.text()));
}

/// Fault 47. A function fails with an error that cannot be serialized, as is found at its beginning
/// or behind some of it. What arrives is its text, under the name of its type.
pub(crate) async fn f47_error_that_cannot_be_serialized_comes_as_text(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut lengths = [0, 1 + chance.below(100), 1 + chance.below(100_000)];
    chance.shuffle(&mut lengths);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker");
        let worker = worker.transport(near_or_far(&mut chance)).await?;
        for length in lengths {
            let error = worker.run(turn_the_disk(length)).await;
            let error = error.expect_err("it fails");
            assert_eq!(error.origin().name(), "worker", "{error}");
            let text = "turn_the_disk: Unwritable: the disk is upside down";
            assert_eq!(error.to_string().matches(text).count(), 1, "{error}");
            assert!(error.downcast_ref::<Unwritable>().is_none(), "{error}");
            assert_eq!(worker.run(pid()).await?, worker.pid());
        }
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// An error that is serde as far as the compiler can see. It cannot be written behind so many
/// bytes.
#[derive(Debug, thiserror::Error)]
#[error("the disk is upside down")]
struct Unwritable {
    length: u64,
}

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.length as usize + 1)?;
        for _ in 0..self.length {
            tuple.serialize_element(&7_u8)?;
        }
        Err(S::Error::custom("it cannot be written"))
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it cannot be read"))
    }
}

#[tractor::rpc]
async fn turn_the_disk(length: u64) -> Result<(), Unwritable> {
    Err(Unwritable { length })
}
