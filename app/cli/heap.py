"""The memory of a worker: what is loaded for good, what a call leaves behind, what goes back to the system."""

import ctypes
import gc
import threading

YOUNG_OBJECTS = 400_000
"""Objects made between two garbage collections: more than a call with a long chart makes, so that few calls pay."""

COLLECT_SECONDS = 20.0
"""How often a worker collects all the same: a request leaves a few objects that hold each other."""

ARENAS = 2
"""Heaps of the C library, which its threads share; by default it makes eight for each core."""

_ARENA_MAX = -8  # of malloc.h
_LIBRARY = ctypes.CDLL(None)


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
    """Start the thread that collects, in the process at hand, and gives what is free back to the system.

    It takes a few milliseconds, and none of a call's: doing so at every call would cost a tenth of it.
    """
    threading.Thread(target=_collect, name="collector", daemon=True).start()


def _collect() -> None:
    pause, trim = threading.Event(), getattr(_LIBRARY, "malloc_trim", None)
    while not pause.wait(COLLECT_SECONDS):
        gc.collect()
        if trim is not None:  # glibc has it
            trim(0)


def _bound() -> None:
    """Have the C library keep few heaps, where it is glibc: each keeps what the longest chart in it took."""
    mallopt = getattr(_LIBRARY, "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
