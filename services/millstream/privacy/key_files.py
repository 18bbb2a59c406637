"""A tenant's pseudonym keys as files: `<directory>/<tenant>/<n>.key`, the highest n in use.

Older keys stay as long as anything made under them stands: only with its key can a pseudonym be
found again from a raw id, to be erased."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from millstream.domain.errors import OperatorError
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms
from millstream.privacy.secret_files import read_secret, write_secret

VARIABLE = "MILLSTREAM_PSEUDONYM_KEYS_DIR"


def rotate(directory: Path, tenant: str) -> int:
    """Makes the tenant's next key, the first one included, and returns its number. From then on
    a client that starts sends new pseudonyms: to Millstream every shopper is a new one."""
    while True:
        number = max(_numbers(directory, tenant), default=0) + 1
        try:
            write_secret(_path(directory, tenant, number), secrets.token_bytes(KEY_BYTES))
        except FileExistsError:  # another one was as quick
            continue
        return number


def every_version(directory: Path, tenant: str) -> tuple[Pseudonyms, ...]:
    """Under each of the tenant's keys, the newest first. Raises OperatorError where there is
    none, and for a file that is no key or that others can read."""
    numbers = sorted(_numbers(directory, tenant), reverse=True)
    if not numbers:
        raise OperatorError(
            f"the pseudonym keys of tenant {tenant}",
            f"{directory / tenant}, which holds none",
            f"{VARIABLE} as the folder that holds them",
            f"Make the first with `millstream keys pseudonyms rotate --tenant {tenant}`",
        )
    return tuple(
        Pseudonyms(read_secret(_path(directory, tenant, number), KEY_BYTES), tenant)
        for number in numbers
    )


def newest(
    tenant: str, directory: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Pseudonyms:
    """What a client or a gateway signs with; `directory` is that of the environment unless
    given. Raises OperatorError as `every_version`, and where neither names a folder."""
    where = directory or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if where is None:
        raise OperatorError(f"setting {VARIABLE}", "nothing", "the folder of the pseudonym keys")
    return every_version(where, tenant)[0]


def _numbers(directory: Path, tenant: str) -> list[int]:
    names = [path.stem for path in (directory / tenant).glob("*.key")]
    return [int(name) for name in names if name.isascii() and name.isdigit()]


def _path(directory: Path, tenant: str, number: int) -> Path:
    return directory / tenant / f"{number}.key"
