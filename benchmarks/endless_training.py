"""A trainer that never has enough: what `bench latency --training` runs beside the recommenders.

Bounded as `millstream trainer` is, it trains both networks on purchases of Online Retail, one after
the other, from the first line on its standard output until its standard input ends."""

from __future__ import annotations

import itertools
import sys
import threading

from millstream.trainer.limits import bound_cpu
from millstream.trainer.settings import TrainerSettings


def main() -> None:
    settings = TrainerSettings.model_construct()
    bound_cpu(settings.threads, settings.niceness)

    from millstream.domain.models import Network
    from millstream.local.gate_trials import online_retail_world
    from millstream.trainer.encode import encode
    from millstream.trainer.fitting import Stopped
    from millstream.trainer.wiring import tensorflow

    fit, world, over = (
        tensorflow(settings.threads),
        online_retail_world(settings),
        threading.Event(),
    )
    data = encode(world.before, settings.recent_items)

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    sys.stdout.write("training\n")
    sys.stdout.flush()
    for network in itertools.cycle(Network):
        try:
            fit(data, settings.training(network), lambda _: over.is_set(), None)
        except Stopped:
            return


if __name__ == "__main__":
    main()
