//! Runs with seeds: with one, or with each that `TRACTOR_SEEDS` names, `7` or `1..50` with both
//! ends.

use std::fs;
use std::future::Future;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::chance::Chance;
use crate::tree::note;

/// A run that takes longer hangs: none waits for more than a ladder or two.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// Makes a test of each of these async functions, which take a seed.
macro_rules! scenarios {
    ($($module:ident { $($name:ident)* })*) => {$($(
        #[tractor::test(timeout = 600)]
        async fn $name() -> tractor::Result<()> {
            $crate::seeds::with_seeds(stringify!($name), $module::$name).await
        }
    )*)*};
}
pub(crate) use scenarios;

/// Runs what takes a seed with each that was asked for.
pub(crate) async fn with_seeds<F>(what: &str, run: impl Fn(u64) -> F) -> tractor::Result<()>
where
    F: Future<Output = tractor::Result<()>>,
{
    for seed in seeds() {
        say(what, seed);
        let ended = async_std::future::timeout(HANG, run(seed)).await;
        ended.unwrap_or_else(|_| panic!("{what} hangs with seed {seed}"))?;
    }
    Ok(())
}

/// The same for what runs on a thread of its own.
pub(crate) fn each_seed(what: &str, run: impl Fn(&mut Chance)) {
    for seed in seeds() {
        say(what, seed);
        run(&mut Chance::new(seed));
    }
}

/// Shown only if it fails, and the last one is the one that did.
fn say(what: &str, seed: u64) {
    note(&format!("{what}, seed {seed}"));
}

/// The seeds that are asked for, otherwise one. With each begins a new story: the journals of
/// processes that are gone go too.
pub(crate) fn seeds() -> impl Iterator<Item = u64> {
    wanted_seeds().inspect(|_| forget_the_gone())
}

fn forget_the_gone() {
    let Some(journals) = std::env::var_os("TRACTOR_JOURNAL") else {
        return;
    };
    for journal in fs::read_dir(journals).into_iter().flatten().flatten() {
        let path = journal.path();
        let pid = path.file_stem().unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            // It only makes the story longer.
            let _ = fs::remove_file(path);
        }
    }
}

fn wanted_seeds() -> RangeInclusive<u64> {
    let Ok(text) = std::env::var("TRACTOR_SEEDS") else {
        return 1..=1;
    };
    let number = |text: &str| text.trim().parse().ok();
    let range = match text.split_once("..") {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(&text).map(|seed| (seed, seed)),
    };
    let (first, last) =
        range.unwrap_or_else(|| panic!("TRACTOR_SEEDS is {text:?}, not 7 or 1..50"));
    first..=last
}

/// Holds a test's own thread back until the moment that its seed has decided.
#[expect(
    clippy::disallowed_methods,
    reason = "the moment is what the seed decides"
)]
pub(crate) fn hold_back(time: Duration) {
    std::thread::sleep(time);
}

// Here, since the programs that share `Chance` put nothing into another order.
impl Chance {
    /// Brings them into another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
