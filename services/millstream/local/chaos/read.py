"""The program of reading.py: broker, events' topic and lists' topic are its arguments."""

from __future__ import annotations

import asyncio
import sys

from millstream.local.chaos.apart import hand_back
from millstream.local.chaos.reading import read_all

if __name__ == "__main__":
    hand_back(asyncio.run(read_all(*sys.argv[1:4])))
