"""The port of a service that is for operators alone: metrics, whether it lives, whether it works.

In a thread of its own, so that a loop that is busy is still seen. Plain HTTP, without a key: it is
for the network that Prometheus and the orchestrator share with the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import REGISTRY, make_wsgi_app

from millstream.domain.errors import OperatorError

Answer = Iterable[bytes]
Start = Callable[[str, list[tuple[str, str]]], Any]

_metrics = make_wsgi_app()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 5

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""


def status_server(host: str, port: int) -> WSGIServer:
    """Listens, and does not answer before `serve_forever`; port 0: a free one. Raises
    OperatorError where nothing can listen there."""
    try:
        server = _Server((host, port), _Quiet)
    except OSError as error:
        raise OperatorError(
            "setting MILLSTREAM_METRICS_PORT",
            f"{host}:{port}, where nothing can listen ({error.strerror})",
            "a free port of an address of this machine",
        ) from None
    server.set_app(answer)
    return server


def answer(environ: dict[str, Any], start: Start) -> Answer:
    match environ["PATH_INFO"]:
        case "/metrics":
            told: Answer = _metrics(environ, start)
            return told
        case "/healthz":
            return _say(start, "200 OK", b"alive\n")
        case "/readyz" if REGISTRY.get_sample_value("millstream_at_work") == 1:
            return _say(start, "200 OK", b"at work\n")
        case "/readyz":
            return _say(start, "503 Service Unavailable", b"not at work yet\n")
    return _say(start, "404 Not Found", b"/metrics, /healthz or /readyz\n")


def _say(start: Start, status: str, text: bytes) -> Answer:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])  # a list that the server fills
    return [text]
