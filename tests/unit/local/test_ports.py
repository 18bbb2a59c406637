from __future__ import annotations

import secrets
import socket

import pytest

from millstream.local import ports


def test_a_port_stays_clear_of_those_lent_to_outgoing_connections() -> None:
    drawn = {ports.free_port() for _ in range(50)}
    assert all(ports.LOWEST <= port < 32_768 for port in drawn)
    assert len(drawn) > 40, "parallel runs would meet on the same ports"


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        port = ports.free_port()
        taken.bind((ports.LOOPBACK, port))
        taken.listen()
        draws = iter([port - ports.LOWEST, 77])
        monkeypatch.setattr(secrets, "randbelow", lambda _: next(draws))
        assert ports.free_port() == ports.LOWEST + 77
