//! Room for many hashes, zeroed.

use std::mem;
use std::ops::{Deref, DerefMut};

use memmap2::{MmapMut, MmapOptions};

/// From this many bytes on, room is had from the system page by page. An allocator keeps what a growing table leaves
/// behind, and rounds what it hands out: a third more memory, where every byte counts ten million times.
const MAPPED_FROM: usize = 64 << 10;

/// So much more room is asked for than is needed, so that it serves a while. A page costs nothing until it is written to.
const RESERVED: usize = 2;

/// A slice of hashes, zero at first.
#[derive(Default)]
pub(super) struct Slots {
    room: Room,
    len: usize,
    /// How many at the front have ever been in use, so that their pages are there and may hold anything.
    touched: usize,
}

enum Room {
    Heap(Box<[u128]>),
    Mapped(MmapMut),
}

impl Default for Room {
    fn default() -> Self {
        Self::Heap(Box::default())
    }
}

impl Slots {
    /// `len` zeroes, in the room that `spare` has if that suffices: its pages need not be had again.
    pub(super) fn zeroed(len: usize, spare: &mut Self) -> Self {
        if len <= spare.spacious() {
            let mut slots = mem::take(spare);
            slots.len = slots.touched;
            slots.fill(0);
            (slots.len, slots.touched) = (len, slots.touched.max(len));
            return slots;
        }
        let bytes = len.saturating_mul(size_of::<u128>());
        if bytes >= MAPPED_FROM
            && let Ok(map) = MmapOptions::new().len(bytes.saturating_mul(RESERVED)).map_anon()
        {
            return Self { room: Room::Mapped(map), len, touched: len };
        }
        Self { room: Room::Heap(vec![0; len].into_boxed_slice()), len, touched: len }
    }

    /// Is no longer needed, but its room may be.
    pub(super) fn leave(self, spare: &mut Self) {
        if self.spacious() > spare.spacious() {
            *spare = self;
        }
    }

    /// How many have ever been in use: what it costs, in hashes.
    pub(super) fn touched(&self) -> usize {
        self.touched
    }

    /// How long it can become where it is.
    fn spacious(&self) -> usize {
        match &self.room {
            Room::Heap(_) => 0,
            Room::Mapped(map) => map.len() / size_of::<u128>(),
        }
    }
}

impl Deref for Slots {
    type Target = [u128];

    fn deref(&self) -> &[u128] {
        match &self.room {
            Room::Heap(slots) => slots,
            // A map begins at a page, so its address suits any number.
            Room::Mapped(map) => &bytemuck::cast_slice(map)[..self.len],
        }
    }
}

impl DerefMut for Slots {
    fn deref_mut(&mut self) -> &mut [u128] {
        match &mut self.room {
            Room::Heap(slots) => slots,
            Room::Mapped(map) => &mut bytemuck::cast_slice_mut(map)[..self.len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(slots: &mut Slots) {
        for (value, slot) in (1..).zip(slots.iter_mut()) {
            *slot = value;
        }
    }

    fn is_filled(slots: &[u128]) -> bool {
        slots.iter().copied().eq((1..).take(slots.len()))
    }

    #[test]
    fn small_and_large_rooms_are_zeroed_and_hold_what_is_put_in() {
        for len in [0, 1, 4_095, 4_096, 4_097, 100_001] {
            let mut slots = Slots::zeroed(len, &mut Slots::default());
            assert_eq!(matches!(slots.room, Room::Mapped(_)), len >= 4_096, "{len}");
            assert!(slots.len() == len && slots.iter().all(|&slot| slot == 0));
            fill(&mut slots);
            assert!(is_filled(&slots));
        }
    }

    #[test]
    fn spare_room_is_zeroed_and_serves_whoever_fits_into_it() {
        let mut spare = Slots::default();
        let mut first = Slots::zeroed(5_000, &mut spare);
        fill(&mut first);
        first.leave(&mut spare);
        assert_eq!(spare.touched(), 5_000);
        for len in [6_000, 4_000, 10_000] {
            let mut next = Slots::zeroed(len, &mut spare);
            assert!(spare.is_empty() && next.len() == len && next.iter().all(|&slot| slot == 0), "{len}");
            fill(&mut next);
            next.leave(&mut spare);
        }
        let larger = Slots::zeroed(10_001, &mut spare);
        assert_eq!((larger.touched(), spare.touched()), (10_001, 10_000));
        larger.leave(&mut spare);
        assert_eq!(spare.touched(), 10_001);
        Slots::zeroed(3, &mut Slots::default()).leave(&mut spare);
        assert_eq!(spare.touched(), 10_001);
    }
}
