"""How each tenant's lists are made: as a file of its own says, else as everybody's are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from millstream.domain.errors import OperatorError
from millstream.domain.events import Tenant
from millstream.ranking.settings import RankingSettings, read_ranking


@dataclass(frozen=True, slots=True)
class Rankings:
    """`own`: by tenant, of those that have settings of their own; `shared`: of all others."""

    shared: RankingSettings = field(default_factory=RankingSettings)
    own: Mapping[str, RankingSettings] = field(default_factory=dict)

    def of(self, tenant: str) -> RankingSettings:
        return self.own.get(tenant, self.shared)


def read_rankings(shared: Path | None, folder: Path | None) -> Rankings:
    """`shared`: as `read_ranking` reads it. `folder`: of files <tenant>.json, each with what is
    otherwise for that tenant; None: nobody has any. Raises OperatorError."""
    everybodys = read_ranking(shared)
    if folder is None:
        return Rankings(everybodys)
    own = {_tenant(path): read_ranking(path, everybodys) for path in _files(folder)}
    return Rankings(everybodys, own)


def _files(folder: Path) -> Iterator[Path]:
    """Without those whose names begin with a dot: a ConfigMap is mounted with such."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        thing, given = f"ranking settings {folder}", error.strerror or type(error).__name__
        raise OperatorError(thing, given, "a folder that can be read") from None
    return (path for path in found if not path.name.startswith("."))


def _tenant(path: Path) -> str:
    try:
        if path.suffix == ".json":
            return msgspec.convert(path.stem, Tenant)
    except msgspec.ValidationError:
        pass
    raise OperatorError(
        f"ranking settings {path}",
        repr(path.name),
        "a file <tenant>.json, named after the tenant whose lists it speaks of",
    )
