from __future__ import annotations

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.browsers import node


@pytest.fixture(scope="module")
def node_js() -> str:
    try:
        return node()
    except OperatorError as missing:
        pytest.skip(str(missing))
