"""Moved into the package, where `millstream chaos` runs them too."""

from millstream.local.chaos.schedules import (
    SLOTS,
    TENANTS,
    FaultyStore,
    Killed,
    Schedule,
    SimulatedWorker,
)

__all__ = ["SLOTS", "TENANTS", "FaultyStore", "Killed", "Schedule", "SimulatedWorker"]
