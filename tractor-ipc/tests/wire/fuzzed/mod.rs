//! What the targets in `fuzz/` run, fed by chance: with garbage, and with what is nearly right and
//! therefore goes far.

mod codec;
mod frames;
mod handshake;

use proptest::collection::vec;
use proptest::prelude::*;
use tractor_ipc::message::Hello;
use tractor_ipc::{ActorId, BuildId, Kind, TreeId, codec as wire, frame};

/// Bytes, mostly of the kinds that mean something in lengths and variants.
fn any_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![0..12_u8, 250..=u8::MAX, any::<u8>()], 0..max)
}

/// The same, with some bits turned.
fn turned(mut bytes: Vec<u8>, turns: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, bits) in turns {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
    }
    bytes
}

fn any_turns() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)
}

fn a_hello(name: &str) -> Vec<u8> {
    let hello = Hello {
        tree: TreeId(1),
        build: BuildId(1),
        aid: ActorId::fresh(name),
        address: None,
        nonce: [1; 32],
    };
    wire::encode(&hello).expect("it encodes")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_decoder_of_frames_holds_against_garbage(data in any_bytes(600)) {
        frames::check(&data);
    }

    #[test]
    fn the_decoder_of_frames_holds_against_what_is_nearly_right(
        cut in any::<u8>(),
        max in 0..2_u8,
        payloads in vec((any::<prop::sample::Index>(), any::<u64>(), any_bytes(150)), 0..6),
        turns in any_turns(),
    ) {
        let kinds: Vec<_> = (0..=u8::MAX).filter_map(|byte| Kind::try_from(byte).ok()).collect();
        let mut stream = Vec::new();
        for (kind, id, payload) in payloads {
            let start = frame::begin(&mut stream, *kind.get(&kinds), id);
            stream.extend_from_slice(&payload);
            start.end(&mut stream).expect("it is not too long");
        }
        let mut data = vec![cut, max];
        data.extend(turned(stream, &turns));
        frames::check(&data);
    }

    #[test]
    fn the_codec_holds_against_garbage(data in any_bytes(200)) {
        codec::check(&data);
    }

    #[test]
    fn the_codec_holds_against_what_is_nearly_right(name in "[a-z]{1,20}", turns in any_turns()) {
        codec::check(&turned(a_hello(&name), &turns));
    }

    #[test]
    fn the_handshake_holds_against_garbage(data in any_bytes(400)) {
        handshake::check(&data);
    }

    /// Honest messages, each with an empty payload, among others.
    #[test]
    fn the_handshake_holds_against_half_honest_peers(
        role in any::<u8>(),
        messages in vec(prop_oneof![Just(Vec::new()), any_bytes(80)], 0..6),
    ) {
        let kinds: Vec<_> = (0..=u8::MAX).filter(|byte| Kind::try_from(*byte).is_ok()).collect();
        let mut data = vec![role];
        for (index, message) in messages.iter().enumerate() {
            data.push(kinds[index % kinds.len()]);
            data.push(u8::try_from(message.len()).expect("it is short"));
            data.extend_from_slice(message);
        }
        handshake::check(&data);
    }
}
