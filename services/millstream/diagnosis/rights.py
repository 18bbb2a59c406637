"""What the user that looks may do on the brokers, beside what its role needs."""

from __future__ import annotations

from millstream.diagnosis.check import Check, Verdict
from millstream.settings import ConnectionSettings
from millstream.streaming.rights import ACLS, Role, missing_rights

RIGHTS = "rights"


async def rights_check(settings: ConnectionSettings, role: Role, name: str) -> Check:
    """Raises OperatorError where the cluster does not let us in."""
    if not settings.brokers.knows_us:  # to those it does not know some brokers tell no rights
        return Check(RIGHTS, Verdict.OK, "whoever reaches the cluster has all: it asks for no user")
    missing = await missing_rights(settings.brokers, role)
    if missing:
        return Check(
            RIGHTS,
            Verdict.BAD,
            f"as {name} there is none to {', '.join(missing)}",
            f"Give the user what {ACLS} has for its role; say which role it has with --role",
        )
    return Check(RIGHTS, Verdict.OK, f"all that a {name} needs")
