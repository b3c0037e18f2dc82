//! What `#[rpc]` makes of functions of all shapes: called here, and as a peer would start them.

use std::fmt::Debug;

use futures::executor::block_on;
use serde::{Deserialize, Serialize};
use tractor_ipc::{ActorId, codec};
use tractor_macros::rpc;

use super::*;
use crate::exports;

/// What the result of a call is when its function runs as a peer starts it.
fn remotely<T, E: Failure>(call: &Call<T, E>) -> Result<T, Error> {
    let mut args = Vec::new();
    call.encode_args(&mut args).unwrap();
    let index = call
        .export()
        .index()
        .expect("the linker collects what tests declare");
    let export = exports::by_index(index).unwrap();
    let output = match started(export, &args).unwrap() {
        Body::Async(future) => block_on(future),
        Body::Blocking(function) => function(),
    };
    let worker = ActorId::new("worker", 1);
    let error = match output {
        Ok(bytes) => return Ok(call.decoder()(&bytes).unwrap()),
        Err(ending) => Error::new(worker, ending).in_call(export.path()),
    };
    Err(Error::decode(&error.encode()).unwrap())
}

/// Starts a function that answers and says nothing else, as a peer does.
fn started(export: &Export, args: &[u8]) -> Result<Body, DecodeError> {
    match export.start {
        Start::Call(start) => start(args),
        Start::Dialog(_) => panic!("{} is a dialog", export.path()),
    }
}

/// Runs a call both ways, as a function that returns no `Result`.
fn both<T: PartialEq + Debug>(call: Call<T>) -> T {
    let there = remotely(&call).unwrap();
    assert_eq!(block_on(call), there);
    there
}

mod shapes {
    use super::*;

    #[rpc(crate = crate)]
    async fn fib(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            fib(n - 1).await + fib(n - 2).await
        }
    }

    #[rpc(crate = crate)]
    fn nothing() {}

    #[rpc(crate = crate)]
    fn plain(n: u8) -> u8 {
        n + 1
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: i32,
        y: i32,
    }

    #[rpc(crate = crate)]
    async fn patterns(
        (a, b): (u8, u8),
        mut n: u32,
        Point { x, .. }: Point,
        _: u8,
        arg1: u8,
    ) -> Vec<i64> {
        n += 1;
        vec![a.into(), b.into(), n.into(), x.into(), arg1.into()]
    }

    #[rpc(crate = crate)]
    async fn borrowed<'a>(text: &'a str, items: &'a [u16], point: &Point) -> (String, u16, i32) {
        (text.to_uppercase(), items.iter().sum(), point.y)
    }

    #[rpc(crate = crate)]
    fn plain_borrowed(text: &str) -> usize
    where
        String: Debug,
    {
        text.len()
    }

    #[test]
    fn functions_run_here_and_there() {
        assert_eq!(both(fib(10)), 55);
        both(nothing());
        assert_eq!(both(plain(1)), 2);
        assert_eq!(both(plain_borrowed("four")), 4);
    }

    #[test]
    fn arguments_may_be_patterns_and_references() {
        let point = Point { x: 7, y: 8 };
        assert_eq!(
            both(patterns((1, 2), 3, point.clone(), 9, 5)),
            [1, 2, 4, 7, 5]
        );
        let borrowed = borrowed("tea", &[1, 2], &point);
        assert_eq!(both(borrowed), ("TEA".into(), 3, 8));
    }

    #[test]
    fn functions_may_stand_in_functions_and_share_names() {
        #[rpc(crate = crate)]
        fn plain(n: u8) -> u8 {
            n + 100
        }
        assert_eq!(both(plain(1)), 101);
        assert_eq!(both(self::plain(1)), 2);
    }

    macro_rules! make {
        ($name:ident, $argument:ident: $ty:ty, $output:ty) => {
            #[rpc(crate = crate)]
            async fn $name($argument: $ty, n: usize) -> $output {
                $argument.len() + n
            }
        };
    }
    make!(length, text: &str, usize);

    #[test]
    fn functions_may_be_made_by_macros() {
        assert_eq!(both(length("three", 1)), 6);
    }

    #[test]
    fn plain_functions_may_block_and_async_ones_may_not() {
        assert!(matches!(started(fib(3).export(), &[3]), Ok(Body::Async(_))));
        assert!(matches!(
            started(plain(3).export(), &[3]),
            Ok(Body::Blocking(_))
        ));
        let too_short = started(plain(3).export(), &[]).unwrap_err();
        assert_eq!(too_short, DecodeError::UnexpectedEnd);
    }

    #[test]
    fn arguments_travel_as_one_tuple() {
        let mut bytes = vec![0xaa];
        borrowed("tea", &[1], &Point { x: 1, y: 2 })
            .encode_args(&mut bytes)
            .unwrap();
        let tuple = ("tea", [1_u16].as_slice(), Point { x: 1, y: 2 });
        assert_eq!(bytes[1..], codec::encode(&tuple).unwrap());
    }

    #[rpc(crate = crate, spawn)]
    async fn busy() {}

    #[test]
    fn exports_say_what_they_are() {
        let export = patterns((1, 2), 3, Point { x: 1, y: 1 }, 0, 0).export();
        assert_eq!(export.name, "patterns");
        assert!(
            export.module.ends_with("private::tests::shapes"),
            "{export:?}"
        );
        assert!(
            export
                .signature
                .starts_with("async fn patterns((a, b): (u8, u8), mut n: u32")
        );
        assert!(
            export.file.ends_with("tests.rs") && export.line > 30,
            "{export:?}"
        );
        assert!(busy().export().spawn && !export.spawn);
    }

    #[test]
    fn a_call_that_was_polled_here_cannot_be_sent() {
        let mut call = plain(1);
        assert_eq!(block_on(&mut call), 2);
        let refused = call.encode_args(&mut Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("plain) was already polled"), "{refused}");
    }

    #[test]
    #[should_panic(expected = "polled after it returned")]
    fn a_call_returns_once() {
        let mut call = plain(1);
        block_on(&mut call);
        block_on(&mut call);
    }

    #[test]
    fn a_call_is_a_future_for_any_task() {
        fn check<F: Future + Send + Unpin + 'static>(_: &F) {}
        check(&fib(1));
        let all = futures::future::join_all([1, 2, 3].map(fib));
        assert_eq!(block_on(all), [1, 1, 2]);
    }
}

