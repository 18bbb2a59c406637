"""Redis Cluster: each command to the node that owns its first key, by a map of our own.

redis-py's asyncio cluster client asks the server where the keys of an FCALL stand (COMMAND GETKEYS,
twice a call) and waits on its own terms. Ours computes the hash slot and sends to plain connection
pools, all nodes at once."""

from __future__ import annotations

from millstream.stores.cluster.client import ClusterRedis, masters, on_every_master, transacted

__all__ = ["ClusterRedis", "masters", "on_every_master", "transacted"]
