//! Calls that are wrong in themselves, and other services.

use hozo_proto::tkrzw_rpc::*;
use tonic::{Code, Status};

use super::Clause;
use crate::kit::{Kit, b};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("every_call_minds_its_index", index),
    Clause::new("every_call_minds_a_negative_index", negative_index).ours(),
    Clause::new("an_unknown_method_is_not_implemented", unknown_method),
];

fn index(kit: &Kit) {
    wrong_indices(kit, &[10_000, i32::MAX]);
}

fn negative_index(kit: &Kit) {
    wrong_indices(kit, &[-1, i32::MIN]);
}

fn wrong_indices(kit: &Kit, indices: &[i32]) {
    for &index in indices {
        let mut answers = answers(kit, index);
        if index >= 0 {
            let inspect = kit.inspect(InspectRequest { dbm_index: index });
            answers.push(("Inspect", inspect.map(drop)));
        }
        for (rpc, answer) in answers {
            let error = answer.expect_err(rpc);
            assert_eq!(error.code(), Code::InvalidArgument, "{rpc}");
            assert_eq!(error.message(), "dbm_index is out of range", "{rpc}");
        }
    }
}

fn answers(kit: &Kit, dbm_index: i32) -> Vec<(&'static str, Result<(), Status>)> {
    let key = b("key");
    macro_rules! ask {
        ($($rpc:ident $request:ident $({ $($field:ident),* })?;)*) => {
            vec![$((
                stringify!($rpc),
                #[allow(clippy::needless_update)]
                kit.$rpc($request { dbm_index, $($($field: $field.clone().into(),)*)? ..Default::default() }).map(drop),
            )),*]
        };
    }
    ask! {
        get GetRequest { key };
        get_multi GetMultiRequest;
        set SetRequest { key };
        set_multi SetMultiRequest;
        remove RemoveRequest { key };
        remove_multi RemoveMultiRequest;
        append AppendRequest { key };
        append_multi AppendMultiRequest;
        compare_exchange CompareExchangeRequest { key };
        increment IncrementRequest { key };
        compare_exchange_multi CompareExchangeMultiRequest;
        rekey RekeyRequest;
        pop_first PopFirstRequest;
        push_last PushLastRequest;
        count CountRequest;
        get_file_size GetFileSizeRequest;
        clear ClearRequest;
        rebuild RebuildRequest;
        should_be_rebuilt ShouldBeRebuiltRequest;
        synchronize SynchronizeRequest;
        search SearchRequest;
    }
}

fn unknown_method(kit: &Kit) {
    for path in ["/tkrzw_rpc.DBMService/Nonsense", "/nobody.Knows/This", "/x"] {
        let channel = kit.run(async { crate::kit::channel(kit.address()) });
        let error = kit.run(async move {
            let mut grpc = tonic::client::Grpc::new(channel);
            grpc.ready().await.expect("connected");
            let codec = tonic_prost::ProstCodec::<EchoRequest, EchoResponse>::default();
            let request = tonic::Request::new(EchoRequest::default());
            grpc.unary(request, path.parse().expect("a path"), codec).await.expect_err("unknown")
        });
        assert_eq!(error.code(), Code::Unimplemented, "{path}: {error:?}");
    }
}
