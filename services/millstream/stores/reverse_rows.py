"""The rows of the reverse table in SQLite.

Not in Redis: what stands there may be rolled back to an older copy or wiped and rebuilt at any
time, which is right for counts, but would bring a destroyed entry back, or lose one that no log
could rebuild."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from millstream.domain.errors import OperatorError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reverse (
  tenant TEXT, pseudonym TEXT, wrapped BLOB NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (tenant, pseudonym)
) WITHOUT ROWID
"""
_WAIT_S = 10.0


class SqliteRows:
    """One file for all processes of one machine. Implements privacy.reverse_table.Rows."""

    def __init__(self, path: Path) -> None:
        """Creates the file where it is missing, for its owner alone. Raises OperatorError where
        it is no such file, can't be written or is open to others."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            _require_private(path)
            self._rows = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            # A deleted row is overwritten with zeros; no log of old pages outlives a commit.
            for setting in ("secure_delete = ON", "journal_mode = DELETE", "synchronous = FULL"):
                self._rows.execute(f"PRAGMA {setting}")
            self._rows.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(
                "the reverse table", f"{path} ({error})", "a file that SQLite can write"
            ) from None
        self._lock = threading.Lock()

    def close(self) -> None:
        self._rows.close()

    def get(self, tenant: str, pseudonym: str) -> tuple[bytes, bytes] | None:
        with self._lock:
            row: tuple[bytes, bytes] | None = self._rows.execute(
                "SELECT wrapped, sealed FROM reverse WHERE tenant = ? AND pseudonym = ?",
                (tenant, pseudonym),
            ).fetchone()
        return row

    def put(self, tenant: str, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
        """In one transaction; on the disk when it returns."""
        with self._lock, self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            self._rows.executemany(
                "INSERT OR IGNORE INTO reverse VALUES (?, ?, ?, ?)",
                [(tenant, *row) for row in rows],
            )

    def delete(self, tenant: str, pseudonym: str) -> bool:
        with self._lock:
            done = self._rows.execute(
                "DELETE FROM reverse WHERE tenant = ? AND pseudonym = ?", (tenant, pseudonym)
            )
        return done.rowcount > 0


def _require_private(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise OperatorError(
            "the reverse table",
            f"{path}, which others can read",
            "mode 0600",
            f"Run `chmod 600 {path}`",
        )
