"""Where a gateway keeps who is behind a pseudonym, and the key that opens it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.gateway.reverse import opened_reverse
from millstream.gateway.settings import GatewaySettings
from millstream.settings import load


def settings_in(home: Path) -> GatewaySettings:
    table, key = home / "table" / "reverse.sqlite", home / "keys" / "reverse.key"
    return load(GatewaySettings, reverse_table=table, reverse_master_key=key)


async def test_the_first_start_makes_the_master_key_and_the_next_ones_use_it(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    for known in ([("p", "ann")], []):
        async with AsyncExitStack() as stack:
            reverse = opened_reverse(stack, settings)
            assert reverse is not None
            await reverse.remember("shop", known)
            assert await reverse.raw_id("shop", "p") == "ann"


async def test_beside_a_table_a_lost_key_is_told_and_no_other_is_made(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with AsyncExitStack() as stack:
        opened_reverse(stack, settings)
    assert settings.reverse_master_key is not None
    settings.reverse_master_key.unlink()
    async with AsyncExitStack() as stack:
        with pytest.raises(OperatorError, match=r"secret file reverse\.key"):
            opened_reverse(stack, settings)
    assert not settings.reverse_master_key.exists()
