"""How the lists of each shopper are made: as settings say, or as the variant of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from millstream.domain.experiments import Experiment, PinnedVersion, Variant
from millstream.domain.identity import ShopperName
from millstream.ranking.rankings import Rankings
from millstream.ranking.settings import RankingSettings


@dataclass(frozen=True, slots=True)
class Way:
    """`label`, `digest`: stand on the lists. `version`: of the model; None: whichever serves."""

    label: str
    settings: RankingSettings
    digest: str
    version: PinnedVersion | None = None


def no_experiment(_tenant: str) -> Experiment | None:
    return None


class Variants:
    """`label`, `rankings`: of lists that are in no experiment. `running`: a tenant's."""

    def __init__(
        self,
        label: str,
        rankings: Rankings,
        running: Callable[[str], Experiment | None] = no_experiment,
    ) -> None:
        def plain(settings: RankingSettings) -> Way:
            return Way(label, settings, settings.digest())

        self._shared = plain(rankings.shared)
        self._own = {tenant: plain(settings) for tenant, settings in rankings.own.items()}
        self._running = running
        self._ways: dict[tuple[str, str], Way] = {}

    def parted(
        self, tenant: str, names: Sequence[ShopperName], held: Collection[PinnedVersion] = ()
    ) -> Sequence[tuple[Way, Sequence[ShopperName]]]:
        """Who gets lists made which way; as few parts as there are ways, each with a version that
        is `held`, where it names one."""
        plain, experiment = self._plain(tenant), self._running(tenant)
        if experiment is None or not experiment.can_be_made_of(held):
            return [(plain, names)]
        parts: dict[str, tuple[Way, list[ShopperName]]] = {}
        for name in names:
            variant = experiment.variant_of(name[1])
            way = plain if variant is None else self._way(experiment, variant)
            parts.setdefault(way.label, (way, []))[1].append(name)
        return list(parts.values())

    def _plain(self, tenant: str) -> Way:
        return self._own.get(tenant, self._shared)

    def _way(self, experiment: Experiment, variant: Variant) -> Way:
        """Experiments never change, so a way is worked out once."""
        named = (experiment.tenant, experiment.label(variant))
        if named not in self._ways:
            settings = self._plain(experiment.tenant).settings.changed(variant.settings)
            version = experiment.version_of(variant)
            self._ways[named] = Way(named[1], settings, settings.digest(), version)
        return self._ways[named]
