"""What a recommender says of itself: every metric, once. deploy/metrics.yaml is the closed list."""

import contextlib
from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import Counter, Gauge, Histogram

from millstream.domain.lists import RecommendationList, Source
from millstream.domain.models import Decision, ModelAnnouncement
from millstream.model.manifest import Manifest

RECORDS = Counter("millstream_records", "Records by what became of them", ["verdict"])
TENANT_RECORDS = Counter(
    "millstream_tenant_records", "Records of a tenant by what became of them", ["tenant", "verdict"]
)
LISTS = Counter("millstream_lists", "Lists published")
GIVEN_UP = Counter(
    "millstream_lists_given_up",
    "Lists beyond a tenant's part while the worker was behind",
    ["tenant"],
)
REMOVED = Counter("millstream_items_removed", "Items that policy took out of lists", ["rule"])
SOURCE_FAILURES = Counter("millstream_source_failures", "Candidate sources that raised", ["source"])
HOLES = Counter("millstream_log_holes", "Offsets that the log does not have")
REWINDS = Counter("millstream_rewinds", "Times the position was read again from the fences")
CHUNK_SECONDS = Histogram("millstream_chunk_seconds", "One portion from decoded to lists in force")
GONE = Counter(
    "millstream_over_full_gone", "Over-full events whose letter went out without the record"
)
POISON = Counter("millstream_poison", "Records that kill whoever decodes them, set apart unread")
CONSERVATION_RESIDUE = Gauge(
    "millstream_conservation_residue",
    "Fates in the ledger less offsets taken; 0 is right",
    ["partition"],
)
CONSERVATION_CHECKS = Counter(
    "millstream_conservation_checks", "Partitions whose ledger was added up", ["outcome"]
)
SWAPS = Counter("millstream_model_swaps", "Models taken into service", ["outcome"])
MODEL_VERSION = Gauge("millstream_model_version", "Version in service", ["tenant"])
MODEL_CREATED = Gauge(
    "millstream_model_created_seconds", "When the version in service was made", ["tenant"]
)
MODEL_LINES = Gauge(
    "millstream_model_lines", "Item lines that the version in service was trained on", ["tenant"]
)
ANNOUNCED = Counter(
    "millstream_model_announcements",
    "Versions announced since the process began, by what became of them",
    ["tenant", "model", "decision"],
)
ANNOUNCED_SECONDS = Gauge(
    "millstream_model_announced_seconds", "When a version was announced last", ["tenant", "model"]
)
LISTED = Counter("millstream_list_items", "Items of lists, by candidate source", ["source"])
FRESHNESS_SECONDS = Histogram(
    "millstream_freshness_seconds",
    "From an event's place in the log to its list on the topic",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
LAG_MESSAGES = Gauge("millstream_consumer_lag_messages", "Records not handled yet", ["partition"])
LAG_SECONDS = Gauge(
    "millstream_consumer_lag_seconds",
    "Age by log time of the record handled last, 0 where none waits",
    ["partition"],
)

ANNOUNCEMENTS_REFUSED = Counter(
    "millstream_announcements_refused", "Model announcements that do not read as one"
)

_log = structlog.get_logger()

VERDICTS = {
    "a": "accepted",
    "d": "duplicate",
    "l": "late",
    "e": "erased",
    "o": "over",
    "b": "bad",
    "h": "hole",
    "-": "applied_before",
}


def count(
    verdicts: Mapping[str, int], by_tenant: Mapping[tuple[str | None, str], int], lists: int
) -> None:
    for letter, n in verdicts.items():
        RECORDS.labels(VERDICTS[letter]).inc(n)
    for (tenant, letter), n in by_tenant.items():
        if tenant is not None:
            TENANT_RECORDS.labels(tenant, VERDICTS[letter]).inc(n)
    LISTS.inc(lists)


_handled_log_ms: dict[int, int] = {}


def handled(partition: int, log_ms: int) -> None:
    """All up to a record of this log time."""
    _handled_log_ms[partition] = log_ms


def handled_log_ms(partition: int) -> int | None:
    return _handled_log_ms.get(partition)


def forget_partition(partition: int) -> None:
    """Another worker tells of it now."""
    _handled_log_ms.pop(partition, None)
    for gauge in (LAG_MESSAGES, LAG_SECONDS):
        with contextlib.suppress(KeyError):  # its lag in seconds may never have been told
            gauge.remove(str(partition))


def published(lists: Sequence[RecommendationList]) -> None:
    """A portion's lists, which are durable. Counting in C: a portion has thousands of items."""
    sources = [item.source for made in lists for item in made.items]
    for source in Source:
        LISTED.labels(source.value).inc(sources.count(source))
    for made in lists:
        FRESHNESS_SECONDS.observe((made.published_at - made.log_time).total_seconds())


def served(manifest: Manifest) -> None:
    SWAPS.labels("served").inc()
    MODEL_VERSION.labels(manifest.tenant).set(manifest.version)
    MODEL_CREATED.labels(manifest.tenant).set(manifest.created_at.timestamp())
    MODEL_LINES.labels(manifest.tenant).set(manifest.window.lines)


def announced(told: ModelAnnouncement, log_ms: int, is_news: bool) -> None:
    """Told here and not by the trainer, which may be a job that has ended when it is asked. What
    is no news sets the counts to 0, so that the first that is counted makes a difference."""
    counts = {one: ANNOUNCED.labels(told.tenant, told.model, one.value) for one in Decision}
    decision = told.decision or (Decision.PROMOTED if told.promoted else Decision.HELD)
    counts[decision].inc(is_news)
    ANNOUNCED_SECONDS.labels(told.tenant, told.model).set(log_ms / 1000)


def totals() -> dict[str, float]:
    """Every counter of ours that has moved, as `<name>` or `<name>.<label>`; no ids in it."""
    found: dict[str, float] = {}
    for counter in (
        RECORDS,
        LISTS,
        GIVEN_UP,
        REMOVED,
        SOURCE_FAILURES,
        HOLES,
        REWINDS,
        GONE,
        POISON,
        CONSERVATION_CHECKS,
        SWAPS,
        ANNOUNCEMENTS_REFUSED,
    ):
        for metric in counter.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.value:
                    name = metric.name.removeprefix("millstream_")
                    found[".".join([name, *sample.labels.values()])] = sample.value
    return found


def log_totals(catalogue_refused: int) -> None:
    _log.info("totals", **totals(), catalogue_refused=catalogue_refused)
