"""`POST /v1/questions`."""

from __future__ import annotations

from typing import Annotated

from litestar import post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from millstream.gateway.api_keys import Scope
from millstream.gateway.asking import QuestionAnswer
from millstream.gateway.paths import check_item, check_shopper
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs


class Question(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`user`: the shopper who asks, `~` before an anonymous id. `item`: what the shopper looks at,
    which is meant by `it` and `this`."""

    question: Annotated[str, Meta(min_length=1, max_length=256)]
    user: Annotated[str, Meta(min_length=1, max_length=129)] | None = None
    item: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


@post(
    "/v1/questions",
    status_code=200,
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="A shopper's question",
    description="In English: is it in stock, what does it cost, is there something like it that is"
    " cheaper, why do I see it, what do buyers say. Answered from the catalogue, reviews and the"
    " shopper's own list, each answer with the fields that it rests on; what they do not say is not"
    " known, and `known` is false.",
    operation_id="answerQuestion",
    tags=["catalogue"],
    raises=[],
)
async def answer_question(
    parts: GivenParts, caller: GivenCaller, data: JSONBody[Question]
) -> QuestionAnswer:
    if data.user is not None:
        check_shopper(data.user)
    if data.item is not None:
        check_item(data.item)
    return await parts.asking.answer(caller, data.question, data.user, data.item)
