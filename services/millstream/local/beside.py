"""The live page beside a run: a gateway of its own, with a key that dies with the run."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from millstream.domain.clock import Clock, wall_clock
from millstream.domain.errors import OperatorError
from millstream.gateway.api_keys import Scope, create
from millstream.local.deployment import Deployment
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.recordings import TENANT
from millstream.local.summary import Summary

READY_S = 60.0
POLL_S = 0.1
WATCH_S = 1.0


@dataclass(frozen=True)
class Page:
    port: int
    key: str
    home: Path

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/page/"

    @property
    def opening(self) -> str:
        """The address with the key in its fragment, which a browser sends nowhere, and which the
        page takes out of the address at once. Not for logs."""
        return f"{self.address}#key={self.key}"

    def doorway(self) -> Path:
        """A file, for our eyes only, that leads a browser to `opening`: what a browser is started
        with can be read by everyone on the machine."""
        file = self.home / "page.html"
        file.touch(mode=0o600)
        file.write_text(
            f'<!doctype html><meta charset="utf-8"><title>Millstream</title>'
            f'<meta http-equiv="refresh" content="0; url={self.opening}">',
            encoding="utf-8",
        )
        return file


async def start_page(deployment: Deployment, clock: Clock) -> Page:
    """Answers when it is given; ends with the deployment. Raises OperatorError where the gateway
    ends by itself, or does not answer in READY_S."""
    keys = deployment.home / "api-keys.json"
    _, token = create(keys, TENANT, tuple(Scope), "this run's page", clock)
    page = Page(free_port(), token, deployment.home)
    await deployment.start(
        "gateway",
        gateway_port=page.port,
        gateway_api_keys=keys,
        gateway_pseudonyms=False,
        gateway_replay=True,
    )
    deadline = asyncio.get_running_loop().time() + READY_S
    while not await asyncio.to_thread(_is_ready, page.port):
        deployment.raise_dead()
        if asyncio.get_running_loop().time() > deadline:
            raise OperatorError("the gateway", f"no answer in {READY_S:g} s", "one that is ready")
        await asyncio.sleep(POLL_S)
    return page


class PageBeside:
    """Implements demo.Beside. `stays`: somebody sits at a terminal; then a browser is opened, and
    once `tell` has printed the summary all goes on until Ctrl-C."""

    def __init__(self, console: Console, stays: bool, tell: Callable[[Summary], None]) -> None:
        self._console = console
        self._stays = stays
        self._tell = tell
        self._deployment: Deployment | None = None
        self._address = ""

    async def begin(self, deployment: Deployment) -> None:
        page = await start_page(deployment, wall_clock)
        self._deployment, self._address = deployment, page.address
        if not self._stays:
            # What is printed elsewhere than on a terminal is kept somewhere: no key goes there.
            self._console.print(f"Page: {page.address} (its key is told on a terminal only)")
            return
        self._console.print(f"Page: {page.opening}", soft_wrap=True)
        await asyncio.to_thread(webbrowser.open, page.doorway().as_uri())

    async def end(self, summary: Summary) -> None:
        """Raises OperatorError where a service ends by itself meanwhile."""
        if not self._stays:
            return
        if self._deployment is not None:  # not before: what was measured had the machine to itself
            await self._deployment.start("attribution")
        self._tell(summary)
        self._console.print(f"The page stays at {self._address} until Ctrl-C.")
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C: now all ends in good order
            while self._deployment is not None:
                self._deployment.raise_dead()
                await asyncio.sleep(WATCH_S)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
