//! Calls: one function, used here and in other actors, with whatever travels.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Barrier, LazyLock, Mutex};
use std::task::{Poll, Waker};

use futures::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use tractor::{Call, Portal, find_actor, get_root, open_nursery};

use crate::witness::{events, hold};

#[tractor::rpc]
pub(crate) async fn greet(name: &str) -> String {
    format!("hello {name}")
}

#[tractor::rpc]
async fn sum(items: &[u64]) -> u64 {
    items.iter().sum()
}

#[tractor::rpc]
fn plain_product(items: Vec<u64>, factor: u64) -> u64 {
    items.iter().product::<u64>() * factor
}

#[tractor::rpc(spawn)]
async fn spawned(n: u8) -> u8 {
    n + 1
}

#[tractor::rpc]
async fn nothing() {}

#[tractor::rpc]
async fn fib(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        fib(n - 1).await + fib(n - 2).await
    }
}

#[tractor::rpc(instances(u64, String, Vec<u8>))]
async fn largest<T: Ord>(items: Vec<T>) -> Option<T> {
    items.into_iter().max()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    owner: String,
    balances: BTreeMap<char, i64>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Shared { with: Vec<String>, share: f64 },
}

#[tractor::rpc]
impl Account {
    async fn open(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            balances: BTreeMap::new(),
            kind: Kind::Plain,
        }
    }

    async fn deposit(mut self, currency: char, amount: i64) -> Self {
        *self.balances.entry(currency).or_default() += amount;
        self
    }

    fn share(&self, (with, share): (String, f64)) -> Self {
        let with = vec![with, self.owner.clone()];
        Self {
            kind: Kind::Shared { with, share },
            ..self.clone()
        }
    }
}

mod inner {
    /// Of the same name as another one, which does something else.
    #[tractor::rpc]
    pub(super) async fn greet(name: &str) -> String {
        format!("bye {name}")
    }
}

#[tractor::rpc]
async fn parse(text: &str) -> Result<Option<u8>, std::num::ParseIntError> {
    if text.is_empty() {
        Ok(None)
    } else {
        text.parse().map(Some)
    }
}

/// That it gives the same here and there.
async fn check<T: Debug + PartialEq>(portal: &Portal, call: impl Fn() -> Call<T>) -> T {
    let there = portal.run(call()).await.expect("the call succeeds");
    assert_eq!(call().await, there);
    there
}

#[tractor::test]
async fn a_function_gives_the_same_here_and_there() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(check(&worker, || greet("you")).await, "hello you");
        assert_eq!(check(&worker, || inner::greet("you")).await, "bye you");
        assert_eq!(check(&worker, || sum(&[1, 2, 3])).await, 6);
        assert_eq!(check(&worker, || plain_product(vec![2, 3], 7)).await, 42);
        assert_eq!(check(&worker, || spawned(1)).await, 2);
        assert_eq!(check(&worker, || fib(12)).await, 144);
        check(&worker, nothing).await;
        let parsed = worker.run(parse("7")).await?;
        assert_eq!((parsed, parse("").await), (Some(7), Ok(None)));
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn methods_and_generic_instances_travel() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let account = check(&worker, || Account::open("me")).await;
        let account = check(&worker, || account.clone().deposit('€', -5)).await;
        let account = check(&worker, || account.share(("you".to_owned(), 0.5))).await;
        assert_eq!(account.balances.get(&'€'), Some(&-5));
        assert!(matches!(account.kind, Kind::Shared { ref with, .. } if with == &["you", "me"]));

        assert_eq!(check(&worker, || largest(vec![3_u64, 9, 4])).await, Some(9));
        let words = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            check(&worker, || largest(words())).await.as_deref(),
            Some("b")
        );
        assert_eq!(
            check(&worker, || largest(Vec::<Vec<u8>>::new())).await,
            None
        );
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn functions_within_functions_are_functions_of_their_own() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn greet(name: &str) -> String {
        format!("inside {name}")
    }
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(check(&worker, || greet("me")).await, "inside me");
        assert_eq!(check(&worker, || self::greet("me")).await, "hello me");
        worker.cancel_actor().await
    })
    .await
}

