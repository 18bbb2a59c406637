"""Moved into the package, where `millstream chaos` runs it too."""

from millstream.local.chaos.made_up_log import (
    HOUR_MS,
    ITEMS,
    KINDS,
    Log,
    Oracle,
    Place,
    lengths,
    make_log,
    name_of,
    recount,
)

__all__ = [
    "HOUR_MS",
    "ITEMS",
    "KINDS",
    "Log",
    "Oracle",
    "Place",
    "lengths",
    "make_log",
    "name_of",
    "recount",
]
