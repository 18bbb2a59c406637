"""`millstream gateway` as a process, and the commands that make its keys."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.commands import Done, run
from tests.ending import ENDS_WITHIN_S
from tests.gateway import PATIENCE_S, Process, process, variables_of

from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.settings import variable


@pytest.fixture(scope="module")
def gateway(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    with process(tansu, valkey, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def millstream(gateway: Process, *words: str, **more: str) -> Done:
    return run(*words, **{**variables_of(gateway.settings), **more})


def status(gateway: Process, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{gateway.url}/v1/recommendations/ann", headers=headers).status_code


def until_status(gateway: Process, key: str, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while status(gateway, key) != wanted:
        assert time.monotonic() < deadline, f"not {wanted} in {PATIENCE_S} s"
        time.sleep(0.05)


def test_keys_are_made_and_revoked_while_it_runs(gateway: Process) -> None:
    made = millstream(
        gateway, "keys", "api", "create", "--scope", "lists:read", "--tenant", "new", "--json"
    )
    told = json.loads(made.out)
    assert (told["tenant"], told["scopes"]) == ("new", ["lists:read"])
    assert "first pseudonym key of tenant new" in made.err
    until_status(gateway, told["key"], 200)
    listed = millstream(gateway, "keys", "api", "list", "--json").out
    assert {row["key_id"] for row in json.loads(listed)["keys"]} >= {told["key_id"]}
    assert "sha256" not in listed
    assert told["key"] not in listed
    assert millstream(gateway, "keys", "api", "revoke", told["key_id"]).code == 0
    until_status(gateway, told["key"], 401)
    assert status(gateway, gateway.token) == 200
    wrong = millstream(gateway, "keys", "api", "revoke", "nothing")
    assert (wrong.code, "millstream keys api list" in wrong.err) == (2, True)


def test_what_is_missing_is_told_in_one_line(gateway: Process) -> None:
    table = variable(type(gateway.settings), "reverse_master_key")
    for more, said in (
        ({table: "/nowhere/key"}, "secret file key"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "REDIS_URL"),
    ):
        ended = millstream(gateway, "gateway", **more)
        assert ended.code == 2
        assert said in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err
    assert status(gateway, gateway.token) == 200


def test_it_lets_nobody_take_its_port_and_ends_in_order(gateway: Process) -> None:
    """The last one here: the others need it running."""
    port = str(gateway.settings.gateway_port)
    second = millstream(gateway, "gateway")
    assert second.code == 2
    assert f":{port}, where nothing can listen" in second.err
    server = gateway.server._server
    assert server is not None
    with socket.create_connection((gateway.settings.gateway_host, int(port))):
        server.send_signal(signal.SIGTERM)
        assert server.wait(ENDS_WITHIN_S) == 0, gateway.server.log_tail()
    assert "Traceback" not in gateway.server.log_tail(200)
    assert "Task was destroyed" not in gateway.server.log_tail(200)
