"""What the page says of the list beside the shop, in node."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

PIECE = Path(str(files("millstream.gateway"))) / "page" / "pieces" / "list_told.js"


def test_it_claims_no_list_that_did_not_come(node_js: str) -> None:
    ran = subprocess.run(
        [node_js, "--test", str(Path(__file__).parent / "list_told.test.mjs")],
        env={**os.environ, "MILLSTREAM_PIECE": PIECE.as_uri()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert "# pass 5" in ran.stdout, ran.stdout[-600:]
