"""Which code made a version, or a figure."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path

import millstream


@cache
def code_version() -> str:
    """The release, and 12 hexadecimal digits that stand for the package's own sources: between two
    releases the code changes, too. Reads some hundred files."""
    root, found = Path(millstream.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return f"{installed_version('millstream')}+{found.hexdigest()[:12]}"
