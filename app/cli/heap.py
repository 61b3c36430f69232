"""The memory of a worker: what is loaded for good, what a call leaves behind, what goes back to the system."""

import ctypes
import gc
import threading

YOUNG_OBJECTS = 400_000
"""Objects made between two garbage collections: more than a call with a long chart makes, so that few calls pay."""

COLLECT_SECONDS = 20.0
"""How often a worker collects all the same: a request leaves a few objects that hold each other."""

LARGE_BYTES = 1 << 20
"""What is larger is asked of the system piece by piece and given back at once."""

ARENAS = 2
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # names of malloc.h


def settle_memory() -> None:
    """Take what is loaded out of garbage collection for good, and let a call be collected after, not within it.

    The knowledge is some ten thousand objects that never go: walking over them while a body is parsed costs more
    than parsing. Workers share their pages with the process that they were forked from.
    """
    _bound()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def collect_now_and_then() -> None:
    """Start the thread that collects, in the process at hand. It takes a millisecond or two."""
    threading.Thread(target=_collect, name="collector", daemon=True).start()


def _collect() -> None:
    pause = threading.Event()
    while not pause.wait(COLLECT_SECONDS):
        gc.collect()


def _bound() -> None:
    """Have the C library keep little of what is free, where it is glibc.

    It would give each thread a heap of its own, and never again ask the system for a large piece by itself once one
    was freed: each heap then keeps what the longest chart took.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, LARGE_BYTES)):
            mallopt(name, value)
