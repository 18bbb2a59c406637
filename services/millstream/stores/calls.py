"""Commands to Redis: refused ones made again while it is momentary, and told without the command.

redis-py puts the start of a refused command into its error, and in ours stand shoppers' ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import stamina
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, ResponseError

from millstream.domain.errors import Halt, TryLater

PATIENCE_S = 60.0
"""How long in all a call is made again while the server can't take it."""

MOMENTARY = frozenset(
    {"OOM", "MISCONF", "READONLY", "LOADING", "BUSY", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN"}
)
_WORDS_OF_OURS = ", with args beginning with"

Arguments = Sequence[bytes | str | int]
T = TypeVar("T")


class RedisRefused(Exception):  # noqa: N818  what the server said
    """A command that the server refuses for good; holds the server's words, not the command."""


async def replies(pipeline: Pipeline) -> list[Any]:
    """What the queued commands answer, in order; one round trip where nothing is refused.

    A command that the server can't take just now (full, loading, a replica after a failover) is
    made again, alone, for up to PATIENCE_S. Raises Halt after that and where our functions are
    missing, RedisRefused for every other refusal; never an error that holds a command."""
    commands = list(pipeline.command_stack)
    answers: list[Any] = [None] * len(commands)
    waiting = list(range(len(commands)))

    async def make_waiting() -> None:
        nonlocal answers, waiting
        pipeline.command_stack = [commands[place] for place in waiting]
        answered = await pipeline.execute(raise_on_error=False)
        answers = _merged(answers, waiting, answered)
        waiting = [place for place in waiting if isinstance(answers[place], ResponseError)]
        await _raise_refusal([answers[place] for place in waiting], pipeline)

    await patiently(make_waiting)
    return answers


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The call, again while it raises TryLater; raises Halt when it does so after PATIENCE_S."""
    try:
        async for attempt in stamina.retry_context(
            on=TryLater, attempts=None, timeout=PATIENCE_S, wait_initial=0.1, wait_max=2.0
        ):
            with attempt:
                return await call()
    except TryLater as refused:
        raise Halt(f"Redis took no call for {PATIENCE_S:.0f} s: {refused}") from None
    raise AssertionError("the last attempt raises")


def _merged(answers: list[Any], places: Sequence[int], answered: Sequence[Any]) -> list[Any]:
    merged = list(answers)
    for place, answer in zip(places, answered, strict=True):
        merged[place] = answer
    return merged


async def _raise_refusal(refusals: Sequence[ResponseError], pipeline: Pipeline) -> None:
    """The gravest first: what is final is not tried again for the sake of what is momentary."""
    found = [translated(refusal) for refusal in refusals]
    if any(isinstance(refusal, ReadOnlyError) for refusal in refusals):
        # The name may point to another server now; a connection that stands would never see it.
        await pipeline.connection_pool.disconnect(inuse_connections=False)
    for error in sorted(found, key=lambda error: isinstance(error, TryLater)):
        raise error from None


def translated(error: ResponseError) -> Exception:
    """As Halt, TryLater or RedisRefused; `error` must come from the server, not from a pipeline
    that raised it."""
    words = str(error).partition(_WORDS_OF_OURS)[0]
    code = error.status_code or words.partition(" ")[0]
    if not words.startswith(code):
        words = f"{code} {words}"
    if "Function not found" in words:
        return Halt(
            "Redis does not have the functions of this release: run `millstream init`; where it "
            "was set up before, see deploy/runbooks/redis-wiped.md"
        )
    if code in MOMENTARY or isinstance(error, ClusterDownError):
        return TryLater(words)
    return RedisRefused(words)


def by_code(error: ResponseError) -> Exception:
    """As TryLater or RedisRefused, told by its code alone: the words of an error that a transaction
    raised hold the command. A redirection is momentary: the client knows where to by now."""
    code = error.status_code or type(error).__name__
    if code in MOMENTARY or isinstance(error, ClusterDownError | AskError):
        return TryLater(code)
    return RedisRefused(code)


async def fcall(redis: Redis, name: str, keys: Sequence[str], arguments: Arguments) -> Any:
    """One function call. Raises as `replies` does."""
    (reply,) = await fcall_pipeline(redis, name, [(keys, arguments)])
    return reply


async def fcall_pipeline(
    redis: Redis, name: str, calls: Sequence[tuple[Sequence[str], Arguments]]
) -> list[Any]:
    """The calls in one round trip, not as one transaction; replies in order. Raises as `replies`
    does."""
    if not calls:
        return []
    pipeline = redis.pipeline(transaction=False)
    for keys, arguments in calls:
        pipeline.fcall(name, len(keys), *keys, *arguments)
    return await replies(pipeline)
