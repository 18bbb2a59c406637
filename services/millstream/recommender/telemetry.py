"""What a recommender says of itself: every metric, once."""

from collections.abc import Mapping

import structlog
from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("millstream_records", "Records by what became of them", ["verdict"])
LISTS = Counter("millstream_lists", "Lists published")
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


def count(verdicts: Mapping[str, int], lists: int) -> None:
    for letter, n in verdicts.items():
        RECORDS.labels(VERDICTS[letter]).inc(n)
    LISTS.inc(lists)


def totals() -> dict[str, float]:
    """Every counter of ours that has moved, as `<name>` or `<name>.<label>`; no ids in it."""
    found: dict[str, float] = {}
    for counter in (
        RECORDS,
        LISTS,
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
