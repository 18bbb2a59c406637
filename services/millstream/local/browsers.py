"""What driving a browser needs of this machine: node, a Chromium, and what package-lock.json of
browser/ names, resolved once into a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from millstream.domain.errors import OperatorError
from millstream.local.kafka_jars import cache_dir

DRIVER = Path(__file__).parent / "browser"
VARIABLE = "MILLSTREAM_CHROMIUM"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OLDEST_NODE = 20
RESOLVE_TIMEOUT_S = 300


def chromium() -> str:
    """Raises OperatorError."""
    given = os.environ.get(VARIABLE)
    found = given or next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if found is None or not Path(found).is_file():
        raise OperatorError(
            "a browser",
            given or f"none of {', '.join(_PROGRAMS)} on PATH",
            f"Chromium, on PATH or as {VARIABLE}",
            "On Debian and Ubuntu: apt-get install chromium",
        )
    return found


def node() -> str:
    """Raises OperatorError when there is none, or one older than OLDEST_NODE."""
    found = shutil.which("node")
    said = "none on PATH"
    if found is not None:
        asked = [found, "--version"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        release = said.removeprefix("v").partition(".")[0]
        if release.isdigit() and int(release) >= OLDEST_NODE:
            return found
    raise OperatorError(
        "node",
        said,
        f"Node.js {OLDEST_NODE} or newer, with npm",
        "On Debian 13: apt-get install nodejs npm; Debian 12's is older, and needs another source",
    )


def modules() -> Path:
    """The folder in which node finds what the driver imports; npm is asked once per version of the
    lock. Blocks, on the first call for some seconds. Raises OperatorError."""
    lock = DRIVER / "package-lock.json"
    place = cache_dir() / f"page-trial-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if (place / "complete").exists():
        return place
    npm = shutil.which("npm")
    if npm is None:
        raise _unresolved("no npm on PATH")
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(DRIVER / name, place / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=RESOLVE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unresolved(f"npm did not end in {RESOLVE_TIMEOUT_S} s") from None
    if done.returncode:
        raise _unresolved(f"npm ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    (place / "complete").touch()
    return place


def availability() -> str | None:
    """Why no browser can be driven here, or None."""
    try:
        chromium()
        node()
        modules()
    except OperatorError as error:
        return str(error)
    return None


def _unresolved(given: str) -> OperatorError:
    return OperatorError(
        "the browser's driver",
        given,
        "what services/millstream/local/browser/package-lock.json names, by npm",
        "It needs a package registry once; later the cache has it",
    )
