//! [`Local`]: children that inherit their link.

use std::io;
use std::sync::Arc;

use tractor_core::io::link::Link;
use tractor_core::{Actor, Error};
use tractor_ipc::limits::FRAME_BYTES_MAX;
use tractor_ipc::{FrameDecoder, Kind, Socket, codec};

use super::Launcher;
use crate::child::{Child, ChildLink};
use crate::spec::{ActorSpec, Spec};

/// Makes the boot pair the link. It needs no proof: nobody else has the other end.
pub(crate) struct Local;

impl Launcher for Local {
    type Linking = ();

    async fn direct(&self, _: &Actor, _: &mut ActorSpec) -> Result<(), Error> {
        Ok(())
    }

    fn link(&self, _: &Actor, child: &Arc<Child>, boot: Socket, spec: ActorSpec) -> io::Result<()> {
        let owner = Box::new(ChildLink(Arc::downgrade(child)));
        let decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let link = Link::start(boot, decoder, Some(child.aid.clone()), owner)?;
        child.set_link(link.clone());
        let spec = codec::encode(&Spec::Actor(Box::new(spec))).map_err(io::Error::other)?;
        link.send(Kind::Spec, 0, &spec).map_err(io::Error::other)
    }
}
