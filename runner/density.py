"""Brings together in memory what a zygote's forks will change, so that they copy fewer of its pages.

What runs and what never does lies side by side after the imports, as it was loaded, and an interpreter that runs code counts references to it
and notes in it what it met. And what a fork allocates goes first into places that were freed, which are all over the memory that it shares.
"""

import ctypes
import gc
import sys
import types

# Of CPython's own allocator: what it cuts objects of one size from, before and since 3.10, with its header; the sizes.
POOL = 16384 if sys.version_info >= (3, 10) else 4096
HEADER = 48
STEP, LARGEST = 16, 512
# What a size may take that never comes to a pool of its own: another allocator is at work.
ENOUGH = 1024 * 1024
# Around the text of a `bytes`.
AROUND = sys.getsizeof(b"")
# Larger places of the C library's allocator than this are not looked for, nor smaller ones than it gives.
CHUNKS = (64 * 1024, 24)
ENOUGH_CHUNKS = 16 * 1024 * 1024

# For as long as the process lives: what fills places, and what would leave some.
kept = []


def run_code(work):
    """What ran during `work`, by the id of the code."""
    ran = {}

    def note(frame, event, _):
        if event == "call":
            ran[id(frame.f_code)] = frame.f_code

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return ran


def gather(ran):
    """Gives the functions that ran equal code, which lies side by side."""
    made = {}

    def anew(code):
        if id(code) not in made:
            consts = tuple(anew(c) if id(c) in ran and type(c) is types.CodeType else c for c in code.co_consts)
            made[id(code)] = code.replace(co_consts=consts)
        return made[id(code)]

    kept.append(ran)
    for function in gc.get_objects():
        if type(function) is types.FunctionType and id(function.__code__) in ran:
            function.__code__ = anew(function.__code__)


def fill():
    """Takes the places that were freed."""
    gc.collect()
    for size in range(HEADER, LARGEST + 1, STEP):
        fill_pools(size)
    fill_chunks(ctypes.CDLL(None))


def fill_pools(size):
    """Until a whole pool was taken from its beginning to its end: then there was none with places left."""
    # Not made longer step by step: that would take places as well.
    row = [None] * ((POOL - HEADER) // size)
    length = 0
    for _ in range(ENOUGH // size):
        taken = bytes(size - AROUND)
        if length and id(taken) != id(row[length - 1]) + size:
            kept.extend(row[:length])
            length = 0
        row[length] = taken
        length += 1
        if length == len(row):
            # This one is free again, all of it.
            return
    kept.extend(row)


def fill_chunks(libc):
    """Below where the C library's allocator has not been yet."""
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
    libc.sbrk.argtypes, libc.sbrk.restype = [ctypes.c_ssize_t], ctypes.c_void_p
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    end = libc.sbrk(0) or 0
    size, smallest = CHUNKS
    left = ENOUGH_CHUNKS
    while size >= smallest and left > 0:
        at = libc.malloc(size)
        if at is not None and at < end:
            left -= size
        else:
            libc.free(at)
            size = size - STEP if size <= 1024 else size * 7 // 8
