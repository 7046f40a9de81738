"""What a zygote's forks share of its memory, and how they give back what they have copied of it for nothing.

CPython counts references in the objects themselves, so that a fork copies a page as soon as it looks at an object there. Four of ten
pages that an application copies while it starts are again as they were soon after. So the zygote puts its heap into a file of
memory that nobody can change any more, of which it and its forks have private mappings: a page that equals the file's is given
back, and the next who reads it sees the file's. The two steps are `template.rs`, since no instruction of Python may come between what they do.
"""

import ctypes
import os
import sys

# The library's own.
PAGE = 4096
# Smaller mappings are not worth one more: the bulk is in the allocators' arenas.
SMALLEST = 256 * 1024
# Of an entry of a page map.
PRESENT = 1 << 63
# Pages in a row that nothing was written to, and that are not worth another mapping.
GAP = 8
# What failed when the heap may be half of it in the file.
TORN = -4


class Range(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Torn(Exception):
    """The heap is not to be relied on."""


class Template:
    """The heap as it was when this was made, by a process with one thread."""

    def __init__(self, library, maps, page_map):
        """`maps` and `page_map` are descriptors of the files of that name that the kernel has of this process."""
        if os.sysconf("SC_PAGE_SIZE") != PAGE:
            raise OSError("pages of another size")
        # Holds the interpreter: who else would want it must wait.
        self.library = ctypes.PyDLL(library)
        self.library.found.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
        self.library.found.restype = ctypes.c_ssize_t
        self.library.give_back.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        self.library.give_back.restype = ctypes.c_ssize_t
        file = os.memfd_create("previewd-template", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            ranges = [run for start, end in heap(maps) for run in used(page_map, start, end)]
            self.ranges = (Range * len(ranges))(*ranges)
            self.original = self.library.found(file, self.ranges, len(ranges))
            if self.original == TORN:
                raise Torn
            if self.original < 0:
                raise OSError("step %d" % -self.original)
        finally:
            os.close(file)

    def give_back(self):
        """Returns whether it could be tried. To be called when other threads have long been idle."""
        if not others_wait():
            return False
        page_map = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self.library.give_back(page_map, self.original, self.ranges, len(self.ranges)) >= 0
        finally:
            os.close(page_map)


def others_wait():
    """Whether each other thread waits for work: who does anything else may write to the heap without the interpreter."""
    import concurrent.futures.thread
    import threading

    waiting = (threading.Condition.wait.__code__, concurrent.futures.thread._worker.__code__)
    frames = sys._current_frames()
    del frames[threading.get_ident()]
    known = len(os.listdir("/proc/self/task")) == len(frames) + 1
    return known and all(frame.f_code in waiting for frame in frames.values())


def heap(maps):
    """The mappings that allocators made: start and end of each."""
    with open(maps, encoding="utf-8", errors="replace", closefd=False) as lines:
        for line in lines:
            span, rights, _, _, inode, *name = line.split()
            start, end = (int(end, 16) for end in span.split("-"))
            if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]) and end - start >= SMALLEST:
                yield start, end


def used(page_map, start, end):
    """What of it was ever written to, but for short gaps: start and length of each part."""
    entries = memoryview(os.pread(page_map, (end - start) // PAGE * 8, start // PAGE * 8)).cast("Q")
    written = [number for number, entry in enumerate(entries) if entry & PRESENT]
    first = 0
    for place, number in enumerate(written):
        if place + 1 == len(written) or written[place + 1] - number > GAP:
            yield start + written[first] * PAGE, (number + 1 - written[first]) * PAGE
            first = place + 1
