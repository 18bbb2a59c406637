"""The target under atheris, guided by coverage: `python -m tests.fuzz.under_atheris RUNS SEED`.

Ends with a line of JSON; a broken promise ends it with libFuzzer's report and exit code."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["millstream.domain", "millstream.streaming.dead_letters"]):
    from tests.fuzz.target import label_of, seeds


def main(runs: int, seed: int) -> None:
    verdicts: Counter[str] = Counter()

    def one(data: bytes) -> None:
        verdicts[label_of(data)] += 1
        if verdicts.total() >= runs:
            # libFuzzer never hands control back, and ends without Python's own end.
            print(json.dumps({"inputs": runs, "verdicts": verdicts}), flush=True)  # noqa: T201
            os._exit(0)

    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(data)
        options = [f"-seed={seed}", "-max_len=70000", "-rss_limit_mb=1024", "-print_final_stats=0"]
        atheris.Setup([sys.argv[0], *options, corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
