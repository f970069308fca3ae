//! Frames that are wrong, or too many.

use hozo_conformance::Rng;

use super::frames::*;
use crate::server::Server;

const CONNECTIONS: usize = 200;
/// What one connection sends before it is content.
const FLOOD_BYTES: usize = 8 << 20;
const ECHO: &str = "/tkrzw_rpc.DBMService/Echo";

fn random(rng: &mut Rng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; rng.below(most)];
    rng.fill(&mut bytes);
    bytes
}

pub(super) fn garbage(server: &Server, rng: &mut Rng) {
    for _ in 0..CONNECTIONS {
        let mut raw = Raw::connect(server.address());
        let greeted = PREFACE.len().min(rng.below(40));
        let _ = raw.say(&PREFACE[..greeted]) && raw.say(&random(rng, 20_000));
        if rng.one_in(8) {
            raw.drain();
        }
    }
}

/// Each is a frame as to its head, and anything as to the rest.
pub(super) fn garbage_frames(server: &Server, rng: &mut Rng) {
    for _ in 0..CONNECTIONS {
        let mut raw = Raw::greet(server.address());
        for _ in 0..rng.below(60) {
            let stream = rng.below(9) as u32;
            let payload = random(rng, 300);
            let payload = if rng.one_in(3) { call(ECHO) } else { payload };
            let kinds = if rng.one_in(5) { 256 } else { 10 };
            let kind = rng.below(kinds);
            if !raw.say(&frame(kind as u8, rng.next() as u8, stream, &payload)) {
                break;
            }
        }
        if rng.one_in(8) {
            raw.drain();
        }
    }
}

pub(super) fn oversized(server: &Server, rng: &mut Rng) {
    for _ in 0..CONNECTIONS / 4 {
        let mut raw = Raw::greet(server.address());
        raw.begin(1, ECHO);
        let kind = *rng.pick(&[DATA, HEADERS, SETTINGS, PING, CONTINUATION, 77]);
        let mut head = frame(kind, 0, u32::from(kind != SETTINGS), &[]);
        let length = *rng.pick(&[16_385_u32, 1 << 20, (1 << 24) - 1]);
        head[..3].copy_from_slice(&length.to_be_bytes()[1..]);
        if raw.say(&head) {
            let part = vec![0; 64 << 10];
            let _ = (0..length as usize / part.len()).all(|_| raw.say(&part));
        }
    }
}

pub(super) fn endless_headers(server: &Server, rng: &mut Rng) {
    for n in 0..24 {
        let mut raw = Raw::greet(server.address());
        let mut block = call(ECHO);
        // Many small ones, few large ones, and one that has no end at all.
        let more = match n % 3 {
            0 => header("x", 10).repeat(500),
            1 => header("large", 16_000),
            _ => vec![],
        };
        block.truncate(if n % 3 == 2 { 5 } else { block.len() });
        raw.say(&frame(HEADERS, if rng.one_in(2) { END_STREAM } else { 0 }, 1, &block));
        let continued = frame(CONTINUATION, 0, 1, &more);
        let count = FLOOD_BYTES / continued.len().max(1000);
        let _ = (0..count).all(|_| raw.say(&continued));
    }
}

/// A header that is put into the table once, and then named thousands of times in
/// one byte each.
pub(super) fn table_bombs(server: &Server, _rng: &mut Rng) {
    for _ in 0..8 {
        let mut raw = Raw::greet(server.address());
        let mut stored = header("bomb", 3000);
        stored[0] = 0x40;
        let mut block = [call(ECHO), stored].concat();
        block.extend([0xbe; 12_000]);
        for n in 0..64 {
            let said = raw.say(&frame(HEADERS, END_HEADERS, 2 * n + 1, &block));
            raw.sip();
            if !said {
                break;
            }
        }
    }
}

/// Each asks for an answer, and none is read.
pub(super) fn control(server: &Server, _rng: &mut Rng) {
    let floods = [
        frame(PING, 0, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]),
    ];
    for flood in &floods {
        for _ in 0..2 {
            let mut raw = Raw::greet(server.address());
            let many = flood.repeat(1000);
            let _ = (0..FLOOD_BYTES / many.len()).all(|_| raw.say(&many));
        }
    }
}

/// CVE-2023-44487: a call is begun and reset, and so on, as fast as it goes.
pub(super) fn rapid_resets(server: &Server, rng: &mut Rng) {
    for n in 0..16 {
        let mut raw = Raw::greet(server.address());
        let rpc = *rng.pick(&["Stream", "PopFirst", "Echo", "Rebuild"]);
        let path = format!("/tkrzw_rpc.DBMService/{rpc}");
        let mut stream = 1;
        for _ in 0..200 {
            let mut many = Vec::new();
            for _ in 0..50 {
                many.extend(frame(HEADERS, END_HEADERS, stream, &call(&path)));
                if n % 2 == 0 {
                    many.extend(frame(DATA, END_STREAM, stream, &message(&[])));
                }
                many.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
                stream += 2;
            }
            if !raw.say(&many) {
                break;
            }
            if n % 4 < 2 {
                raw.sip();
            }
        }
    }
}

/// Data without a byte in it costs no window.
pub(super) fn empty_frames(server: &Server, _rng: &mut Rng) {
    for n in 0..8 {
        let mut raw = Raw::greet(server.address());
        let path = if n % 2 == 0 { ECHO } else { "/tkrzw_rpc.DBMService/Stream" };
        raw.begin(1, path);
        let many = match n % 4 {
            0 | 1 => frame(DATA, 0, 1, &[]).repeat(2000),
            // One byte of a message in each.
            _ => frame(DATA, 0, 1, &[0]).repeat(2000),
        };
        let _ = (0..FLOOD_BYTES / many.len()).all(|_| raw.say(&many));
    }
}