mod methods {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Counter(u64);

    #[rpc(crate = crate)]
    impl Counter {
        const STEP: u64 = 10;

        async fn add(self, n: u64) -> Self {
            Self(self.0 + n * Self::STEP)
        }

        fn larger(&self, other: &Self) -> Self {
            Self(self.0.max(other.0))
        }

        #[rpc(spawn)]
        async fn start() -> Option<Self> {
            Some(Self(1))
        }
    }

    #[test]
    fn the_receiver_travels() {
        assert_eq!(both(Counter(1).add(2)), Counter(21));
        assert_eq!(both(Counter(1).larger(&Counter(5))), Counter(5));
        assert_eq!(both(Counter::start()), Some(Counter(1)));
    }

    #[test]
    fn methods_are_named_with_their_type_and_have_options_of_their_own() {
        assert_eq!(Counter(1).add(2).export().name, "Counter::add");
        assert!(!Counter(1).add(2).export().spawn);
        assert!(Counter::start().export().spawn);
    }
}

mod generics {
    use super::*;

    #[rpc(crate = crate, instances(u64, String))]
    async fn largest<T: Ord + Clone + Sync>(items: &[T]) -> Option<T> {
        items.iter().max().cloned()
    }

    #[rpc(crate = crate, instances((u8, String), (String, u8)))]
    fn swapped<A, B>(pair: (A, B)) -> (B, A)
    where
        A: Debug,
    {
        (pair.1, pair.0)
    }

    #[rpc(crate = crate, instances(u8))]
    async fn made<T: Default>() -> Result<T, String> {
        Ok(T::default())
    }

    #[test]
    fn each_listed_instance_is_an_export() {
        assert_eq!(both(largest(&[1_u64, 3, 2])), Some(3));
        assert_eq!(both(largest(&["a".to_owned()])), Some("a".into()));
        assert_eq!(both(swapped((1_u8, "x".to_owned()))), ("x".into(), 1));
        assert_eq!(both(swapped(("x".to_owned(), 1_u8))), (1, "x".into()));
        assert_eq!(remotely(&made::<u8>()).unwrap(), 0);
        assert_eq!(largest(&[1_u64]).export().name, "largest::<u64>");
        assert_eq!(
            swapped((1_u8, String::new())).export().name,
            "swapped::<u8, String>"
        );
    }
}

mod failures {
    use std::io;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
    #[error("no table {0}")]
    struct NoTable(String);

