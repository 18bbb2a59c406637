"""Dead letters of reviews back to their topic.

Unlike an event's, such a letter needs no signature: no review is late, and it counts once by its
review_id, however often and under whichever offset it comes."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream.domain.erasures import Marks, is_covered, review_of
from millstream.domain.errors import Refused
from millstream.domain.identity import record_key
from millstream.domain.log import SENT_AT
from millstream.domain.reviews import decode_review
from millstream.streaming.replay_letters import ERASED, NotSent, Replay, at_first, content_of
from millstream.streaming.stored_letters import StoredLetter


@dataclass(frozen=True, slots=True)
class ReviewReplayer:
    """Implements replay_letters.Prepares. `topic`: of the reviews. `erasures`: what erased shoppers
    wrote before is not brought back."""

    topic: str
    erasures: Marks = field(default_factory=dict)

    def prepare(self, letter: StoredLetter, mended: bytes | None = None) -> Replay:
        value = content_of(letter, self.topic, mended)
        if any(
            is_covered(at_first(letter, body), self.erasures, review_of)
            for body in (letter.value, value)
        ):
            raise NotSent(ERASED)
        try:
            review = decode_review(value, letter.origin.log_ms)
        except Refused as refused:
            raise NotSent(refused.reason) from None
        key = letter.key if mended is None else record_key(review.tenant, review.shopper)
        headers = tuple(header for header in letter.headers if header[0] != SENT_AT)
        return Replay(self.topic, key, value, headers)
