"""Trainings that somebody asks for, as `reco.training.v1` tells them."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from aiokafka.structs import ConsumerRecord

from millstream.domain.models import TrainingRequest
from millstream.trainer.trigger import Trigger

_log = structlog.get_logger(__name__)

_REQUESTS = msgspec.json.Decoder(TrainingRequest)


def take_request(record: ConsumerRecord[Any, Any], name: tuple[str, str], trigger: Trigger) -> None:
    """`name`: whose requests are meant, tenant and model. One that does not read is passed over."""
    try:
        request = _REQUESTS.decode(record.value or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        _log.warning("a training request does not read", offset=record.offset)
        return
    if (request.tenant, request.model) == name:
        trigger.ask(round(request.requested_at.timestamp() * 1000))