    #[derive(Debug, thiserror::Error)]
    enum Broken {
        #[error("cannot load")]
        Load(#[source] NoTable),
        #[error("the actor below failed")]
        Below(#[from] Error),
    }

    #[rpc(crate = crate)]
    async fn load(name: &str) -> Result<u8, NoTable> {
        if name.is_empty() {
            Err(NoTable("''".into()))
        } else {
            Ok(1)
        }
    }

    #[rpc(crate = crate)]
    fn broken(below: Option<Error>) -> Result<u8, Broken> {
        Err(match below {
            Some(below) => Broken::Below(below),
            None => Broken::Load(NoTable("t".into())),
        })
    }

    #[rpc(crate = crate)]
    async fn text() -> Result<(), String> {
        Err("plain text".into())
    }

    #[rpc(crate = crate)]
    async fn boxed() -> Result<(), Box<dyn StdError + Send + Sync>> {
        Err(NoTable("boxed".into()).into())
    }

    #[rpc(crate = crate)]
    async fn alias() -> io::Result<u8> {
        Err(io::Error::other("disk"))
    }

    #[rpc(crate = crate)]
    async fn any(below: Option<Error>) -> anyhow::Result<u8> {
        Err(match below {
            Some(below) => below.into(),
            None => anyhow::Error::new(NoTable("t".into())).context("while loading"),
        })
    }

    #[rpc(crate = crate)]
    async fn passed_on(below: Error) -> Result<u8, Error> {
        Err(below)
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct SearchResult(u8);

    #[rpc(crate = crate, value)]
    async fn search() -> SearchResult {
        SearchResult(7)
    }

    type Answer = Result<u8, String>;

    #[rpc(crate = crate)]
    async fn answer() -> Answer {
        Err("an answer too".into())
    }

    fn failure<T: Debug, E: Failure>(call: Call<T, E>) -> Error {
        let there = remotely(&call).unwrap_err();
        drop(block_on(call));
        there
    }

    fn below() -> Error {
        Error::new(ActorId::new("leaf", 2), Ending::Exited { code: 3 })
    }

    #[test]
    fn a_serde_error_comes_back_itself() {
        assert_eq!(block_on(load("")), Err(NoTable("''".into())));
        assert_eq!(remotely(&load("x")).unwrap(), 1);
        let error = failure(load(""));
        assert_eq!(error.downcast_ref::<NoTable>(), Some(&NoTable("''".into())));
        assert!(error.source().unwrap().is::<NoTable>());
        assert!(error.downcast_ref::<io::Error>().is_none());
        assert_eq!(
            error.to_string(),
            format!(
                "actor 'worker' failed in {}::load: NoTable: no table ''",
                module_path!()
            )
        );
    }

    #[test]
    fn a_typed_result_is_taken_from_the_function_that_returned_it() {
        let export = load("").export();
        let error = failure(load(""));
        let (other, clone) = (text().export(), error.clone());
        assert!(clone.into_returned::<NoTable>(other).is_err());
        assert_eq!(
            error.into_returned::<NoTable>(export).unwrap(),
            NoTable("''".into())
        );
        let text = failure(text()).into_returned::<String>(other).unwrap();
        assert_eq!(text, "plain text");
    }

    #[test]
    fn other_errors_come_back_as_text_with_their_sources() {
        let shown = |error: Error| {
            let text = error.to_string();
            assert!(error.source().is_none(), "{text}");
            text.split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(
            shown(failure(broken(None))),
            "Broken: cannot load
  caused by: no table t"
        );
        assert_eq!(shown(failure(alias())), "io::Error: disk");
        assert_eq!(
            shown(failure(any(None))),
            "anyhow::Error: while loading
  caused by: no table t"
        );
        let text = shown(failure(boxed()));
        assert_eq!(text, "Box<dyn Error + Send + Sync>: no table boxed");
    }

    #[test]
    fn a_failure_from_below_stays_itself() {
        let below = below();
        for error in [
            failure(passed_on(below.clone())),
            failure(any(Some(below.clone()))),
        ] {
            assert_eq!(error.id(), below.id());
            assert_eq!(error.origin().name(), "leaf");
            assert_eq!(error.relay_path(), [ActorId::new("worker", 1)]);
            assert_eq!(error.exit_code(), Some(3));
        }
    }

    #[test]
    fn a_failure_from_below_is_kept_within_another_error() {
        let nested = failure(load(""));
        let error = failure(broken(Some(nested.clone())));
        let Ending::Failed(user) = error.ending() else {
            panic!("{error}")
        };
        assert_eq!(user.cause().unwrap().id(), nested.id());
        assert_eq!(error.downcast_ref::<NoTable>(), Some(&NoTable("''".into())));
        let group = Error::several(&ActorId::fresh("root"), vec![below(), error]);
        assert!(group.downcast_ref::<NoTable>().is_some());
    }

    #[test]
    fn only_names_that_end_in_result_are_results() {
        assert_eq!(both(search()), SearchResult(7));
        assert_eq!(both(answer()), Err("an answer too".into()));
    }

    /// Serde, and refuses nevertheless.
    #[derive(Debug, Deserialize)]
    struct Unsendable;

    impl Serialize for Unsendable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is a secret"))
        }
    }

    #[rpc(crate = crate)]
    fn unsendable() -> Unsendable {
        Unsendable
    }

    #[test]
    fn a_result_that_cannot_be_encoded_is_refused() {
        let error = remotely(&unsendable()).unwrap_err();
        assert!(matches!(
            error.ending(),
            Ending::Refused(Refusal::BadResult(_))
        ));
        assert!(error.to_string().contains("it is a secret"), "{error}");
    }
}
