//! Journals and temporary files: in memory, then in a private unlinked file.

use std::fs::File;
use std::io::ErrorKind as Io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use hozo_traits::{Error, ErrorKind, Result};

/// Bytes are kept in pieces of this size, so that growing copies nothing.
const CHUNK: usize = 64 << 10;

/// A file that only its owner sees and that ends with it.
pub(crate) struct MemFile {
    contents: Contents,
    size: u64,
    memory_bytes_max: usize,
}

enum Contents {
    Memory(Vec<Box<[u8; CHUNK]>>),
    Spilled(File),
}

impl MemFile {
    /// An empty file that keeps so much in memory.
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        MemFile { contents: Contents::Memory(Vec::new()), size: 0, memory_bytes_max }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buf` with what is at `offset`; how many bytes there were.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let there = self.size.saturating_sub(offset).min(buf.len() as u64) as usize;
        let buf = &mut buf[..there];
        match &self.contents {
            Contents::Spilled(file) => file.read_exact_at(buf, offset).map_err(io)?,
            Contents::Memory(chunks) => {
                for (chunk, within, part) in parts(offset, there) {
                    buf[part.clone()].copy_from_slice(&chunks[chunk][within..within + part.len()]);
                }
            }
        }
        Ok(there)
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let end = offset.checked_add(data.len() as u64).ok_or_else(|| {
            Error::new(ErrorKind::TooLarge, "a temporary file would be too large")
        })?;
        if end > self.memory_bytes_max as u64 {
            self.spill()?;
        }
        match &mut self.contents {
            Contents::Spilled(file) => file.write_all_at(data, offset).map_err(io)?,
            Contents::Memory(chunks) => {
                let needed = (end as usize).div_ceil(CHUNK);
                if chunks.len() < needed {
                    chunks.resize_with(needed, || Box::new([0; CHUNK]));
                }
                for (chunk, within, part) in parts(offset, data.len()) {
                    chunks[chunk][within..within + part.len()].copy_from_slice(&data[part]);
                }
            }
        }
        self.size = self.size.max(end);
        Ok(())
    }

    pub(crate) fn truncate(&mut self, size: u64) -> Result<()> {
        if size >= self.size {
            return Ok(());
        }
        match &mut self.contents {
            Contents::Spilled(file) => file.set_len(size).map_err(io)?,
            Contents::Memory(chunks) => {
                chunks.truncate((size as usize).div_ceil(CHUNK));
                let within = size as usize % CHUNK;
                if let Some(last) = chunks.last_mut().filter(|_| within > 0) {
                    // What grows back reads as zeros.
                    last[within..].fill(0);
                }
            }
        }
        self.size = size;
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let Contents::Memory(chunks) = &mut self.contents else { return Ok(()) };
        let file = tempfile::tempfile_in(directory()).map_err(io)?;
        for (i, chunk) in chunks.iter().enumerate() {
            let offset = i * CHUNK;
            let len = (self.size as usize).saturating_sub(offset).min(CHUNK);
            file.write_all_at(&chunk[..len], offset as u64).map_err(io)?;
        }
        self.contents = Contents::Spilled(file);
        Ok(())
    }
}

/// The pieces of `len` bytes at `offset`: which chunk, where in it, and where
/// in the caller's buffer.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset as usize + done;
        let within = at % CHUNK;
        let n = (CHUNK - within).min(len - done);
        let part = done..done + n;
        done += n;
        Some((at / CHUNK, within, part))
    })
}

/// Where temporary files go, in the order in which SQLite's own VFS looks.
/// `/tmp` comes late: it is often memory itself.
fn directory() -> PathBuf {
    let from_environment =
        ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/var/tmp", "/usr/tmp", "/tmp"].into_iter().map(PathBuf::from);
    from_environment.chain(usual).find(|dir| dir.is_dir()).unwrap_or_else(|| PathBuf::from("."))
}

fn io(e: std::io::Error) -> Error {
    let kind = match e.kind() {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::TooLarge,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "a temporary file cannot be used; TMPDIR says where they go").caused_by(e)
}

#[cfg(test)]
mod tests;
