use std::task::Waker;

use super::*;

/// A socket that takes so many bytes until there is room again.
#[derive(Default)]
struct Socket {
    writes: Vec<Vec<u8>>,
    room: usize,
    shut: bool,
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(self.room);
        if length == 0 {
            return Poll::Pending;
        }
        self.room -= length;
        self.writes.push(bytes[..length].to_vec());
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Poll::Ready(Ok(()))
    }
}

fn joined(room: usize) -> (Joined<Socket>, Hold) {
    Joined::new(Socket { room, ..Socket::default() })
}

fn write(joined: &mut Joined<Socket>, pieces: &[&[u8]]) -> Option<usize> {
    let pieces: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(joined).poll_write_vectored(&mut context, &pieces) {
        Poll::Ready(written) => Some(written.unwrap()),
        Poll::Pending => None,
    }
}

fn flush(joined: &mut Joined<Socket>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(Pin::new(joined).poll_flush(&mut context), Poll::Ready(Ok(())))
}

#[test]
fn what_is_one_piece_goes_out_at_once() {
    let (mut joined, hold) = joined(100);
    assert_eq!(write(&mut joined, &[b"an answer"]), Some(9));
    assert!(!hold.has_kept());
    assert_eq!(joined.io.writes, [b"an answer"]);
}

#[test]
fn pieces_go_out_as_one_when_they_are_let_go() {
    let (mut joined, hold) = joined(100);
    assert_eq!(write(&mut joined, &[b"head ", b"message "]), Some(13));
    assert!(flush(&mut joined) && hold.has_kept(), "it says so, and waits for the rest");
    assert_eq!(write(&mut joined, &[b"end"]), Some(3));
    assert!(joined.io.writes.is_empty());
    assert!(hold.released(|| flush(&mut joined)) && !hold.has_kept());
    assert_eq!(joined.io.writes, [b"head message end"]);
}

#[test]
fn a_socket_without_room_keeps_the_order() {
    let (mut joined, hold) = joined(4);
    write(&mut joined, &[b"abc", b"def"]);
    assert!(!hold.released(|| flush(&mut joined)), "there is no room for all of it");
    assert_eq!(write(&mut joined, &[b"ghi"]), Some(3));
    joined.io.room = 100;
    assert!(hold.released(|| flush(&mut joined)) && !hold.has_kept());
    assert_eq!(joined.io.writes.concat(), b"abcdefghi");
}

#[test]
fn no_more_is_kept_than_may_be() {
    let (mut joined, hold) = joined(0);
    let piece = [7; KEPT_BYTES_MAX / 2];
    assert_eq!(write(&mut joined, &[&piece[..9], &piece]), Some(piece.len() + 9));
    assert_eq!(write(&mut joined, &[&piece]), None, "it would be more");
    joined.io.room = usize::MAX;
    assert_eq!(write(&mut joined, &[&piece]), Some(piece.len()));
    assert!(!hold.has_kept());
    let lengths: Vec<usize> = joined.io.writes.iter().map(Vec::len).collect();
    assert_eq!(lengths, [piece.len() + 9, piece.len()]);
    assert_eq!(joined.kept.capacity(), 0, "what was used once is given back");
}

#[test]
fn nothing_is_kept_back_at_the_end() {
    let (mut joined, _) = joined(100);
    write(&mut joined, &[b"go", b"away"]);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut joined).poll_shutdown(&mut context).is_ready());
    assert_eq!(joined.io.writes, [b"goaway"]);
    assert!(joined.io.shut);
}
