"""The ranking settings that services would read here, by the digests that stand on lists."""

from __future__ import annotations

from millstream.diagnosis.check import Check, Verdict
from millstream.ranking.rankings import read_rankings
from millstream.settings import ConnectionSettings

RANKING = "ranking settings"


async def ranking_check(settings: ConnectionSettings) -> Check:
    """Raises OperatorError where a file can't be read."""
    found = read_rankings(settings.ranking_file, settings.ranking_dir)
    own = (f", of {tenant} {said.digest()}" for tenant, said in found.own.items())
    return Check(RANKING, Verdict.OK, f"digest {found.shared.digest()}{''.join(own)}")
