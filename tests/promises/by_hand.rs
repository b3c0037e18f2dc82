//! A call that is sent by hand, over a channel to the actor's socket.

use tractor::{ActorId, Call, Portal, current_actor};
use tractor_ipc::handshake::{Local, fresh_nonce};
use tractor_ipc::{Channel, Kind};

fn local() -> Local {
    let identity = current_actor().expect("a test is an actor").identity();
    Local {
        secret: identity.secret.clone(),
        tree: identity.tree,
        build: identity.build,
        aid: ActorId::fresh("stranger"),
        address: None,
        nonce: fresh_nonce(),
    }
}

/// Connects as a peer of the same tree.
pub(crate) fn dial(portal: &Portal) -> Channel {
    let address = portal.contact().address.clone().expect("it listens");
    let (channel, peer) = Channel::connect(&address, local()).expect("it is let in");
    assert_eq!(&peer.aid, portal.aid());
    channel
}

/// Starts a function under this number.
pub(crate) fn start<T>(channel: &mut Channel, id: u64, call: &Call<T>) {
    channel
        .send(Kind::Start, id, &payload(call))
        .expect("it is open");
}

/// What the frame holds that starts a function: its number, the fingerprint of its signature, no
/// deadline, and the arguments.
fn payload<T>(call: &Call<T>) -> Vec<u8> {
    let export = call.export();
    let texts = [export.module, export.name, export.signature];
    let signature = texts
        .concat()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let number = export.index().expect("it is exported");
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend(signature.to_le_bytes());
    payload.extend(u64::MAX.to_le_bytes());
    call.encode_args(&mut payload).expect("they encode");
    payload
}
