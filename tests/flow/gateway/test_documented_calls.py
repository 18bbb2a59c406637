"""Every curl of the documents is answered by a gateway as it stands there."""

from __future__ import annotations

import argparse
import json
from urllib.parse import urlsplit

import pytest
from tests.documents import DOCUMENTS, shell_calls
from tests.flow.gateway.test_page import item
from tests.gateway import Gate

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = [
    (document, words[1:])
    for document in DOCUMENTS
    for words in shell_calls(document)
    if words[0] == "curl"
]


def parsed(words: list[str]) -> argparse.Namespace:
    """Fails for an option of curl that this test does not know."""
    curl = argparse.ArgumentParser(exit_on_error=False)
    curl.add_argument("url")
    curl.add_argument("-X", dest="method")
    curl.add_argument("-H", dest="headers", action="append")
    curl.add_argument("-d", dest="body")
    return curl.parse_args(words)


async def test_each_is_answered(shop: Gate) -> None:
    lantern = item("lan1", title="Metal lantern", price=5.0)
    assert (await shop.http.put("/v1/items", json={"items": [lantern]})).json()["accepted"] == 1
    told: dict[str, list[int]] = {}

    async def is_found() -> bool:
        return bool((await shop.http.get("/v1/items:search?q=lantern")).json()["items"])

    await shop.until(is_found, "the lantern is found")
    for document, words in CALLS:
        call = parsed(words)
        assert "Authorization: Bearer $KEY" in call.headers
        url = urlsplit(call.url if "://" in call.url else f"http://{call.url}")
        answer = await shop.http.request(
            call.method or ("POST" if call.body else "GET"),
            f"{url.path}?{url.query}",
            json=json.loads(call.body) if call.body else None,
        )
        assert answer.status_code in {200, 202}, f"{document}: {words}: {answer.text}"
        told.setdefault(document, []).append(answer.status_code)
    assert {f"docs/{name}.md" for name in ("experiments", "questions", "rules", "search")} <= set(
        told
    )
