"""What a deployment needs once: topics, the Redis functions, the slots, the signing key."""

from __future__ import annotations

from millstream.model.signing import LETTERS, copy_public_key, create_keys
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.redis import connected, fix_slots, load_functions, require_noeviction
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import read_topics


async def set_up(
    settings: ConnectionSettings, *, slots: int, replay: bool, partitions: int | None
) -> str:
    """May be called again: what stands is checked, not changed. Returns what to tell the operator.
    Raises OperatorError or Halt naming what does not fit."""
    topics = await create_topics(
        settings.brokers,
        read_topics(),
        prefix=settings.topic_prefix,
        replay=replay,
        partitions=partitions,
    )
    redis = await connected(settings.redis_url)
    try:
        await require_noeviction(redis)
        await load_functions(redis)
        await fix_slots(redis, Keys(settings.redis_prefix), slots)
    finally:
        await redis.aclose()
    made = create_keys(settings.keys_dir)
    if settings.public_keys_dir is not None:
        copy_public_key(settings.keys_dir, settings.public_keys_dir)
    make_letter_keys(settings)
    return (
        f"{len(topics)} topics stand, the functions are loaded, {slots} slots are set, "
        f"the signing key {'was made' if made else 'was there'}"
    )


def make_letter_keys(settings: ConnectionSettings) -> None:
    """The public key of the pair goes to all who judge letters. Where it stands without the private
    one, this is no machine that signs letters."""
    home = settings.letter_keys_dir or settings.keys_dir
    if not (home / LETTERS.public).exists():
        create_keys(home, LETTERS)
    for folder in (settings.keys_dir, settings.public_keys_dir):
        if folder is not None and folder != home:
            copy_public_key(home, folder, LETTERS)
