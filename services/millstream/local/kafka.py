"""One Apache Kafka node on loopback: the broker of the live tests and of every promised figure."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence

from millstream.domain.errors import OperatorError
from millstream.local.kafka_jars import KAFKA_VERSION, class_path, java_program
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.readiness import knows_its_cluster
from millstream.local.server import LocalServer

# Without the class data sharing archive of the official image: measured, it takes a start from
# 2.5 to 1.6 s (5.3 to 3.0 s of CPU) but is 49 MB, and made by a run of its own per Java and jars.
HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
# A broker that lives for minutes never earns back what Java's second compiler takes: measured, a
# third of a core for the first two minutes of load, on which a machine of two cores then waits.
COMPILER = ("-XX:TieredStopAtLevel=1",)
# The listing of all settings buries what matters in the log.
QUIET = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)


class ApacheKafka(LocalServer):
    """KRaft, broker and controller in one process, the records in the server's directory.

    `stop` or `kill` and then `start` bring the same log back on the same port. `properties` adds
    to or replaces lines of server.properties, `format_options` to the words that format the log
    directory. Producers may be idempotent, sessions may be 6 s."""

    name = f"Apache Kafka {KAFKA_VERSION}"
    start_deadline_s = 90.0

    def __init__(
        self, properties: Mapping[str, str] | None = None, format_options: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._format_options = format_options
        self._port = free_port()
        self._settings = self.directory / "server.properties"
        self._properties = node_properties(
            self._port, free_port(), str(self.directory / "log"), properties or {}
        )
        self.bootstrap_servers = f"{LOOPBACK}:{self._port}"

    def prepare(self) -> None:
        """Formats the log directory, once: a second format would refuse, or forget the records."""
        if self._settings.exists():
            return
        lines = "".join(f"{key}={value}\n" for key, value in self._properties.items())
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # `=` because a cluster id that begins with a dash would be read as an option.
        tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
        tool += self._format_options
        settings = self._settings.with_suffix(".unformatted")
        settings.write_text(lines)
        run = subprocess.run(
            [java_program(), *QUIET, "-cp", class_path(), *tool, f"--config={settings}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            said = (run.stdout + run.stderr).strip()[-1500:]
            raise OperatorError(self.name, said, "a log directory that can be formatted")
        settings.rename(self._settings)

    def command(self) -> list[str]:
        java = [java_program(), *HEAP, *COMPILER, *QUIET, "-cp", class_path()]
        return [*java, "kafka.Kafka", str(self._settings)]

    def answers(self) -> bool:
        return knows_its_cluster(self._port)


def node_properties(
    port: int, controller_port: int, log_dir: str, overrides: Mapping[str, str]
) -> dict[str, str]:
    """A stock single node with the internal topics kept small and groups formed without delay."""
    listeners = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_dir,
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After a kill -9 the node waits this long for its former self to be declared dead.
        "broker.session.timeout.ms": "5000",
        "broker.heartbeat.interval.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
        **overrides,
    }
