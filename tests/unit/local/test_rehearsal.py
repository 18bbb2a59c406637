"""A rehearsal does not go on in silence once something that it rests on has ended."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from millstream.local.deployment import Deployment
from millstream.local.rehearsal import Rehearsal
from millstream.local.replay import Outcome, Replay

OUTCOME = Outcome(1, 1, 0, 0, 1.0, 1.0)


class Running:
    def raise_dead(self) -> None: ...


class Replayed:
    """Ends as soon as `ends` is set."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self.cancelled = False

    async def run(self, _source: object) -> Outcome:
        try:
            await self.ends.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return OUTCOME


def died() -> None:
    raise ConnectionError("the follower died")


def rehearsal(replayed: Replayed) -> Rehearsal:
    return Rehearsal(cast(Deployment, Running()), cast(Replay, replayed))


async def test_what_ends_a_follower_ends_the_play() -> None:
    replayed = Replayed()
    playing = rehearsal(replayed)
    playing.followers += [lambda: None, died]
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionError, match="the follower died"):
            await playing.play(iter(()))
    await asyncio.sleep(0)
    assert replayed.cancelled


async def test_what_ends_a_follower_ends_the_wait_for_models() -> None:
    waiting = rehearsal(Replayed())
    waiting.followers.append(died)
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionError, match="the follower died"):
            await waiting.await_models(1)


async def test_a_play_ends_with_its_outcome() -> None:
    replayed = Replayed()
    replayed.ends.set()
    assert await rehearsal(replayed).play(iter(())) == OUTCOME
