"""What a recommender says of itself: every metric, once."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("millstream_records", "Records by what became of them", ["verdict"])
LISTS = Counter("millstream_lists", "Lists published")
REMOVED = Counter("millstream_items_removed", "Items that policy took out of lists", ["rule"])
SOURCE_FAILURES = Counter("millstream_source_failures", "Candidate sources that raised", ["source"])
HOLES = Counter("millstream_log_holes", "Offsets that the broker does not have")
REWINDS = Counter("millstream_rewinds", "Times the position was read again from the fences")
CHUNK_SECONDS = Histogram("millstream_chunk_seconds", "One chunk from delivery to published lists")
SWAPS = Counter("millstream_model_swaps", "Models taken into service", ["outcome"])
MODEL_VERSION = Gauge("millstream_model_version", "Version in service", ["tenant"])

VERDICTS = {
    "a": "accepted",
    "d": "duplicate",
    "l": "late",
    "e": "erased",
    "o": "over",
    "b": "bad",
    "-": "applied_before",
}


def count(verdicts: Mapping[str, int], lists: int) -> None:
    for letter, n in verdicts.items():
        RECORDS.labels(VERDICTS[letter]).inc(n)
    LISTS.inc(lists)
