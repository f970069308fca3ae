//! HTTP/2 by hand: only what a client that means harm has to say.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// How long a socket may take nothing before its client gives up: a server that
/// does not read makes it wait, as it should.
pub(super) const STUCK: Duration = Duration::from_millis(500);

/// A frame, whatever it says.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a call, as HPACK has them without its tables.
pub(super) fn call(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let text = |block: &mut Vec<u8>, text: &str| {
        block.push(u8::try_from(text.len()).expect("short"));
        block.extend(text.as_bytes());
    };
    block.push(0x04);
    text(&mut block, path);
    block.push(0x01);
    text(&mut block, "localhost");
    block.extend([0x0f, 0x10]);
    text(&mut block, "application/grpc");
    block.push(0x00);
    text(&mut block, "te");
    text(&mut block, "trailers");
    block
}

/// A header of that name with a value of that many bytes.
pub(super) fn header(name: &str, bytes: usize) -> Vec<u8> {
    let mut block = vec![0x00, u8::try_from(name.len()).expect("short")];
    block.extend(name.as_bytes());
    // A number with a prefix of 7 bits.
    let mut rest = bytes;
    if rest < 127 {
        block.push(u8::try_from(rest).expect("short"));
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).expect("short") | 0x80);
            rest /= 128;
        }
        block.push(u8::try_from(rest).expect("short"));
    }
    block.extend(std::iter::repeat_n(b'x', bytes));
    block
}

/// A message of gRPC.
pub(super) fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&[0][..], &length, bytes].concat()
}

/// A connection that says what it is told to.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Says nothing yet.
    pub(super) fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("a server that listens takes connections");
        stream.set_write_timeout(Some(STUCK)).expect("a time");
        stream.set_read_timeout(Some(STUCK)).expect("a time");
        stream.set_nodelay(true).expect("a socket");
        Raw(stream)
    }

    /// Has said what every client of HTTP/2 begins with.
    pub(super) fn greet(address: &str) -> Raw {
        Raw::greet_with(address, &[])
    }

    /// The same with settings: pairs of a number and a value.
    pub(super) fn greet_with(address: &str, settings: &[(u16, u32)]) -> Raw {
        let mut raw = Raw::connect(address);
        let pairs = settings.iter();
        let payload: Vec<u8> = pairs
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let _said = raw.say(PREFACE) && raw.say(&frame(SETTINGS, 0, 0, &payload));
        raw
    }

    /// Whether it could be said: not if the server has hung up, or has not read
    /// for long.
    pub(super) fn say(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Begins a call.
    pub(super) fn begin(&mut self, stream: u32, path: &str) -> bool {
        self.say(&frame(HEADERS, END_HEADERS, stream, &call(path)))
    }

    /// Will say nothing more, and listens.
    pub(super) fn half_close(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Reads what there is, until there is nothing for a while. Whether the
    /// server has hung up.
    pub(super) fn drain(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return false;
                }
                Err(_) => return true,
            }
        }
    }

    /// Takes what came and does not wait for more. Whether the server has hung
    /// up.
    pub(super) fn sip(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        self.0.set_nonblocking(true).expect("a socket");
        let ended = loop {
            match self.0.read(&mut buffer) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(e) => break e.kind() != ErrorKind::WouldBlock,
            }
        };
        self.0.set_nonblocking(false).expect("a socket");
        ended
    }
}
