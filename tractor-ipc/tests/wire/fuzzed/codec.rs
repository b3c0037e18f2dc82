//! Garbage decodes to an error or to a value that encodes and decodes to itself.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tractor_ipc::codec::{decode, encode};
use tractor_ipc::message::Hello;

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Number(Option<i128>, f64, char),
    Branch { left: Box<Self>, right: Box<Self> },
    Many(Vec<Self>, BTreeMap<u16, Self>),
    Empty(Vec<()>),
}

fn check_as<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        let again = encode(&value).expect("a decoded value encodes");
        let twice = decode::<T>(&again).expect("and decodes");
        assert!(encode(&twice).expect("and encodes").len() == again.len());
    }
}

/// What is fuzzed.
pub(crate) fn check(data: &[u8]) {
    check_as::<Tree>(data);
    check_as::<Hello>(data);
    check_as::<(HashSet<u8>, Option<Duration>, [u16; 3])>(data);
}
