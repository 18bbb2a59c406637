"""Replaying events needs a key, and which one is missing is said before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.cli.dead_letters import _replayer
from millstream.domain.errors import OperatorError
from millstream.settings import ConnectionSettings
from millstream.streaming.stored_letters import LettersOf


def test_without_a_key_the_letters_own_is_asked_for(tmp_path: Path) -> None:
    settings = ConnectionSettings(keys_dir=tmp_path)
    with pytest.raises(OperatorError, match=r"letter-signing\.key.*`millstream init`"):
        _replayer(settings, LettersOf.EVENTS, accept_late=False)
