//! Many connections.

use hozo_conformance::Rng;

use super::frames::{HEADERS, PREFACE, Raw, SETTINGS, frame};
use crate::server::{Server, eventually};

const COME_AND_GO: usize = 10_000;
const AT_ONCE: usize = 500;
/// What the config of one of these tests allows, and more.
const LIMIT: usize = 200;
const TOO_MANY: usize = 300;

/// Every other one says something that is no HTTP/2 before it goes.
pub(super) fn come_and_go(server: &Server, rng: &mut Rng) {
    for n in 0..COME_AND_GO {
        let mut raw = Raw::connect(server.address());
        if n % 2 == 0 {
            let mut bytes = vec![0; 1 + rng.below(200)];
            rng.fill(&mut bytes);
            raw.say(&bytes);
        }
    }
}

/// Nothing, half a greeting, or a whole one and half a frame; then they wait.
pub(super) fn silent(server: &Server, rng: &mut Rng) {
    let words: [Vec<u8>; 5] = [
        vec![],
        PREFACE[..10].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, 0, 1, &[0x83])[..9]].concat(),
    ];
    let mut waiting = Vec::new();
    for _ in 0..AT_ONCE {
        let mut raw = Raw::connect(server.address());
        raw.say(&rng.pick(&words)[..]);
        waiting.push(raw);
    }
    // All of them are there at once.
    assert!(eventually(|| server.descriptors() >= AT_ONCE), "the server has taken them");
}

/// They will say nothing more: before the greeting, after it, or in a call.
pub(super) fn half_closed(server: &Server, rng: &mut Rng) {
    let mut open = Vec::new();
    for _ in 0..AT_ONCE {
        let mut raw = match rng.below(4) {
            0 => Raw::connect(server.address()),
            _ => Raw::greet(server.address()),
        };
        if rng.one_in(2) {
            let rpc = *rng.pick(&["Get", "Stream", "Iterate", "PopFirst"]);
            raw.begin(1, &format!("/tkrzw_rpc.DBMService/{rpc}"));
        }
        raw.half_close();
        open.push(raw);
    }
    let hung_up = open.iter_mut().filter_map(|raw| raw.drain().then_some(())).count();
    assert_eq!(hung_up, AT_ONCE, "who says nothing more is let go");
}

/// Those beyond the limit are turned away at once, and those within it stay.
pub(super) fn too_many(server: &Server, _rng: &mut Rng) {
    let mut open: Vec<Raw> = (0..TOO_MANY).map(|_| Raw::greet(server.address())).collect();
    let mut turned_away = || open.iter_mut().filter_map(|raw| raw.sip().then_some(())).count();
    assert!(eventually(|| turned_away() >= TOO_MANY - LIMIT), "{} are", turned_away());
    let most = TOO_MANY - LIMIT / 2;
    assert!(turned_away() < most, "{} are turned away", turned_away());
    open.clear();
    let finds_a_place = || !Raw::greet(server.address()).drain();
    assert!(eventually(finds_a_place), "there is room when some have gone");
}
