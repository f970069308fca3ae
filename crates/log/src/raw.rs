//! The log's memory: what is read from and written to mapped segments.
//!
//! All `unsafe` of the log is here, and rests on three things:
//!
//! - Bytes below a segment's `allocated` mark have space in the file, so that
//!   touching them is no SIGBUS. The mark only grows.
//! - Bytes are written by who holds the log's tail lock, at positions at or
//!   above the head; positions below the head never change. A position becomes
//!   known to others after its bytes were written, through a lock or an atomic.
//! - A segment leaves memory when the log discards it. Who reads a position
//!   sees to it that the position is not discarded meanwhile; this is the
//!   contract of `Log::read`.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::record::{self, Shape};
use super::segment::Segment;
use crate::disk::Mapping;

/// The shape of the record at `at`, if one can be there that ends at or below
/// `end`. `at` is a multiple of 8 in a mapping that is allocated up to `end`.
#[inline]
pub(super) fn shape(memory: &Mapping, at: u64, end: u64) -> Option<Shape> {
    if end > memory.len() as u64 || at >= end || end - at < 8 {
        return None;
    }
    // SAFETY: at..at+8 lies in the mapping and below `end`, which is allocated.
    // Bytes above the head may be written meanwhile: then any bits come out,
    // which every check from here on has to stand anyway.
    let word = unsafe { memory.ptr().add(at as usize).cast::<u64>().read_volatile() };
    let (kind, key, value) = ((word >> 32) as u8, (word >> 40) as u8, (word >> 48) as u8);
    let shape = if key < 0x80 && value < 0x80 {
        Shape { stored: word as u32, kind, header: 7, key: key.into(), value: value.into() }
    } else {
        let len = (end - at).min(record::HEADER_BYTES_MAX as u64) as usize;
        let mut header = [0; record::HEADER_BYTES_MAX];
        copy_out(memory, at, &mut header[..len]);
        record::parse_header(&header[..len])?
    };
    (shape.kind != 0 && shape.bytes() <= end - at).then_some(shape)
}

/// `len` bytes at `at` of a mapping, which the caller knows to be written.
#[inline]
pub(super) fn bytes(memory: &Mapping, at: u64, len: u64) -> &[u8] {
    assert!(at.checked_add(len).is_some_and(|end| end <= memory.len() as u64));
    // SAFETY: the range lies in the mapping. A record's bytes do not change
    // once its position is known (see the module); when there never was a record
    // here, the checksum tells.
    unsafe { std::slice::from_raw_parts(memory.ptr().add(at as usize), len as usize) }
}

/// Copies bytes out of the mapping, from a range that is allocated.
#[inline]
pub(super) fn copy_out(memory: &Mapping, at: u64, to: &mut [u8]) {
    assert!(at.checked_add(to.len() as u64).is_some_and(|end| end <= memory.len() as u64));
    // SAFETY: the range lies in the mapping, and `to` is memory of its own.
    unsafe { ptr::copy_nonoverlapping(memory.ptr().add(at as usize), to.as_mut_ptr(), to.len()) }
}

/// Writes bytes into the mapping, to a range that is allocated and above the
/// head; the caller holds the tail lock.
#[inline]
pub(super) fn write(memory: &Mapping, at: u64, from: &[u8]) {
    assert!(at.checked_add(from.len() as u64).is_some_and(|end| end <= memory.len() as u64));
    // SAFETY: the range lies in the mapping; nobody reads above the head, and
    // the tail lock keeps other writers away.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), memory.ptr().add(at as usize), from.len()) }
}

/// Finds the segment of a position without a lock: a ring of pointers, indexed
/// by segment number.
pub(super) struct Window {
    slots: Box<[AtomicPtr<Segment>]>,
}

impl Window {
    /// A window of `slots` segments, a power of two.
    pub(super) fn new(slots: usize) -> Window {
        assert!(slots.is_power_of_two());
        let slots = Box::new_zeroed_slice(slots);
        // SAFETY: zeros are null pointers. They are taken as zeros, because
        // that takes no memory until a slot is used.
        Window { slots: unsafe { slots.assume_init() } }
    }

    /// How many segment numbers fit.
    pub(super) fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    #[inline]
    fn slot(&self, number: u64) -> &AtomicPtr<Segment> {
        &self.slots[(number & (self.slots.len() as u64 - 1)) as usize]
    }

    /// The segment at this number, or one a multiple of the window away, or
    /// none: the caller looks at its range.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&Segment> {
        let segment = self.slot(number).load(Ordering::Acquire);
        // SAFETY: the pointer is from an Arc that the log holds until the
        // segment is discarded, and longer (see `Log::discard_before`).
        unsafe { segment.as_ref() }
    }

    /// Makes a segment visible; the caller keeps the Arc.
    pub(super) fn set(&self, segment: &Arc<Segment>) {
        for number in segment.numbers() {
            self.slot(number).store(Arc::as_ptr(segment).cast_mut(), Ordering::Release);
        }
    }

    /// Makes a segment invisible.
    pub(super) fn clear(&self, segment: &Segment) {
        for number in segment.numbers() {
            self.slot(number).store(ptr::null_mut(), Ordering::Release);
        }
    }
}

/// Continues a CRC-32C over `bytes`.
#[inline]
pub(super) fn crc(crc: u32, bytes: &[u8]) -> u32 {
    /// From here on the library's three interleaved streams are faster.
    #[cfg(target_arch = "x86_64")]
    const SHORT: usize = 256;
    #[cfg(target_arch = "x86_64")]
    if bytes.len() <= SHORT && std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instructions.
        return unsafe { crc_short(crc, bytes) };
    }
    crc32c::crc32c_append(crc, bytes)
}

/// A small record's checksum is most of what an append costs: no splitting by
/// alignment here, which the library does byte by byte.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
#[inline]
fn crc_short(crc: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u16, _mm_crc32_u32, _mm_crc32_u64};
    let (words, mut rest) = bytes.as_chunks::<8>();
    let mut crc = u64::from(!crc);
    for word in words {
        crc = _mm_crc32_u64(crc, u64::from_le_bytes(*word));
    }
    let mut crc = crc as u32;
    if let Some((part, after)) = rest.split_first_chunk::<4>() {
        crc = _mm_crc32_u32(crc, u32::from_le_bytes(*part));
        rest = after;
    }
    if let Some((part, after)) = rest.split_first_chunk::<2>() {
        crc = _mm_crc32_u16(crc, u16::from_le_bytes(*part));
        rest = after;
    }
    if let [byte] = rest {
        crc = _mm_crc32_u8(crc, *byte);
    }
    !crc
}
