"""How a training gives way, as the kernel has it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from millstream.trainer.limits import LAST
from millstream.trainer.settings import TrainerSettings

TELL = """
import os, sys
from millstream.trainer.limits import bound_cpu
before = os.nice(0)
bound_cpu(2, int(sys.argv[1]))
policy = os.sched_getscheduler(0) == os.SCHED_IDLE
print(os.nice(0) - before, policy, os.environ["POLARS_MAX_THREADS"])
"""


def told(niceness: int) -> list[str]:
    command = [sys.executable, "-c", TELL, str(niceness)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="no SCHED_IDLE on this system")
def test_the_last_takes_only_what_nobody_else_wants() -> None:
    assert told(0) == ["0", "False", "2"]
    assert told(LAST)[1:] == ["True", "2"]
    assert TrainerSettings.model_fields["niceness"].default == LAST
