"""What a burst took of memory goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes

TRIM_SECONDS = 30.0


def trim() -> None:
    """Gives free pages within the C library's heap back, where it is glibc (malloc_trim(3)).

    By itself it gives back only what is free at the end, and there lies some small thing that
    stays: after a few bursts of large batches half of the heap was free, and still resident."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


async def trim_for_ever() -> None:
    """In a thread: it takes milliseconds."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim)
