"""What is left of a record that was forgotten: its place and its time, so that offsets stay as
dense as the log's and the file names stay true."""

from __future__ import annotations

from dataclasses import replace

from millstream.domain.log import LogRecord

FORGOTTEN = "millstream.forgotten"
_HEADERS = ((FORGOTTEN, None),)


def blanked(record: LogRecord) -> LogRecord:
    return replace(record, key=None, value=None, headers=_HEADERS)


def is_blank(record: LogRecord) -> bool:
    return record.value is None and record.key is None and record.headers == _HEADERS
