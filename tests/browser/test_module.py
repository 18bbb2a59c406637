"""The module of a storefront's pages: in node by itself, and from node to a gateway."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

MODULE = Path(str(files("millstream.gateway"))) / "static" / "millstream.js"
HERE = Path(__file__).parent


def test_it_keeps_its_promises(node_js: str) -> None:
    ran = subprocess.run(
        [node_js, "--test", str(HERE / "module.test.mjs")],
        env={**os.environ, "MILLSTREAM_MODULE": MODULE.as_uri()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert "# pass 15" in ran.stdout, ran.stdout[-600:]


def test_it_depends_on_nothing() -> None:
    text = MODULE.read_text()
    assert "\nimport " not in text
    assert "eval" not in text
    assert "innerHTML" not in text
