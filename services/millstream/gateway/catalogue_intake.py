"""Catalogue items as they come over HTTP, judged one by one; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.decode import refusal
from millstream.domain.document import check_document
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES, is_clean_id
from millstream.domain.identity import record_key
from millstream.gateway.intake import (
    ACCEPTED,
    MAX_BATCH,
    Judged,
    Record,
    Status,
    Verdict,
    check_tenant,
)


class ItemBatch(Struct, frozen=True, forbid_unknown_fields=True):
    items: Annotated[tuple[CatalogueItem, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class _Parts(Struct, forbid_unknown_fields=True):
    items: Annotated[tuple[Raw, ...], Meta(min_length=1, max_length=MAX_BATCH)]


_parts = msgspec.json.Decoder(_Parts).decode
_item = msgspec.json.Decoder(CatalogueItem).decode


def parts_of(body: bytes) -> Sequence[bytes]:
    """Raises as intake.parts_of."""
    return [bytes(part) for part in _parts(body).items]


def judge_items(parts: Sequence[bytes], tenant: str) -> Judged:
    verdicts: list[Verdict] = []
    records: list[Record] = []
    for part in parts:
        try:
            records.append(_record(part, tenant))
        except Refused as refused:
            verdicts.append(Verdict(Status.REFUSED, refused.reason, refused.detail))
        else:
            verdicts.append(ACCEPTED)
    return Judged(verdicts, records, ())


def _record(part: bytes, tenant: str) -> Record:
    try:
        check_document(part.decode())
        item = _item(part)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refusal(error) from None
    check_tenant(item.tenant, tenant)
    if not is_clean_id(item.item_id):
        raise Refused(Reason.BAD_ID, "item_id has a character that ids may not have")
    value = msgspec.json.encode(msgspec.structs.replace(item, tenant=tenant))
    if len(value) > MAX_RECORD_BYTES:
        raise Refused(Reason.TOO_LARGE, f"{len(value)} bytes; at most {MAX_RECORD_BYTES}")
    return Record(record_key(tenant, item.item_id), value)
