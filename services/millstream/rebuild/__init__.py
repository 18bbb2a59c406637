"""A Redis that was wiped, counted anew from the log, and from the lake where the log is too short.

It makes the same calls as the recommender (docs/exactness.md), so it may be killed and begun again
at any point, and a recommender that runs beside it by mistake does no harm."""
