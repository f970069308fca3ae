use std::collections::BTreeSet;

use super::*;

/// The names of unary calls, as the protocol has them.
fn unary_of_the_protocol() -> BTreeSet<String> {
    let proto = include_str!("../../../proto/proto/tkrzw_rpc.proto");
    let rpcs = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
    let unary = rpcs.filter(|rpc| !rpc.contains("stream "));
    unary.filter_map(|rpc| Some(rpc.split_once('(')?.0.to_owned())).collect()
}

#[test]
fn every_unary_call_is_there() {
    let ours = PATHS.iter().map(|path| path.strip_prefix("/tkrzw_rpc.DBMService/"));
    let ours: BTreeSet<String> = ours.map(|name| name.expect("its path").to_owned()).collect();
    assert_eq!(ours.len(), 24);
    assert_eq!(ours, unary_of_the_protocol());
}
