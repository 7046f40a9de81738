//! Lets forks of a zygote give back memory that is as the zygote's. A library for Python's `ctypes`, compiled by `build.rs`
//! and without Rust's own: what it does to a heap must not be interrupted by the interpreter, whose every step writes to it.

#![no_std]

use core::ffi::{c_int, c_void};

const PAGE: usize = 4096;
const PROT_READ: c_int = 1;
const PROT_WRITE: c_int = 2;
const MAP_PRIVATE: c_int = 2;
const MAP_FIXED: c_int = 0x10;
const MAP_FAILED: *mut c_void = usize::MAX as *mut c_void;
const MADV_DONTNEED: c_int = 4;
const MADV_POPULATE_READ: c_int = 22;
const F_ADD_SEALS: c_int = 1033;
/// Nobody can change it, make it longer or shorter, or undo this.
const SEALS: c_int = 0b1111;
/// Of an entry of a page map: the page is there, and it is nobody else's file's.
const PRESENT: u64 = 1 << 63;
const OF_A_FILE: u64 = 1 << 61;
/// How many entries are read at a time.
const ENTRIES: usize = 512;

unsafe extern "C" {
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    fn memcmp(one: *const c_void, other: *const c_void, length: usize) -> c_int;
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn pread(fd: c_int, into: *mut c_void, length: usize, offset: i64) -> isize;
    fn pwrite(fd: c_int, from: *const c_void, length: usize, offset: i64) -> isize;
}

/// A part of the heap, whole pages.
#[repr(C)]
pub struct Range {
    start: *mut u8,
    length: usize,
}

/// Makes an empty file of memory the one that the ranges are in, one after the other: it gets what they hold, and they become private
/// mappings of it. Returns where another mapping is, which nobody writes to, or else how many steps it took to fail, less than
/// nothing; after a failure of the last the process must end. What is said is returned because the heap is not to be written to.
///
/// # Safety
/// The ranges are anonymous, private and writable mappings; no other thread runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn found(file: c_int, ranges: *const Range, count: usize) -> isize {
    let ranges = unsafe { core::slice::from_raw_parts(ranges, count) };
    let mut offset = 0;
    for range in ranges {
        let mut written = 0;
        while written < range.length {
            let rest = range.length - written;
            let step =
                unsafe { pwrite(file, range.start.add(written).cast(), rest, offset + written as i64) };
            if step <= 0 {
                return -1;
            }
            written += step as usize;
        }
        offset += range.length as i64;
    }
    if unsafe { fcntl(file, F_ADD_SEALS, SEALS) } != 0 {
        return -2;
    }
    let original = unsafe { mmap(core::ptr::null_mut(), offset as usize, PROT_READ, MAP_PRIVATE, file, 0) };
    if original == MAP_FAILED {
        return -3;
    }
    offset = 0;
    for range in ranges {
        let start = range.start.cast();
        let mapped = unsafe {
            mmap(start, range.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, offset)
        };
        if mapped != start {
            return -4;
        }
        // So that forks find it there, and so that it counts for the process that has it. Kernels before 5.14 refuse.
        unsafe { madvise(start, range.length, MADV_POPULATE_READ) };
        offset += range.length as i64;
    }
    original as isize
}

/// Gives back each page of the ranges that was copied when it was written to, and that is again as it was: as in `original`, which has
/// the file's beginning. `page_map` is the process's own. Returns how many, or -1.
///
/// # Safety
/// The ranges are those that [`found`] was given, or what is left of them; no other thread runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn give_back(
    page_map: c_int,
    original: *const u8,
    ranges: *const Range,
    count: usize,
) -> isize {
    let ranges = unsafe { core::slice::from_raw_parts(ranges, count) };
    let mut original = original;
    let mut given = 0;
    for range in ranges {
        match unsafe { give_back_of(page_map, original, range) } {
            Some(of_range) => given += of_range,
            None => return -1,
        }
        original = unsafe { original.add(range.length) };
    }
    given
}

unsafe fn give_back_of(page_map: c_int, original: *const u8, range: &Range) -> Option<isize> {
    let mut entries = [0_u64; ENTRIES];
    let mut given = 0;
    let pages = range.length / PAGE;
    for first in (0..pages).step_by(ENTRIES) {
        let length = 8 * ENTRIES.min(pages - first);
        let offset = (range.start as usize / PAGE + first) * 8;
        if unsafe { pread(page_map, entries.as_mut_ptr().cast(), length, offset as i64) } != length as isize {
            return None;
        }
        for (number, entry) in entries[..length / 8].iter().enumerate() {
            if entry & (PRESENT | OF_A_FILE) != PRESENT {
                continue;
            }
            let at = (first + number) * PAGE;
            let page: *mut c_void = unsafe { range.start.add(at) }.cast();
            let same = unsafe { memcmp(page, original.add(at).cast(), PAGE) } == 0;
            if same && unsafe { madvise(page, PAGE, MADV_DONTNEED) } == 0 {
                given += 1;
            }
        }
    }
    Some(given)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
