//! Following a server: its updates, and what replaces them if they are not
//! enough.

use std::sync::Arc;

use hozo_traits::{ChangeFeed, Reader, Result};

use crate::error::is_unimplemented;
use crate::{Builder, Client};

mod acknowledging;
mod heard;
mod native;
mod pages;
pub(crate) mod pieces;
mod reader;
mod snapshot;
mod tkrzw;
mod weigh;
pub(crate) mod wire;

impl Client {
    /// What is changed at the server, to be followed: its id, its epoch and its
    /// DBMs are known when this answers. `reader` is who greets it.
    ///
    /// A server without Hozo's replication is taken for one of Tkrzw, whose
    /// updates have no numbers: each has one effect, a reach of 0, and the
    /// server as its origin; positions are empty, and no DBM has a name. There, a feed starts
    /// [`Since`](hozo_traits::Start::Since) a time, in milliseconds; a start after
    /// a position, and a snapshot, are
    /// [`Unsupported`](hozo_traits::ErrorKind::Unsupported).
    ///
    /// A feed from which nothing comes for 10 seconds, not even that there is
    /// nothing, is [`Unavailable`](hozo_traits::ErrorKind::Unavailable), and so
    /// over. (Before the first update it is two minutes with a server of Tkrzw,
    /// which looks for it without a word.) It does not begin again by itself.
    pub async fn feed(&self, reader: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        match native::Feed::greet(self, reader).await {
            Ok(feed) => Ok(Arc::new(feed)),
            Err(error) if is_unimplemented(&error) => {
                Ok(Arc::new(tkrzw::Feed::greet(self, reader).await?))
            }
            Err(error) => Err(error),
        }
    }
}

/// Connects to servers that are to be followed, each time with the same
/// settings.
#[derive(Clone, Debug)]
pub struct Connector {
    settings: Builder,
}

impl Connector {
    /// With the token, TLS, timeouts and limits of this builder. Its address
    /// does not matter.
    pub fn new(settings: Builder) -> Connector {
        Connector { settings }
    }

    /// Connects to the server at this address and greets it; see
    /// [`Client::feed`]. Each time it is a connection of its own, which ends when
    /// the feed and all that read it are dropped. Must be called within a runtime
    /// of tokio.
    pub async fn connect(&self, address: &str, me: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        self.settings.clone().at(address).lazy()?.feed(me).await
    }
}

impl Default for Connector {
    /// Without token and TLS.
    fn default() -> Connector {
        Connector::new(Client::builder(""))
    }
}
