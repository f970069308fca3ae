//! The unary calls: where each is, and whether it may be sent twice.

use hozo_proto::hozo_v1::{
    ChangeSourceRequest, ChangeSourceResponse, ConflictsRequest, ConflictsResponse, PromoteRequest,
    PromoteResponse, PruneRequest, PruneResponse, StatusRequest, StatusResponse,
};
use hozo_proto::tkrzw_rpc::*;
use prost::Message;

/// A request of a unary call.
pub(crate) trait Unary: Message {
    /// What it is answered with.
    type Answer: Message + Default;
    /// `/package.Service/Rpc`.
    const PATH: &'static str;
    /// Whether sending it again after the server may have done it changes
    /// neither what is stored nor the answer, whatever others did in between.
    fn repeatable(&self) -> bool;
}

macro_rules! unary {
    ($paths:ident of $service:literal $($rpc:literal $request:ident $answer:ident $repeatable:expr;)*) => {
        $(impl Unary for $request {
            type Answer = $answer;
            const PATH: &'static str = concat!("/", $service, "/", $rpc);
            fn repeatable(&self) -> bool {
                let repeatable: fn(&$request) -> bool = $repeatable;
                repeatable(self)
            }
        })*

        /// The paths, for the test that there are all.
        #[cfg(test)]
        pub(crate) const $paths: &[&str] = &[$($request::PATH),*];
    };
}

// The table in the crate's documentation says the same, and a test tries it.
unary! {
    DBM of "tkrzw_rpc.DBMService"
    "Echo" EchoRequest EchoResponse |_| true;
    "Inspect" InspectRequest InspectResponse |_| true;
    "Get" GetRequest GetResponse |_| true;
    "GetMulti" GetMultiRequest GetMultiResponse |_| true;
    "Set" SetRequest SetResponse |_| false;
    "SetMulti" SetMultiRequest SetMultiResponse |_| false;
    "Remove" RemoveRequest RemoveResponse |_| false;
    "RemoveMulti" RemoveMultiRequest RemoveMultiResponse |_| false;
    "Append" AppendRequest AppendResponse |_| false;
    "AppendMulti" AppendMultiRequest AppendMultiResponse |_| false;
    "CompareExchange" CompareExchangeRequest CompareExchangeResponse |_| false;
    "Increment" IncrementRequest IncrementResponse |_| false;
    "CompareExchangeMulti" CompareExchangeMultiRequest CompareExchangeMultiResponse |_| false;
    "Rekey" RekeyRequest RekeyResponse |_| false;
    "PopFirst" PopFirstRequest PopFirstResponse |_| false;
    "PushLast" PushLastRequest PushLastResponse |_| false;
    "Count" CountRequest CountResponse |_| true;
    "GetFileSize" GetFileSizeRequest GetFileSizeResponse |_| true;
    "Clear" ClearRequest ClearResponse |_| false;
    "Rebuild" RebuildRequest RebuildResponse |_| false;
    "ShouldBeRebuilt" ShouldBeRebuiltRequest ShouldBeRebuiltResponse |_| true;
    "Synchronize" SynchronizeRequest SynchronizeResponse |sync| sync.params.is_empty();
    "Search" SearchRequest SearchResponse |_| true;
    "ChangeMaster" ChangeMasterRequest ChangeMasterResponse |_| false;
}

unary! {
    REPLICATION of "hozo.v1.Replication"
    "Status" StatusRequest StatusResponse |_| true;
    "ChangeSource" ChangeSourceRequest ChangeSourceResponse |_| false;
    "Promote" PromoteRequest PromoteResponse |_| false;
    "Conflicts" ConflictsRequest ConflictsResponse |_| true;
    "Prune" PruneRequest PruneResponse |_| false;
}

#[cfg(test)]
mod tests;
