"""Clocks: what a difference between this machine's and another's means; pure."""

from __future__ import annotations

from millstream.diagnosis.check import Check, Verdict

TOLERATED_MS = 1_000
HARMFUL_MS = 60_000
"""The recommender's freshness bound: further apart, fresh events get no list."""

_SYNCHRONISE = "Synchronise the clocks of this machine and the servers (NTP, chrony)"


def skew_check(name: str, skew_ms: int) -> Check:
    """`skew_ms`: the other clock less ours."""
    size = abs(skew_ms)
    side = "ahead" if skew_ms > 0 else "behind"
    found = f"{size / 1000:.3f} s {side}"
    if size <= TOLERATED_MS:
        return Check(name, Verdict.OK, found)
    verdict = Verdict.BAD if size > HARMFUL_MS else Verdict.WARNING
    return Check(name, verdict, found, _SYNCHRONISE)


def newest_record_check(name: str, newest_ms: int | None, now_ms: int) -> Check:
    """A record that was logged tells only of a log clock ahead of ours: old ones may be old."""
    if newest_ms is None:
        return Check(name, Verdict.OK, "no records yet to tell from")
    if newest_ms > now_ms:
        return skew_check(name, newest_ms - now_ms)
    return Check(name, Verdict.OK, f"the newest record is {(now_ms - newest_ms) / 1000:.0f} s old")
