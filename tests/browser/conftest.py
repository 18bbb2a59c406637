from __future__ import annotations

import pytest
from tests.needed import not_here

from millstream.domain.errors import OperatorError
from millstream.local.browsers import node


@pytest.fixture(scope="module")
def node_js() -> str:
    try:
        return node()
    except OperatorError as missing:
        not_here(str(missing))
