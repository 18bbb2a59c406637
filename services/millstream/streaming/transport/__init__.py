"""Faust at the door: records come in chunks, from positions that we decide.

Faust pays some 80 us of tasks and locks for every message between its consumer and an agent,
and its own book of what was read drops records on rebalance (docs/decisions.md, "Faust delivers,
Redis remembers"). So the scheduler hands the agent ONE message per fetch, whose value is the
records of each partition; nothing is acknowledged or committed by Faust; and each seek after a
rebalance goes where the owner of the state says. The members overridden here are not all public:
faust-streaming is pinned, and tests/contract/test_faust.py pins what we rely on."""
