//! Following servers that say what a test wants.

mod acknowledging;
mod commits;
mod connecting;
pub(crate) mod fake;
mod hostile;
mod native;
mod real;
mod silence;
mod snapshots;
mod tkrzw;

use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_traits::{Position, Reach, Reader, ServerId};

/// Who waited so often, while everything is in this process, waits in vain.
const WAITS_MAX: usize = 100_000;

pub(crate) fn server(id: u32) -> ServerId {
    ServerId::new(id).expect("an id")
}

/// A position with these numbers, whose digests are as many.
pub(crate) fn position(reaches: &[(u32, u64)]) -> Position {
    let reach = |&(id, seq): &(u32, u64)| {
        (server(id), Reach { seq, digest: u32::try_from(seq).expect("small") })
    };
    reaches.iter().map(reach).collect()
}

fn wire(reaches: &[(u32, u64)]) -> Option<proto::Position> {
    let reach = |&(server, seq): &(u32, u64)| reach(server, seq);
    Some(proto::Position { reaches: reaches.iter().map(reach).collect() })
}

fn reach(server: u32, seq: u64) -> proto::Reach {
    proto::Reach { server, seq, digest: u32::try_from(seq).expect("small") }
}

/// Server 7's welcome, in epoch 3, with two DBMs, after 7:10.
fn welcome() -> proto::FollowResponse {
    said(Response::Welcome(proto::Welcome {
        server: 7,
        epoch: 3,
        dbms: vec!["casket".to_owned(), "log".to_owned()],
        head: wire(&[(7, 10)]),
        newest: 1000,
    }))
}

fn said(response: Response) -> proto::FollowResponse {
    proto::FollowResponse { response: Some(response) }
}

/// Server 7's update with this number: a record of so many bytes.
fn update(seq: u64, bytes: usize) -> proto::Update {
    let value = vec![0; bytes - 1].into();
    proto::Update {
        time: 100 * seq,
        reach: Some(reach(7, seq)),
        effects: vec![proto::Effect { kind: 0, key: "k".into(), value }],
        ..proto::Update::default()
    }
}

/// A part whose updates end at 7:`seq`.
fn part(updates: Vec<proto::Update>, seq: u64) -> proto::FollowResponse {
    let (position, head) = (wire(&[(7, seq)]), wire(&[(7, seq.max(10))]));
    said(Response::Part(proto::Part { updates, position, head, newest: 100 * seq }))
}

/// A program that acknowledges.
fn reader() -> Reader {
    Reader { server: None, epoch: 2, name: "a copy".to_owned(), acknowledges: true }
}
