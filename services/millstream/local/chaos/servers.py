"""The servers that are broken: Kafka with a listener behind a proxy, Valkey with its files."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path

from millstream.local.chaos.proxy import Proxy
from millstream.local.kafka import ApacheKafka
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.valkey import Valkey


class ProxiedKafka(ApacheKafka):
    """The workers' listener is told to clients as `proxy_port`; ours is the plain one."""

    def __init__(self) -> None:
        super().__init__()
        self.behind_port = free_port()
        self.proxy = Proxy(self.behind_port)
        workers = f"WORKERS://{LOOPBACK}"
        lines = self._properties
        told = lines["advertised.listeners"]
        self._properties = {
            **lines,
            "listeners": f"{lines['listeners']},{workers}:{self.behind_port}",
            "advertised.listeners": f"{told},{workers}:{self.proxy.port}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "WORKERS:PLAINTEXT",
            "delete.topic.enable": "true",
        }

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
