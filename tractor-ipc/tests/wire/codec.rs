//! Values survive encoding, in the very format of the codec; garbage neither panics nor costs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use bincode::config::standard;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tractor_ipc::codec::{decode, encode};
use tractor_ipc::message::{Hello, Proof};
use tractor_ipc::{ActorId, Address};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    unsigned: (u8, u16, u32, u64, u128, usize),
    signed: (i8, i16, i32, i64, i128, isize),
    floats: [f64; 2],
    flag: bool,
    letter: char,
    text: String,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    shapes: Vec<Shape>,
    map: BTreeMap<String, Option<Box<Self>>>,
    nothing: (),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f32),
    Line((i32, i32), (i32, i32)),
    Label { at: (i32, i32), text: String },
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let at = || any::<(i32, i32)>();
    prop_oneof![
        Just(Shape::Point),
        (-1e9_f32..1e9).prop_map(Shape::Circle),
        (at(), at()).prop_map(|(a, b)| Shape::Line(a, b)),
        (at(), ".*").prop_map(|(at, text)| Shape::Label { at, text }),
    ]
}

fn any_everything() -> impl Strategy<Value = Everything> {
    let flat = (
        any::<(u8, u16, u32, u64, u128, usize)>(),
        any::<(i8, i16, i32, i64, i128, isize)>(),
        [-1e300_f64..1e300, -1.0..1.0],
        (any::<bool>(), any::<char>(), ".*"),
        (vec(any::<u8>(), 0..40), vec(any_shape(), 0..5)),
    )
        .prop_map(
            |(unsigned, signed, floats, (flag, letter, text), (bytes, shapes))| {
                let map = BTreeMap::new();
                Everything {
                    unsigned,
                    signed,
                    floats,
                    flag,
                    letter,
                    text,
                    bytes,
                    shapes,
                    map,
                    nothing: (),
                }
            },
        );
    let leaf = flat.boxed();
    leaf.clone().prop_recursive(3, 12, 3, move |inner| {
        let entries = btree_map(".{0,3}", prop::option::of(inner.prop_map(Box::new)), 0..3);
        (leaf.clone(), entries).prop_map(|(value, map)| Everything { map, ..value })
    })
}

/// Decoding either fails or gives a value that encodes again and decodes to itself.
fn check_garbage<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        let again = encode(&value).expect("a decoded value encodes");
        let value_again = decode::<T>(&again).expect("and decodes");
        assert_eq!(encode(&value_again), Ok(again), "{value:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn values_survive(value in any_everything()) {
        let bytes = encode(&value).expect("it encodes");
        prop_assert_eq!(decode::<Everything>(&bytes), Ok(value));
    }

    #[test]
    fn the_format_is_the_codecs_own(value in any_everything()) {
        let bytes = bincode::serde::encode_to_vec(&value, standard()).expect("it encodes");
        prop_assert_eq!(&encode(&value), &Ok(bytes.clone()));
        let (theirs, _) = bincode::serde::decode_from_slice::<Everything, _>(&bytes, standard())
            .expect("it decodes");
        prop_assert_eq!(decode::<Everything>(&bytes), Ok(theirs));
    }

    #[test]
    fn every_shortened_value_fails(value in any_everything(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&value).expect("it encodes");
        prop_assert!(decode::<Everything>(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn flipped_bits_do_no_harm(
        value in any_everything(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&value).expect("it encodes");
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        check_garbage::<Everything>(&bytes);
    }

    #[test]
    fn garbage_does_no_harm(
        bytes in vec(prop_oneof![Just(0_u8), Just(1), 250..=255_u8, any::<u8>()], 0..200),
    ) {
        check_garbage::<Everything>(&bytes);
        check_garbage::<(ActorId, Option<Address>)>(&bytes);
        check_garbage::<Hello>(&bytes);
        check_garbage::<Proof>(&bytes);
        check_garbage::<Vec<Vec<Vec<Option<()>>>>>(&bytes);
        check_garbage::<BTreeMap<String, (Duration, SocketAddr)>>(&bytes);
    }
}

#[test]
fn unordered_maps_survive() {
    let map: HashMap<u32, String> = (0..100).map(|n| (n, n.to_string())).collect();
    assert_eq!(decode(&encode(&map).unwrap()), Ok(map));
}