#[tractor::rpc]
async fn loud(mut text: String) -> String {
    text.make_ascii_uppercase();
    text
}

/// Has the root answer: so the text crosses the border four times.
#[tractor::rpc]
async fn loud_in_root(text: String) -> tractor::Result<String> {
    get_root().await?.run(loud(text)).await
}

#[tractor::test]
async fn four_mebibytes_travel_both_ways_at_once() -> tractor::Result<()> {
    let text = "four letters, ".repeat((4 << 20) / 14 + 1);
    let expected = text.to_uppercase();
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert!(worker.run(loud(text.clone())).await? == expected);
        // Neither end reads only after it has written.
        let calls = (0..4).map(|_| worker.run(loud_in_root(text.clone())));
        for answer in try_join_all(calls).await? {
            assert!(answer == expected);
        }
        worker.cancel_actor().await
    })
    .await
}

static MET: Mutex<(usize, Vec<Waker>)> = Mutex::new((0, Vec::new()));

/// Waits until so many calls of it are running.
#[tractor::rpc]
async fn meet(count: usize) -> usize {
    MET.lock().unwrap().0 += 1;
    poll_fn(|cx| {
        let mut met = MET.lock().unwrap();
        if met.0 < count {
            met.1.push(cx.waker().clone());
            return Poll::Pending;
        }
        met.1.drain(..).for_each(Waker::wake);
        Poll::Ready(met.0)
    })
    .await
}

/// Blocks its thread until eight of it do.
#[tractor::rpc]
fn meet_blocking() {
    static EIGHT: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(8));
    EIGHT.wait();
}

#[tractor::test]
async fn sixty_four_calls_run_at_once() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let met = try_join_all((0..64).map(|_| worker.run(meet(64)))).await?;
        assert_eq!(met, [64; 64]);
        try_join_all((0..8).map(|_| worker.run(meet_blocking()))).await?;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn calls_can_be_spawned_and_answers_find_their_call() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let workers = join_all(["a", "b"].map(|name| nursery.start_actor(name).into_future()));
        let workers: Vec<_> = workers.await.into_iter().collect::<Result<_, _>>()?;
        let tasks = (0..200_u64).map(|n| {
            let worker = workers[n as usize % 2].clone();
            async_std::task::spawn(async move { worker.run(sum(&[n, 1])).await })
        });
        let sums = try_join_all(tasks.collect::<Vec<_>>()).await?;
        assert_eq!(sums, (1..=200).collect::<Vec<_>>());
        nursery.cancel();
        Ok(())
    })
    .await
}

/// Calls the other end back, which calls back, `times` in all, each within the one before.
#[tractor::rpc]
async fn bounce(times: u32, child: String) -> tractor::Result<Vec<String>> {
    let here = tractor::current_actor()?;
    let mut path = vec![here.name().to_owned()];
    if times > 0 {
        let other = match here.is_root() {
            true => find_actor(&child).await?.expect("it waits for us"),
            false => get_root().await?,
        };
        path.extend(other.run(bounce(times - 1, child)).await?);
    }
    Ok(path)
}

#[tractor::test]
async fn a_callee_calls_its_caller_back_while_that_waits() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let ball = nursery.start_actor("ball").await?;
        let path = ball.run(bounce(5, "ball".to_owned())).await?;
        assert_eq!(path, ["ball", "root", "ball", "root", "ball", "root"]);
        ball.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn nothing_is_sent_before_a_call_is_polled() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let unused = worker.run(hold("unused"));
        assert!(worker.run(events()).await?.is_empty());
        drop(unused);
        assert!(worker.run(events()).await?.is_empty());
        worker.cancel_actor().await
    })
    .await
}
