from __future__ import annotations

from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.local import kafka_jars
from millstream.local.kafka_jars import KAFKA_VERSION, availability, class_path, java_release


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a Java 17, an empty cache, and nothing on PATH but its own bin and /bin."""
    program(tmp_path / "jdk/bin/java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setenv("MILLSTREAM_CACHE", str(tmp_path / "cache"))
    shell = tmp_path / "shell"
    shell.mkdir()
    for needed in ("sh", "touch", "echo"):
        (shell / needed).symlink_to(f"/bin/{needed}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{shell}")
    return tmp_path


def maven(machine: Path) -> Path:
    """One that notes each call and resolves to a single jar; returns where the notes are."""
    asked = machine / "asked"
    program(
        machine / "bin/mvn",
        f'echo asked >> {asked}; touch {machine}/a.jar; for word in "$@"; do case $word in '
        f'-Dmdep.outputFile=*) echo {machine}/a.jar > "${{word#*=}}";; esac; done',
    )
    return asked


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "26-ea"', 26),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_java_tells_its_release(said: str, release: int) -> None:
    assert java_release(said) == release


def test_the_pom_and_the_code_name_the_same_kafka_and_no_repository() -> None:
    pom = kafka_jars.pom_path().read_text()
    assert f"<kafka.version>{KAFKA_VERSION}</kafka.version>" in pom
    assert "repositor" not in pom.split("-->", 1)[1].lower()


def test_no_java_is_the_reason(machine: Path) -> None:
    (machine / "jdk/bin/java").unlink()
    assert "Java 17 or later" in (availability() or "")


def test_an_old_java_is_the_reason(machine: Path) -> None:
    program(machine / "jdk/bin/java", "echo 'openjdk version \"11.0.2\"' >&2")
    assert "got Java 11; expected Java 17" in (availability() or "")


def test_neither_maven_nor_jars_is_the_reason(machine: Path) -> None:
    assert "neither resolved jars nor mvn" in (availability() or "")
    with pytest.raises(OperatorError, match="make kafka"):
        class_path()


def test_maven_is_asked_once_and_again_when_a_jar_has_gone(machine: Path) -> None:
    asked = maven(machine)
    assert availability() is None
    assert not asked.exists(), "availability asked Maven"
    assert class_path() == class_path() == f"{machine}/a.jar"
    assert asked.read_text().count("asked") == 1
    (machine / "bin/mvn").rename(machine / "mvn")
    assert availability() is None, "resolved jars need no Maven"
    (machine / "mvn").rename(machine / "bin/mvn")
    (machine / "a.jar").unlink()
    assert class_path() == f"{machine}/a.jar"
    assert asked.read_text().count("asked") == 2


def test_another_pom_is_another_class_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = maven(machine)
    class_path()
    other = machine / "pom.xml"
    other.write_text("<project/>")
    monkeypatch.setattr(kafka_jars, "pom_path", lambda: other)
    class_path()
    assert asked.read_text().count("asked") == 2


def test_what_maven_says_when_it_fails_is_passed_on(machine: Path) -> None:
    program(machine / "bin/mvn", "echo '[ERROR] could not transfer artifact'; exit 1")
    with pytest.raises(OperatorError, match="could not transfer artifact"):
        class_path()
    assert not list((machine / "cache").iterdir())


def test_the_cache_is_outside_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLSTREAM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert kafka_jars.cache_dir() == Path("/somewhere/millstream")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert kafka_jars.cache_dir() == Path.home() / ".cache" / "millstream"
