//! Tests as a user writes them. All of them pass.

use futures::future::try_join_all;
use rstest::rstest;
use tractor::open_nursery;

#[tractor::rpc]
async fn double(n: u64) -> u64 {
    2 * n
}

async fn doubled(actors: u64) -> tractor::Result<Vec<u64>> {
    open_nursery(async |nursery| {
        let doubles = (0..actors).map(async |n| {
            let name = format!("actor{n}");
            nursery.run_in_actor(name, double(n)).await?.result().await
        });
        try_join_all(doubles).await
    })
    .await
}

#[tractor::test]
async fn without_a_result() {
    assert_eq!(doubled(2).await.unwrap(), [0, 2]);
}

#[tractor::test]
async fn with_a_result() -> tractor::Result<()> {
    assert_eq!(doubled(1).await?, [0]);
    Ok(())
}

#[tractor::test]
async fn with_any_error_that_takes_up_the_runtimes() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(doubled("3".parse()?).await?.len(), 3);
    Ok(())
}

#[tractor::test(name = "chief", timeout = 50)]
async fn with_options() -> tractor::Result<()> {
    assert_eq!(tractor::current_actor()?.name(), "chief");
    doubled(2).await.map(drop)
}

#[tractor::test]
#[should_panic(expected = "on purpose")]
async fn that_should_panic() {
    assert_eq!(doubled(1).await.unwrap(), [0]);
    panic!("on purpose");
}

#[tractor::test]
#[should_panic(expected = "'loser'")]
async fn that_should_fail() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .start_actor("loser")
            .current_dir("/no/such/place")
            .await
            .map(drop)
    })
    .await
}

#[rstest]
#[case(1, 0)]
#[case::larger(4, 6)]
#[tractor::test]
async fn of_several_cases(#[case] actors: u64, #[case] last: u64) {
    assert_eq!(doubled(actors).await.unwrap().last(), Some(&last));
}

mod inner {
    mod most {
        #[tractor::test]
        async fn in_a_module() -> tractor::Result<()> {
            assert_eq!(super::super::doubled(2).await?, [0, 2]);
            Ok(())
        }
    }
}

macro_rules! many {
    ($($name:ident)*) => {
        $(
            #[tractor::test]
            async fn $name() -> tractor::Result<()> {
                assert_eq!(doubled(4).await?, [0, 2, 4, 6]);
                Ok(())
            }
        )*
    };
}

many!(a b c d e f g h);
