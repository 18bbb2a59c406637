"""Commands on their way to the nodes that own their keys, and what becomes of them:

1. MOVED: the map is read anew from the node it names; the command is made there
2. ASK (its slot is under migration): ASKING and the command at the node it names; the map stays
3. no connection, a timeout, LOADING: the map is read anew, what was not answered is made again
4. everything else is an answer: TRYAGAIN, CLUSTERDOWN and the like are `calls.replies`'s to repeat

A command whose answer was lost is made twice, as by the client of one server (redis.connect)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from millstream.stores.cluster.nodes import ClusterNodes, is_away
from millstream.stores.cluster.routing import Address, hash_slot, reached

MOST_HOPS = 5
"""Redirections of one command in a row; more means that the nodes do not agree yet."""

Command = tuple[tuple[Any, ...], Mapping[str, Any]]
"""As redis-py queues it: arguments, options for the parser."""
_ASKING: Command = (("ASKING",), {})


class ClusterCall:
    def __init__(self, nodes: ClusterNodes, commands: Sequence[Command]) -> None:
        """Raises ValueError for a command without a key."""
        self._nodes = nodes
        self._commands = commands
        self._slots = [hash_slot(arguments) for arguments, _ in commands]
        self._answers: list[Any] = [None] * len(commands)
        self._waiting = list(range(len(commands)))

    async def answers(self) -> list[Any]:
        """In order; a ResponseError where a command was refused. Raises as
        `ClusterNodes.while_away` does."""
        await self._nodes.while_away(self._make)
        return self._answers

    async def _make(self) -> None:
        """What waits; raises, and leaves waiting what no node answered, where one is away."""
        if None in map(self._nodes.map.owner, self._slots):
            await self._nodes.read_map(self._nodes.map.generation)
        for _ in range(MOST_HOPS):
            seen = self._nodes.map.generation
            lost = await self._hop()
            await self._learn(seen)
            if lost is not None:
                raise lost
            if not self._waiting:
                return
        for place in self._waiting:
            self._answers[place] = TryAgainError("TRYAGAIN the nodes do not agree on the slot")
        self._waiting = []

    async def _hop(self) -> Exception | None:
        """One round trip to every owner; returns what a node that is away raised."""
        sent = [self._send(address, places) for address, places in self._by_owner().items()]
        made = [await sent[0]] if len(sent) == 1 else await asyncio.gather(*sent)
        self._waiting = sorted(place for waiting, _ in made for place in waiting)
        return next((lost for _, lost in made if lost is not None), None)

    def _by_owner(self) -> dict[Address, list[int]]:
        groups: dict[Address, list[int]] = defaultdict(list)
        for place in self._waiting:
            owner = self._nodes.map.owner(self._slots[place])
            if owner is None:
                self._answers[place] = ClusterDownError("CLUSTERDOWN Hash slot not served")
            else:
                groups[owner].append(place)
        return groups

    async def _send(
        self, address: Address, places: Sequence[int]
    ) -> tuple[list[int], Exception | None]:
        """Which of the commands wait still: for another node, or all of them for this one."""
        client = self._nodes.client(address)
        try:
            answered = await _made(client, [self._commands[place] for place in places])
        except Exception as error:
            if not is_away(error):
                raise
            return list(places), error
        waiting = []
        for place, answer in zip(places, answered, strict=True):
            self._answers[place] = answer
            if isinstance(answer, MovedError):
                answer.host = reached(answer.host, answer.port, address).host
                waiting.append(place)
            elif isinstance(answer, AskError):
                self._answers[place] = await self._asked(place, answer, address)
        return waiting, None

    async def _asked(self, place: int, answer: AskError, by: Address) -> Any:
        target = self._nodes.client(reached(answer.host, answer.port, by))
        try:
            return (await _made(target, [_ASKING, self._commands[place]]))[1]
        except Exception as error:
            if not is_away(error):
                raise
            return TryAgainError("TRYAGAIN the node that the slot moves to is away")

    async def _learn(self, seen: int) -> None:
        """From those that were moved: the node that said so knows better than the one that tells
        the whole map."""
        answers = (self._answers[place] for place in self._waiting)
        moved = [answer for answer in answers if isinstance(answer, MovedError)]
        if moved:
            await self._nodes.read_map(seen, first=Address(moved[0].host, moved[0].port))
        for answer in moved:
            self._nodes.map.moved(answer.slot_id, Address(answer.host, answer.port))


async def _made(client: Redis, commands: Sequence[Command]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    pipeline.command_stack = list(commands)
    return list(await pipeline.execute(raise_on_error=False))
