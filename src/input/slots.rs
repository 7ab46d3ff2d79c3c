//! Room for many hashes, zeroed.

use std::ops::{Deref, DerefMut};

use memmap2::{MmapMut, MmapOptions};

/// From this many bytes on, room is had from the system page by page and given back at once. An allocator keeps what a
/// growing table leaves behind, and rounds what it hands out: a third more memory, where every byte counts ten million
/// times.
const MAPPED_FROM: usize = 64 << 10;

/// A slice of hashes, zero at first.
pub(super) enum Slots {
    Heap(Box<[u128]>),
    Mapped { map: MmapMut, len: usize },
}

impl Slots {
    pub(super) fn zeroed(len: usize) -> Self {
        let bytes = len.saturating_mul(size_of::<u128>());
        if bytes >= MAPPED_FROM
            // All of it is filled at once, so that its pages had better come together.
            && let Ok(map) = MmapOptions::new().len(bytes).populate().map_anon()
        {
            return Self::Mapped { map, len };
        }
        Self::Heap(vec![0; len].into_boxed_slice())
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::Heap(Box::default())
    }
}

impl Deref for Slots {
    type Target = [u128];

    fn deref(&self) -> &[u128] {
        match self {
            Self::Heap(slots) => slots,
            // A map begins at a page, so its address suits any number.
            Self::Mapped { map, len } => &bytemuck::cast_slice(map)[..*len],
        }
    }
}

impl DerefMut for Slots {
    fn deref_mut(&mut self) -> &mut [u128] {
        match self {
            Self::Heap(slots) => slots,
            Self::Mapped { map, len } => &mut bytemuck::cast_slice_mut(map)[..*len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_rooms_are_zeroed_and_hold_what_is_put_in() {
        for len in [0, 1, 4_095, 4_096, 4_097, 100_001] {
            let mut slots = Slots::zeroed(len);
            assert_eq!(matches!(slots, Slots::Mapped { .. }), len >= 4_096, "{len}");
            assert!(slots.len() == len && slots.iter().all(|&slot| slot == 0));
            for (value, slot) in (1..).zip(slots.iter_mut()) {
                *slot = value;
            }
            assert!(slots.iter().copied().eq((1..).take(len)));
        }
    }
}
