"""Who asks for little waits for a piece of a batch, not for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from millstream.gateway.intake import ACCEPTED, Judged, Record
from millstream.gateway.turns import PIECE, Turns

BATCH = [b"%d" % n for n in range(20 * PIECE)]


def judge(said: Sequence[bytes]) -> Judged:
    """The events of two shoppers, one after the other."""
    known = dict.fromkeys((f"p{int(one) % 2}", f"raw-{int(one) % 2}") for one in said)
    return Judged([ACCEPTED] * len(said), [Record(one, one) for one in said], tuple(known))


@pytest.mark.parametrize("n", [1, PIECE, PIECE + 1, len(BATCH)])
async def test_what_is_judged_in_pieces_is_what_is_judged_at_once(n: int) -> None:
    found = await Turns().judged("k", BATCH[:n], judge)
    wanted = judge(BATCH[:n])
    assert list(found.records) == list(wanted.records)
    assert (len(found.verdicts), found.known_as) == (n, wanted.known_as)


async def test_others_have_a_turn_after_each_piece() -> None:
    """In each round of the loop one piece at most of each key, however many batches it sends."""
    turns, pieces, most = Turns(), 0, 0

    def counted(said: Sequence[bytes]) -> Judged:
        nonlocal pieces
        assert len(said) <= PIECE
        pieces += 1
        return judge(said)

    keys = ["noisy"] * 8 + ["other"]
    sent = [asyncio.ensure_future(turns.judged(key, BATCH, counted)) for key in keys]
    while not all(one.done() for one in sent):
        before = pieces
        await asyncio.sleep(0)
        most = max(most, pieces - before)
    assert pieces == len(keys) * len(BATCH) / PIECE
    assert most <= 2


async def test_a_batch_that_is_no_events_leaves_the_turn_to_the_next() -> None:
    def raises(_said: Sequence[bytes]) -> Judged:
        raise ValueError

    turns = Turns()
    with pytest.raises(ValueError, match=r"^$"):
        await turns.judged("k", BATCH, raises)
    assert len((await turns.judged("k", BATCH, judge)).verdicts) == len(BATCH)
