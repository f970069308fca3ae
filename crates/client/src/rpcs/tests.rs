use std::collections::BTreeSet;

use super::*;

/// The names of a protocol's unary calls.
fn unary_of(proto: &str) -> BTreeSet<String> {
    let rpcs = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
    let unary = rpcs.filter(|rpc| !rpc.contains("stream "));
    unary.filter_map(|rpc| Some(rpc.split_once('(')?.0.to_owned())).collect()
}

fn names(paths: &[&str], service: &str) -> BTreeSet<String> {
    let ours = paths.iter().map(|path| path.strip_prefix(service));
    ours.map(|name| name.expect("its path").to_owned()).collect()
}

#[test]
fn every_unary_call_is_there() {
    let ours = names(DBM, "/tkrzw_rpc.DBMService/");
    assert_eq!(ours.len(), 24);
    assert_eq!(ours, unary_of(include_str!("../../../proto/proto/tkrzw_rpc.proto")));
    let ours = names(REPLICATION, "/hozo.v1.Replication/");
    assert_eq!(ours.len(), 5);
    assert_eq!(ours, unary_of(include_str!("../../../proto/proto/hozo_v1.proto")));
}
