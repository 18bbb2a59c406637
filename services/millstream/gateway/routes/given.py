"""What a route is given beside what the caller sends."""

from __future__ import annotations

from litestar.di import NamedDependency

from millstream.gateway.callers import Caller
from millstream.gateway.parts import Parts

GivenParts = NamedDependency[Parts]
GivenCaller = NamedDependency[Caller]
