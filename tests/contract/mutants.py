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
        "if call.to <= fence then return states(call, {'STALE', decimal(fence), ''}) end",
        "",
    ),
    "what was applied is applied again": ("if op.offset >= fence then", "if true then"),
    "no dedupe": ("if seen_before(user, op.digest) then return 'd' end", ""),
    "ids go by the record's own clock": (
        "return slowest - call.limits[1]",
        "return call.clock - call.limits[1]",
    ),
    "ids go before every partition has a clock": (
        "if #clocks < call.limits[3] then return nil end",
        "if #clocks == 0 then return nil end",
    ),
    "no erase mark": (
        "if user.mark and (op.log_ms <= user.mark or op.event_ms <= user.mark) then return 'e' end",
        "",
    ),
    "an erase does not remember its own id": (
        "user.ids, user.added = {[op.digest] = op.log_ms}, 1",
        "user.ids, user.added = {}, 0",
    ),
    "an erased shopper's ids still count": ("if user.wiped then return false end", ""),
}


def mutant(name: str) -> str:
    """Raises AssertionError where the library no longer holds what is to be taken out."""
    rule, instead = MUTATIONS[name]
    assert SOURCE.count(rule) == 1, f"mutation {name!r} does not fit the library any more"
    return SOURCE.replace(rule, instead)
