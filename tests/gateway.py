"""A gateway in this process on embedded servers, as a storefront meets it: by HTTP alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from millstream.domain.clock import wall_clock
from millstream.gateway.api_keys import Scope, create
from millstream.gateway.beside import going_on
from millstream.gateway.pipeline import Door
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.wiring import Running, running
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.ports import free_port
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.signing import copy_public_key
from millstream.privacy.key_files import rotate
from millstream.privacy.reverse_table import create_master_key
from millstream.settings import load, variable
from millstream.setup import set_up
from millstream.stores.redis import DEFAULT_SLOTS

PATIENCE_S = 60.0
TENANT = "shop"
OTHER = "other-shop"


def settings_of(deployment: Deployment, home: Path, **changes: Any) -> GatewaySettings:
    """With a pseudonym key for both tenants, a reverse table, and `home / "public"` as a folder for
    those who must not sign."""
    for tenant in (TENANT, OTHER):
        rotate(home / "pseudonym-keys", tenant)
    create_master_key(home / "secret" / "reverse.key")
    copy_public_key(deployment.settings.keys_dir, home / "public")
    given = {
        **deployment.settings.model_dump(),
        "gateway_api_keys": home / "api-keys.json",
        "pseudonym_keys_dir": home / "pseudonym-keys",
        "reverse_table": home / "reverse.sqlite",
        "reverse_master_key": home / "secret" / "reverse.key",
        **changes,
    }
    return load(GatewaySettings, **given)


def key_for(settings: GatewaySettings, tenant: str = TENANT, *scopes: Scope) -> str:
    """A new key; of every scope where none is named."""
    _, token = create(
        settings.gateway_api_keys, tenant, scopes or tuple(Scope), "a test's", wall_clock
    )
    return token


def caller(door: Door, token: str | None) -> httpx.AsyncClient:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(door)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)


@dataclass
class Gate:
    settings: GatewaySettings
    deployment: Deployment
    gateway: Running
    http: httpx.AsyncClient
    """With a key of TENANT that may do everything."""
    token: str

    @property
    def door(self) -> Door:
        return self.gateway.door

    async def until(self, holds: Callable[[], Awaitable[object]], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not await holds():
            self.deployment.raise_dead()
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.05)


@asynccontextmanager
async def gate(tansu: Tansu, valkey: Valkey, home: Path, **changes: Any) -> AsyncIterator[Gate]:
    """`changes`: settings that are to be otherwise."""
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        settings = settings_of(deployment, home, **changes)
        token = key_for(settings)
        async with running(settings) as gateway, caller(gateway.door, token) as http:
            opened = Gate(settings, deployment, gateway, http, token)
            async with going_on(gateway.beside) as beside:
                yield opened
            failures = [task.exception() for task in beside if not task.cancelled()]
            assert not failures, f"what runs beside the requests ended: {failures}"


@dataclass(frozen=True)
class Process:
    """`millstream gateway` by itself, with a key of TENANT that may do everything."""

    url: str
    token: str
    settings: GatewaySettings
    server: GatewayProcess

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class GatewayProcess(ServiceProcess):
    def __init__(self, settings: GatewaySettings, variables: dict[str, str]) -> None:
        super().__init__("gateway", variables)
        self.url = f"http://{settings.gateway_host}:{settings.gateway_port}"

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def process(tansu: Tansu, valkey: Valkey, home: Path, **changes: Any) -> Iterator[Process]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    deployment = Deployment(kafka, RedisEndpoint(valkey.url, valkey.name), home)
    asyncio.run(set_up(deployment.settings, slots=DEFAULT_SLOTS, replay=True, partitions=None))
    settings = settings_of(deployment, home, gateway_port=free_port(), **changes)
    token = key_for(settings)
    with GatewayProcess(settings, variables_of(settings)) as running:
        yield Process(running.url, token, settings, running)


def variables_of(settings: GatewaySettings) -> dict[str, str]:
    """What the environment must say for a process to have these settings."""
    said = settings.model_dump(mode="json")
    return {
        variable(GatewaySettings, name): str(value)
        for name, value in said.items()
        if value is not None
    }
