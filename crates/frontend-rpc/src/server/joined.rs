//! Joins what HTTP/2 writes in pieces.
//!
//! `h2` does not copy a message longer than some 256 bytes: it writes it beside
//! its own buffer, and anything that follows, if only the end of the same answer,
//! is a write of its own. A write costs more than answering does, so these are
//! kept until the connection has nothing more to say, and go out as one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(test)]
mod tests;

/// What is kept at most. Longer messages are not copied either.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Room that is kept for the next answers.
const ROOM_BYTES_MAX: usize = 4 << 10;

/// A socket that keeps what is written to it in pieces.
pub(super) struct Joined<IO> {
    io: IO,
    kept: BytesMut,
    hold: Hold,
}

/// Says when what is kept goes out. Clones are of the same.
#[derive(Clone, Default)]
pub(super) struct Hold(Arc<Flags>);

#[derive(Default)]
struct Flags {
    /// Something is kept.
    kept: AtomicBool,
    /// A flush is meant.
    release: AtomicBool,
}

impl Hold {
    /// Whether something is kept.
    pub(super) fn has_kept(&self) -> bool {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// Runs what flushes the socket, which then writes what it has kept.
    pub(super) fn released<T>(&self, flush: impl FnOnce() -> T) -> T {
        self.0.release.store(true, Ordering::Relaxed);
        let flushed = flush();
        self.0.release.store(false, Ordering::Relaxed);
        flushed
    }
}

impl<IO: AsyncWrite + Unpin> Joined<IO> {
    /// Nothing is kept before the first message.
    pub(super) fn new(io: IO) -> (Self, Hold) {
        let hold = Hold::default();
        (Joined { io, kept: BytesMut::new(), hold: hold.clone() }, hold)
    }

    /// Writes all that is kept.
    fn write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &self.kept))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.kept.advance(written);
        }
        // Only what few connections need often is worth its memory.
        if self.kept.capacity() > ROOM_BYTES_MAX {
            self.kept = BytesMut::new();
        }
        self.hold.0.kept.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        self.hold.0.kept.store(true, Ordering::Relaxed);
        pieces.iter().for_each(|piece| self.kept.extend_from_slice(piece));
        pieces.iter().map(|piece| piece.len()).sum()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Joined<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Joined<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if this.kept.len() + length > KEPT_BYTES_MAX {
            ready!(this.write_out(context))?;
        } else if !this.kept.is_empty() || pieces.len() > 1 {
            // More than one piece is a message beside the buffer.
            return Poll::Ready(Ok(this.keep(pieces)));
        }
        Pin::new(&mut this.io).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hold.has_kept() && !self.hold.0.release.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.write_out(context))?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_out(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
