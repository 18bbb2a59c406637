"""Which of some records kill whoever decodes them: found out in processes that may die.

Run by itself (`python -m millstream.streaming.trial KEY...`) it reads records from standard input
and writes the numbers of those that did. It is light and has one thread, so that it can fork: a
child decodes one record after another and tells of each; the one at which it falls silent is
poison."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import msgspec
from aiokafka.structs import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import Halt, Refused
from millstream.domain.log import LogRecord
from millstream.domain.replayed import OriginOf
from millstream.streaming.decode import Record, as_log_record, judge
from millstream.streaming.replayed import signed_origins

HANG_S = 2.0
"""A record takes microseconds to decode; one that takes so long holds a worker up for good."""
TRIAL_S = 25.0
"""For all of them: the watchdog of a worker that waits here has not lost patience yet."""

_RECORDS = msgspec.msgpack.Decoder(list[LogRecord])


async def poison_among(records: Sequence[Record], keys: Sequence[Ed25519PublicKey]) -> set[int]:
    """The offsets of those that kill, raise what is no refusal, or take HANG_S. `keys`: as for
    streaming.replayed.signed_origins. Raises Halt where the trial itself does not end well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "millstream.streaming.trial",
        *(key.public_bytes_raw().hex() for key in keys),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told = b""
    try:
        async with asyncio.timeout(TRIAL_S):
            given = msgspec.msgpack.encode([as_log_record(record) for record in records])
            told, _ = await process.communicate(given)
    except TimeoutError:
        raise Halt(f"the trial of {len(records)} records took more than {TRIAL_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Halt(f"the trial of {len(records)} records ended with code {process.returncode}")
    return {records[number].offset for number in msgspec.json.decode(told, type=list[int])}


def main(keys: Sequence[str], given: bytes) -> list[int]:
    records = [_record(held) for held in _RECORDS.decode(given)]
    given_keys = (Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for key in keys)
    origin_of = signed_origins(*given_keys)
    poison: list[int] = []
    begin = 0
    while begin < len(records):
        begin += _survived(records[begin:], origin_of)
        if begin < len(records):
            poison.append(begin)
            begin += 1
    return poison


def _survived(records: Sequence[Record], origin_of: OriginOf) -> int:
    """How many a child decoded before it died or fell silent."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _decode_all(records, origin_of, writing)
    os.close(writing)
    survived = 0
    while select.select([reading], [], [], HANG_S)[0] and (told := os.read(reading, 4096)):
        survived += len(told)
    os.close(reading)
    os.kill(child, signal.SIGKILL)  # it hangs, or has ended and waits to be reaped
    os.waitpid(child, 0)
    return survived


def _decode_all(records: Sequence[Record], origin_of: OriginOf, writing: int) -> NoReturn:
    """In the child, which must not run anything that its parent has still to do."""
    try:
        for record in records:
            with suppress(Refused):
                judge(record, origin_of)
            os.write(writing, b".")
    finally:
        os._exit(0)


def _record(held: LogRecord) -> Record:
    return ConsumerRecord(
        topic=held.topic,
        partition=held.partition,
        offset=held.offset,
        timestamp=held.log_ms,
        timestamp_type=1,
        key=held.key,
        value=held.value,
        checksum=None,
        serialized_key_size=-1,
        serialized_value_size=-1,
        headers=held.headers,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(sys.argv[1:], sys.stdin.buffer.read())))
