"""The environment variables that Millstream reads; one that is none of them is a typing error."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

from millstream.domain.errors import OperatorError
from millstream.gateway.settings import GatewaySettings
from millstream.insights.settings import InsightsSettings
from millstream.lake.settings import LakeSettings
from millstream.privacy.settings import PrivacySettings
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import ConnectionSettings, S, load, variable
from millstream.trainer.settings import TrainerSettings

PREFIX = "MILLSTREAM_"
SETTINGS: tuple[type[ConnectionSettings], ...] = (
    ConnectionSettings,
    RecommenderSettings,
    LakeSettings,
    TrainerSettings,
    PrivacySettings,
    GatewaySettings,
    InsightsSettings,
)
OTHERS = frozenset(
    {
        "MILLSTREAM_ENV_FILE",
        "MILLSTREAM_CACHE",
        "MILLSTREAM_REQUIRE_LIVE",
        "MILLSTREAM_FAILPOINT",
        "MILLSTREAM_FAILPOINT_FILE",
        "MILLSTREAM_CHAOS_WITHOUT",
        "MILLSTREAM_CHROMIUM",
    }
)
"""Read elsewhere: the file with settings, the cache of the live tests' jars, their duty, and the
places at which the chaos harness has a process kill itself, the check that it switches off, the
browser that tries the page."""


def known() -> frozenset[str]:
    return OTHERS | {variable(kind, name) for kind in SETTINGS for name in kind.model_fields}


def checked(kind: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """The settings of a service. Raises OperatorError for a wrong value, and for a variable under
    our prefix that no service knows."""
    names = known()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in names:
            [closest] = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            raise OperatorError(f"setting {name}", "a name nobody reads", f"perhaps {closest}")
    return load(kind)
