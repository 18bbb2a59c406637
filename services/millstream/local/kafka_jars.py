"""What Apache Kafka needs of this machine: a Java and the jars named by deploy/kafka/pom.xml."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from millstream.domain.errors import OperatorError

KAFKA_VERSION = "4.3.1"
"""As deploy/kafka/pom.xml has it; a test compares the two."""
OLDEST_JAVA = 17
RESOLVE_TIMEOUT_S = 900


def cache_dir() -> Path:
    """Outside the source tree: MILLSTREAM_CACHE, else `millstream` in the user's cache folder."""
    if chosen := os.environ.get("MILLSTREAM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millstream"


def pom_path() -> Path:
    """Raises OperatorError where the package was installed without its source tree."""
    pom = Path(__file__).parents[3] / "deploy" / "kafka" / "pom.xml"
    if not pom.is_file():
        raise OperatorError(
            "Apache Kafka",
            "an installation without deploy/kafka/pom.xml",
            "a checkout of Millstream (pip install -e .)",
            "Or set KAFKA_BOOTSTRAP_SERVERS to a running cluster",
        )
    return pom


def java_program() -> str:
    """The Java of JAVA_HOME, else the one on PATH. Raises OperatorError when older than 17."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not Path(found).is_file():
        raise _no_java("no java in JAVA_HOME or on PATH")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    release = java_release(said)
    if release < OLDEST_JAVA:
        raise _no_java(f"Java {release}" if release else f"a java that says {said[:80]!r}")
    return found


def java_release(said: str) -> int:
    """17 from `openjdk version "17.0.15"`, 8 from `java version "1.8.0_402"`, 0 from neither."""
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


def class_path() -> str:
    """The jars, joined as `java -cp` wants them; Maven is asked once per version of the pom.

    Blocks, minutes on the first call. Raises OperatorError when the jars are neither known nor
    to be had."""
    pom = pom_path()
    kept = _kept_at(pom)
    return _known(kept) or _resolve(pom, kept)


def availability() -> str | None:
    """Why Apache Kafka cannot run here, or None when nothing is known to be missing.

    Downloads nothing: with Maven present, `class_path` may still fail for want of a network."""
    try:
        java_program()
        known = _known(_kept_at(pom_path()))
    except OperatorError as error:
        return str(error)
    if known is None and shutil.which("mvn") is None:
        return str(_no_jars("neither resolved jars nor mvn on PATH"))
    return None


def _kept_at(pom: Path) -> Path:
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    return cache_dir() / f"kafka-{KAFKA_VERSION}-{digest}.classpath"


def _known(kept: Path) -> str | None:
    """The class path resolved earlier, provided that every jar still stands."""
    if not kept.is_file():
        return None
    joined = kept.read_text().strip()
    jars = joined.split(os.pathsep)
    return joined if joined and all(Path(jar).is_file() for jar in jars) else None


def _resolve(pom: Path, kept: Path) -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise _no_jars("neither resolved jars nor mvn on PATH")
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    ask = ["dependency:build-classpath", "-DincludeScope=runtime", f"-Dmdep.outputFile={fresh}"]
    run = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", str(pom), *ask],
        capture_output=True,
        text=True,
        timeout=RESOLVE_TIMEOUT_S,
        check=False,
    )
    if run.returncode != 0 or not fresh.is_file():
        raise _no_jars(f"mvn ended with code {run.returncode}: {run.stdout.strip()[-600:]}")
    fresh.replace(kept)  # whole or not at all, for a second process may be reading
    known = _known(kept)
    if known is None:
        raise _no_jars("a class path from mvn whose jars are missing")
    return known


def _no_java(given: str) -> OperatorError:
    return OperatorError(
        "Apache Kafka",
        given,
        f"Java {OLDEST_JAVA} or later",
        "Install one, or set JAVA_HOME, or set KAFKA_BOOTSTRAP_SERVERS to a running cluster",
    )


def _no_jars(given: str) -> OperatorError:
    return OperatorError(
        "Apache Kafka",
        given,
        f"the jars of Kafka {KAFKA_VERSION}",
        "Run `make kafka` where Maven and a network are, or set KAFKA_BOOTSTRAP_SERVERS",
    )
