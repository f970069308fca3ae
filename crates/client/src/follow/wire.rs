//! What is on the wire as what the traits have, and back.
//!
//! Nothing that comes in is believed: what cannot be is an error that says what
//! was wrong.

use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::effect::Kind;
use hozo_proto::hozo_v1::update::What as WhatCode;
use hozo_traits::{
    Effect, Error, FeedPart, Position, Reach, Reader, Result, ServerId, SnapshotPart,
    SnapshotPlace, Timestamp, Update, What,
};

use crate::transport::nonsense;

#[cfg(test)]
mod tests;

/// The server sent something that the protocol does not allow.
pub(crate) fn wrong(what: &'static str) -> Error {
    nonsense(what).0
}

/// A server that has to be one.
pub(crate) fn server(id: u32) -> Result<ServerId> {
    ServerId::new(id)
        .map_err(|_| wrong("the server sent a server id that cannot be").with("id", id))
}

/// A server, or none, which is 0.
pub(crate) fn server_if_any(id: u32) -> Result<Option<ServerId>> {
    if id == 0 { Ok(None) } else { server(id).map(Some) }
}

pub(super) fn hello(reader: &Reader, start: proto::hello::Start) -> proto::FollowRequest {
    let hello = proto::Hello {
        server: reader.server.map_or(0, ServerId::get),
        epoch: reader.epoch,
        name: reader.name.clone(),
        acknowledges: reader.acknowledges,
        start: Some(start),
    };
    proto::FollowRequest { request: Some(proto::follow_request::Request::Hello(hello)) }
}

pub(super) fn position_sent(position: &Position) -> proto::Position {
    let reaches = position.iter().map(|(server, reach)| proto::Reach {
        server: server.get(),
        seq: reach.seq,
        digest: reach.digest,
    });
    proto::Position { reaches: reaches.collect() }
}

pub(super) fn place_sent(place: &SnapshotPlace) -> proto::SnapshotPlace {
    let from = Some(position_sent(&place.from));
    proto::SnapshotPlace { from, dbm: place.dbm, key: place.key.clone() }
}

/// A position; none is the empty one.
pub(crate) fn position(position: Option<proto::Position>) -> Result<Position> {
    let mut read = Position::default();
    for reach in position.unwrap_or_default().reaches {
        let (server, reach) = (server(reach.server)?, reach_of(&reach));
        if read.of(server) != Reach::default() {
            let what = "the server sent a position that has one server twice";
            return Err(wrong(what).with("server", server));
        }
        // Nothing of a server is what a position says of those that it lacks.
        if reach.seq > 0 {
            read.set(server, reach);
        }
    }
    Ok(read)
}

fn reach_of(reach: &proto::Reach) -> Reach {
    Reach { seq: reach.seq, digest: reach.digest }
}

fn update(update: proto::Update) -> Result<Update> {
    let Some(reach) = update.reach else {
        return Err(wrong("the server sent an update without a number"));
    };
    let origin = server(reach.server)?;
    if reach.seq == 0 {
        return Err(wrong("the server sent an update with the number 0").with("server", origin));
    }
    let what = match WhatCode::try_from(update.what) {
        Ok(WhatCode::Records) => What::Records {
            dbm: update.dbm,
            effects: effects(update.effects)?,
            reduced: update.reduced,
        },
        Ok(WhatCode::Nothing) => What::Nothing,
        Ok(WhatCode::Epoch) => What::Epoch(update.epoch),
        Ok(WhatCode::Reset) => What::Reset,
        Err(_) => {
            let what = "the server sent an update of a kind that is not known: it may be newer";
            return Err(wrong(what).with("kind", update.what));
        }
    };
    Ok(Update {
        time: Timestamp::from_micros(update.time),
        origin,
        reach: reach_of(&reach),
        server: server_if_any(update.server)?.unwrap_or(origin),
        what,
    })
}

fn effects(sent: Vec<proto::Effect>) -> Result<Vec<Effect>> {
    let alone = sent.len() == 1;
    let effect = |effect: proto::Effect| match Kind::try_from(effect.kind) {
        Ok(Kind::Set) => Ok(Effect::Set { key: effect.key, value: effect.value }),
        Ok(Kind::Remove) => Ok(Effect::Remove { key: effect.key }),
        Ok(Kind::Clear) if alone => Ok(Effect::Clear),
        Ok(Kind::Clear) => Err(wrong("the server sent an update that clears a DBM and does more")),
        Err(_) => {
            let what = "the server sent an effect of a kind that is not known: it may be newer";
            Err(wrong(what).with("kind", effect.kind))
        }
    };
    sent.into_iter().map(effect).collect()
}

pub(super) fn part(part: proto::Part) -> Result<FeedPart> {
    Ok(FeedPart {
        updates: part.updates.into_iter().map(update).collect::<Result<_>>()?,
        position: position(part.position)?,
        head: position(part.head)?,
        newest: Timestamp::from_micros(part.newest),
    })
}

/// Records of a snapshot; `None` at its end.
pub(super) fn snapshot(part: proto::SnapshotPart) -> Result<Option<SnapshotPart>> {
    if part.end {
        return Ok(None);
    }
    let Some(place) = part.place else {
        return Err(wrong("the server sent records of a snapshot without their place"));
    };
    let from = position(place.from)?;
    let place = SnapshotPlace { from, dbm: place.dbm, key: place.key };
    let records = part.records.into_iter().map(|record| (record.key, record.value)).collect();
    Ok(Some(SnapshotPart { place, records, of: part.of }))
}

/// The bytes of an update that count.
pub(super) fn bytes_of(update: &Update) -> usize {
    let What::Records { effects, .. } = &update.what else { return 0 };
    let bytes = effects.iter().map(|effect| match effect {
        Effect::Set { key, value } => key.len().saturating_add(value.len()),
        Effect::Remove { key } => key.len(),
        Effect::Clear => 0,
    });
    bytes.fold(0, usize::saturating_add)
}
