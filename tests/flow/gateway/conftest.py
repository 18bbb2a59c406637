"""A gateway with all that stands behind it, one for the tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.gateway import Gate, gate

from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gate]:
    """Each test has shoppers of its own."""
    async with gate(tansu, valkey, tmp_path_factory.mktemp("gate")) as opened:
        yield opened
