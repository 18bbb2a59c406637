"""The Redis library, each time without one of the rules that make it exact."""

from __future__ import annotations

from importlib import resources

SOURCE = (
    resources.files("millstream.stores").joinpath("functions", "millstream.lua").read_text("utf-8")
)

MUTATIONS = {
    "no GAP check": (
        "if call.from > fence then return {'GAP', decimal(fence)} end",
        "",
    ),
    "no STALE check": (
        "if call.to <= fence then return with_states(call, {'STALE', decimal(fence), ''}) end",
        "",
    ),
    "what was applied is applied again": ("if op.offset >= fence then", "if true then"),
    "no dedupe": ("if seen_before(call, user, op) then return 'd' end", ""),
    "ids go by the record's own clock": (
        "return slowest - call.limits[1]",
        "return call.clock - call.limits[1]",
    ),
    "ids go before every partition has a clock": (
        "if #clocks < call.limits[3] then return nil end",
        "if #clocks == 0 then return nil end",
    ),
    "no erase mark": ("if is_erased(user, op) then return 'e' end", ""),
    "an erase does not remember its own id": (
        "if op.kind ~= ERASE or op.event_ms > op.log_ms then take_id(user, op) end",
        "if op.kind ~= ERASE then take_id(user, op) end",
    ),
    "an erased shopper's ids still count": ("    user.ids = ''\n", ""),
    "one tenant's ledger for all": (
        "call.tenants[op.tenant] or false",
        "call.tenants[1] or false",
    ),
}


def mutant(name: str) -> str:
    """Raises LookupError where the library no longer holds what is to be taken out."""
    rule, instead = MUTATIONS[name]
    if SOURCE.count(rule) != 1:
        raise LookupError(f"mutation {name!r} does not fit the library any more")
    return SOURCE.replace(rule, instead)


CHECKS = {
    "gap-check": "no GAP check",
    "dedupe": "no dedupe",
    "slowest-clock": "ids go by the record's own clock",
    "erase-check": "no erase mark",
    "witness": None,
}
"""What `millstream chaos --without` may switch off. The witness is compared by the worker, which
reads MILLSTREAM_CHAOS_WITHOUT; the others are taken out of the library."""


def without_check(check: str) -> str:
    """The library to load; raises as `mutant` does."""
    name = CHECKS[check]
    return SOURCE if name is None else mutant(name)
