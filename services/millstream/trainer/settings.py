"""The trainer's knobs; each value below was measured, docs/settings.md tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from pydantic import Field

from millstream.domain.deriving import EVENT_WEIGHT
from millstream.domain.events import EventType
from millstream.domain.models import Network, SessionInput
from millstream.features.recent_items import BOUND
from millstream.model.sentiment.manifest import ReviewKind
from millstream.settings import ConnectionSettings
from millstream.trainer.limits import LAST

Share = Annotated[float, Field(gt=0, lt=0.5)]
S = TypeVar("S", bound=msgspec.Struct)


class Training(msgspec.Struct, frozen=True):
    """What decides the arrays of a version, apart from the data."""

    dimensions: int
    batch_size: int
    epochs: int
    learning_rate: float
    negatives: int
    negative_power: float
    ridge: float
    seed: int
    session_epochs: int = 4
    network: Network = Network.DOT_PRODUCT
    session_inputs: tuple[SessionInput, ...] = ()


class Cleaning(msgspec.Struct, frozen=True):
    """Item lines a user or an item must have at least to be trained on, and what a line weighs by
    the type of its event."""

    min_user_lines: int
    min_item_lines: int
    event_weights: Mapping[EventType, float] = msgspec.field(default_factory=lambda: EVENT_WEIGHT)


class Measuring(msgspec.Struct, frozen=True):
    validation_share: float
    test_share: float
    visit_gap_ms: int
    max_queries: int
    recent_items: int
    k: int
    seed: int


class TrainerSettings(ConnectionSettings):
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "default"
    model_name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "embedding"
    """`sentiment`: it learns from reviews, by the settings further down, and not from the lake."""

    first_after_lines: Annotated[int, Field(ge=1)] = 60_000
    every_lines: Annotated[int, Field(ge=1)] = 60_000
    every_minutes: Annotated[float, Field(gt=0)] | None = None
    """A version also after so long, if a line or a rated review is new; None: their number alone
    decides."""
    drift_psi: Annotated[float, Field(gt=0)] | None = None
    """A version also where inputs or scores have drifted so far (0.25 is much); None: drift is
    measured at each training and triggers none."""
    counted_types: frozenset[EventType] = frozenset(EVENT_WEIGHT)
    """Lines of these types are counted for the two settings above, if an event of the type says
    anything about interest (`counted`)."""
    poll_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    window_days: Annotated[float, Field(gt=0)] | None = None
    """How far back from the newest record of the lake; None: all of it."""

    full_every: Annotated[int, Field(ge=1)] = 1
    """Of so many versions one learns from the whole window; the others go on from the version in
    service with what came since, which takes a tenth of the time."""
    warm_epochs: Annotated[int, Field(ge=1, le=1000)] = 2
    warm_rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Times `learning_rate`."""

    dimensions: Annotated[int, Field(ge=2, le=1024)] = 64
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    epochs: Annotated[int, Field(ge=1, le=1000)] = 12
    session_epochs: Annotated[int, Field(ge=1, le=1000)] = 4
    session_inputs: tuple[SessionInput, ...] = (SessionInput.KIND, SessionInput.GAP)
    """What the encoder is told of a touch beside its item."""
    networks: Annotated[tuple[Network, ...], Field(min_length=1)] = (Network.DOT_PRODUCT,)
    """Those that are trained; of several the one serves that makes the better lists on the
    validation part."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    negatives: Annotated[int, Field(ge=1, le=1000)] = 4
    negative_power: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Items are drawn by lines ** power as examples of no interest: 0 is uniform."""
    ridge: Annotated[float, Field(gt=0)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1

    min_user_lines: Annotated[int, Field(ge=1)] = 2
    min_item_lines: Annotated[int, Field(ge=1)] = 2

    validation_share: Share = 0.05
    test_share: Share = 0.2
    visit_gap_minutes: Annotated[float, Field(gt=0)] = 30.0
    """A shopper's events without a longer pause are one visit; lists are measured before it."""
    max_queries: Annotated[int, Field(ge=1)] = 2000
    recent_items: Annotated[int, Field(ge=1, le=BOUND)] = BOUND
    """How many of a shopper's newest items a vector is made of; recommenders keep no more."""

    reviews_dir: Path | None = None
    """Labelled reviews that each version of `sentiment` learns from beside the rated ones of the
    topic, which it learns from alone where this is None."""
    review_kind: ReviewKind = ReviewKind.LINEAR
    first_after_reviews: Annotated[int, Field(ge=1)] = 2_000
    """Rated reviews before the first version; with `reviews_dir` it comes at once."""
    every_reviews: Annotated[int, Field(ge=1)] = 2_000
    most_reviews: Annotated[int, Field(ge=1)] = 20_000
    """Rated reviews that a version learns from at most, the newest."""

    index_from_items: Annotated[int, Field(ge=1)] = 20_000
    """A version of so many items gets an index (model/indexing.py); model/scorer.py says who is
    served through it."""

    keep_versions: Annotated[int, Field(ge=2)] = 10
    """Newest versions that stay in the model store; the one in service and the one that served
    before it stay anyway."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1
    niceness: Annotated[int, Field(ge=0, le=LAST)] = LAST
    tensorboard_dir: Path | None = None

    @property
    def every_ms(self) -> int | None:
        return None if self.every_minutes is None else round(self.every_minutes * 60_000)

    @property
    def counted(self) -> frozenset[EventType]:
        """Of other types no version learns: it is not time for one however many have come."""
        return self.counted_types.intersection(self.event_weights)

    def training(self, network: Network = Network.DOT_PRODUCT) -> Training:
        return _picked(self, Training, network=network)

    def warm_training(self, network: Network = Network.DOT_PRODUCT) -> Training:
        rule, epochs = self.training(network), self.warm_epochs
        if network is Network.SESSIONS:
            return msgspec.structs.replace(rule, session_epochs=epochs)
        rate = self.warm_rate * self.learning_rate
        return msgspec.structs.replace(rule, epochs=epochs, learning_rate=rate)

    def cleaning(self) -> Cleaning:
        return _picked(self, Cleaning)

    def measuring(self) -> Measuring:
        return Measuring(
            self.validation_share,
            self.test_share,
            round(self.visit_gap_minutes * 60_000),
            self.max_queries,
            self.recent_items,
            20,
            self.seed,
        )

    def digest(self) -> str:
        """12 hexadecimal digits that stand for what decides a version, apart from the data."""
        deciding = (
            self.training(),
            self.networks,
            (self.full_every, self.warm_epochs, self.warm_rate),
            self.cleaning(),
            self.measuring(),
            self.window_days,
            self.index_from_items,
        )
        return hashlib.sha256(msgspec.json.encode(deciding)).hexdigest()[:12]


def _picked(settings: TrainerSettings, kind: type[S], **more: object) -> S:
    names = [name for name in kind.__struct_fields__ if name not in more]
    return kind(**{name: getattr(settings, name) for name in names}, **more)
