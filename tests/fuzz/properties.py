"""Inputs by hypothesis: JSON near an event or a review, and bytes near nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as fixed_seed
from hypothesis import strategies as st
from tests.fuzz.target import Tally, label_of

from millstream.domain.events import Event, EventType
from millstream.domain.reviews import Review

_TEXT = st.text(max_size=12) | st.sampled_from(["e1", "x" * 129, "a\u202eb", "{0}", "", "\x7f"])
_ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=6,
)
_TIME = st.sampled_from(["2026-09-21T14:13:20Z", "2026-09-21T14:13:20", "0001-01-01T00:00:00Z", ""])
_KIND = st.sampled_from([*EventType, "levitate"])
_LINE = st.fixed_dictionaries({"item_id": _TEXT}, optional={"quantity": _ANY, "price": _ANY})
_NAMES = st.sampled_from([*Event.__struct_fields__, "extra"])
_OF_REVIEWS = st.sampled_from([*Review.__struct_fields__, "extra"])
EVENT = st.builds(
    lambda fixed, more: fixed | more,
    st.fixed_dictionaries(
        {"event_id": _TEXT, "type": _KIND, "time": _TIME, "user_id": _TEXT},
        optional={"items": st.lists(_LINE, max_size=3), "context": st.dictionaries(_TEXT, _ANY)},
    ),
    st.dictionaries(_NAMES, _ANY, max_size=2),
)
REVIEW = st.builds(
    lambda fixed, more: fixed | more,
    st.fixed_dictionaries(
        {"review_id": _TEXT, "item_id": _TEXT, "time": _TIME, "anonymous_id": _TEXT, "text": _TEXT},
        optional={"rating": _ANY, "title": _TEXT},
    ),
    st.dictionaries(_OF_REVIEWS, _ANY, max_size=2),
)
INPUT = st.builds(
    lambda shape, time, body: bytes([shape, time]) + body,
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=200) | EVENT.map(msgspec.json.encode) | REVIEW.map(msgspec.json.encode),
)


def run(inputs: int, seed: int) -> Tally:
    """Raises what the target must not, on the smallest input for which it does."""
    verdicts: Counter[str] = Counter()

    @fixed_seed(seed)
    @settings(
        max_examples=inputs, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(INPUT)
    def holds(data: bytes) -> None:
        verdicts[label_of(data)] += 1

    holds()
    return Tally(verdicts, verdicts.total())
