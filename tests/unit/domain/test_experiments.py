from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from millstream.domain.experiments import (
    Experiment,
    ExperimentTerms,
    Metric,
    PinnedVersion,
    SettingsChange,
    Signed,
    Variant,
    check_experiment,
    check_terms,
    experiment_of,
    place_of,
    running,
)

BEGAN = datetime(2026, 11, 29, tzinfo=UTC)


def experiment(
    *shares: int, experiment_id: str = "e", days: int = 14, ended: datetime | None = None
) -> Experiment:
    variants = tuple(Variant(f"v{i}", share) for i, share in enumerate(shares))
    return Experiment(
        tenant="shop",
        experiment_id=experiment_id,
        terms=ExperimentTerms(variants, Metric.CLICKED, days=days),
        begun=Signed(BEGAN, "key"),
        ended=None if ended is None else Signed(ended, "key"),
    )


def test_the_split_is_fixed_for_ever() -> None:
    """These places are in shops' running experiments: they may not move."""
    assert [place_of("shop", "e", f"u{i}") for i in range(5)] == [371, 282, 282, 340, 242]


def test_each_variant_gets_its_share_and_the_rest_none() -> None:
    held = experiment(500, 300)
    got = Counter(v and v.name for v in (held.variant_of(f"u{i}") for i in range(20_000)))
    assert got["v0"] == pytest.approx(10_000, rel=0.05)
    assert got["v1"] == pytest.approx(6_000, rel=0.05)
    assert got[None] == pytest.approx(4_000, rel=0.05)


def test_a_place_says_nothing_of_the_place_in_another_experiment_or_tenant() -> None:
    first = [place_of("shop", "e", f"u{i}") < 500 for i in range(4_000)]
    for tenant, name in (("shop", "f"), ("other", "e")):
        second = [place_of(tenant, name, f"u{i}") < 500 for i in range(4_000)]
        same = sum(a == b for a, b in zip(first, second, strict=True))
        assert same == pytest.approx(2_000, abs=130)


def test_it_runs_from_its_beginning_until_its_days_are_over_or_it_is_ended() -> None:
    held, day = experiment(500, 500, days=2), timedelta(days=1)
    moments = (BEGAN - day, BEGAN, BEGAN + day, BEGAN + 2 * day)
    assert [held.is_running(now) for now in moments] == [False, True, True, False]
    ended = experiment(500, 500, days=2, ended=BEGAN + day)
    assert [ended.is_running(now) for now in moments] == [False, True, False, False]


def test_of_two_begun_at_once_one_runs() -> None:
    one, two = experiment(500, 500, experiment_id="a"), experiment(500, 500, experiment_id="b")
    assert running([two, one], BEGAN) == one
    assert running([], BEGAN) is None


def test_the_label_names_experiment_and_variant() -> None:
    held = experiment(500, 500)
    assert held.label(held.terms.variants[1]) == "e:v1"
    assert experiment_of("e:v1") == "e"
    assert experiment_of("default") is None


@pytest.mark.parametrize(
    ("variants", "named"),
    [
        ((Variant("a", 10), Variant("a", 10)), "name"),
        ((Variant("a", 600), Variant("b", 600)), "shares"),
        (tuple(Variant(f"v{n}", 1, model_version=n) for n in (1, 2, 3, 4)), "versions"),
    ],
)
def test_terms_that_cannot_be_are_refused(variants: tuple[Variant, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_terms(ExperimentTerms(variants, Metric.BOUGHT))


def of_versions(*pinned: PinnedVersion) -> Experiment:
    variants = (Variant("a", 1, model_version=4), Variant("b", 1, model_version=2), Variant("c", 1))
    return msgspec.structs.replace(
        experiment(500, 500), terms=ExperimentTerms(variants, Metric.CLICKED), versions=pinned
    )


TWO, FOUR = PinnedVersion(2, "2" * 64), PinnedVersion(4, "4" * 64)


def test_a_variant_has_the_version_that_it_names_as_it_was_when_it_began() -> None:
    held = of_versions(TWO, FOUR)
    check_experiment(held)
    assert [held.version_of(variant) for variant in held.terms.variants] == [FOUR, TWO, None]
    assert held.can_be_made_of([FOUR, TWO])
    assert not held.can_be_made_of([FOUR, PinnedVersion(2, "0" * 64)]), "of the same number"
    assert experiment(500, 500).can_be_made_of([])


@pytest.mark.parametrize(
    "pinned", [(), (TWO,), (TWO, FOUR, FOUR), (TWO, PinnedVersion(5, "5" * 64))]
)
def test_versions_other_than_those_that_are_named_are_refused(
    pinned: tuple[PinnedVersion, ...],
) -> None:
    with pytest.raises(ValueError, match="versions"):
        check_experiment(of_versions(*pinned))


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"per_categories": 3}', type=SettingsChange)
