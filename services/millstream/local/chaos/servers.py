"""The servers that are broken: Kafka with listeners behind proxies, Valkey with its files."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path

from millstream.local.chaos.proxy import Proxy
from millstream.local.chaos.quiet import Quiet
from millstream.local.kafka import ApacheKafka
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.valkey import Valkey

QUICKLY_WARM = ("-XX:TieredStopAtLevel=1",)
"""It is killed every few minutes, long before the better compiler's work would pay."""


class ProxiedKafka(ApacheKafka):
    """One for all lanes. The workers of each have a listener of their own, told to clients as the
    port of `proxies[lane]`; ours is the plain one. `quiet` keeps apart who breaks the broker and
    who can't do without it."""

    def __init__(self, lanes: int = 1) -> None:
        super().__init__()
        ports = [free_port() for _ in range(lanes)]
        self.proxies = [Proxy(port) for port in ports]
        self.quiet = Quiet()
        names = [f"WORKERS{lane}" for lane in range(lanes)]
        behind = [f"{n}://{LOOPBACK}:{port}" for n, port in zip(names, ports, strict=True)]
        told = [f"{n}://{LOOPBACK}:{p.port}" for n, p in zip(names, self.proxies, strict=True)]
        lines = self._properties
        self._properties = {
            **lines,
            "listeners": ",".join([lines["listeners"], *behind]),
            "advertised.listeners": ",".join([lines["advertised.listeners"], *told]),
            "listener.security.protocol.map": ",".join(
                f"{name}:PLAINTEXT" for name in ("CONTROLLER", "PLAINTEXT", *names)
            ),
            "delete.topic.enable": "true",
        }

    def command(self) -> list[str]:
        program, *arguments = super().command()
        return [program, *QUICKLY_WARM, *arguments]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


class BreakableValkey(Valkey):
    """Durable, and deaf to SIGXFSZ, so that a full disk is an error of a write and no death."""

    def __init__(self) -> None:
        super().__init__(durable=True, config={"auto-aof-rewrite-percentage": "0"})
        self.port = self._port
        self.proxy = Proxy(self.port)
        self.copy = self.directory / "copy"

    def command(self) -> list[str]:
        program, *arguments = super().command()
        return ["/bin/sh", "-c", 'trap "" XFSZ; exec "$0" "$@"', program, *arguments]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def log_files(self) -> Path:
        return self.directory / "appendonlydir"

    def newest_log(self) -> Path:
        """The append-only file that is being written."""
        return max(self.log_files.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)

    def copy_files(self) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.log_files, self.copy)

    def put_copy_back(self) -> None:
        """While the server is down."""
        shutil.rmtree(self.log_files)
        shutil.copytree(self.copy, self.log_files)

    def limit_files(self, most_bytes: int) -> None:
        """-1: no limit."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        soft = hard if most_bytes < 0 else most_bytes
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, hard))
