"""What an episode of reviews plays on: insights, twice, and buyers who write."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.domain.clock import wall_clock
from millstream.local.chaos.load import Load
from millstream.local.chaos.plan import Plan, Servers
from millstream.local.chaos.reviews.traffic import ReviewTraffic
from millstream.local.chaos.scene import PARTITIONS, SLOTS
from millstream.local.chaos.traffic import Shop
from millstream.local.chaos.watch import Where
from millstream.local.chaos.workers import INSIGHTS, Crew
from millstream.settings import ConnectionSettings
from millstream.streaming.topics import REVIEW_VERDICTS, REVIEWS

REVIEWERS = Shop(PARTITIONS, shoppers=200)


def review_parts(
    plan: Plan, servers: Servers, settings: ConnectionSettings, variables: Mapping[str, str]
) -> tuple[Crew, Load, Where]:
    """Both processes count all verdicts, and share the judging: the group's position says which
    reviews are judged, the fences which verdicts are counted."""
    own = {"MILLSTREAM_INSIGHTS_REVIEWS": "true", "MILLSTREAM_INSIGHTS_DEMAND": "false"}
    own["MILLSTREAM_INSIGHTS_NICENESS"] = "0"
    traffic = ReviewTraffic(plan.seed, REVIEWERS, wall_clock)
    where = Where(
        servers.valkey.port,
        f"{settings.redis_prefix}reviews:",
        settings.topic(REVIEW_VERDICTS),
        SLOTS,
    )
    return (
        Crew(None, {**variables, **own}, PARTITIONS, program=INSIGHTS),
        Load(servers.kafka.bootstrap_servers, settings.topic(REVIEWS), traffic, plan.rate),
        where,
    )
