"""The page's files: what is served, under which policy, and that nothing is had from elsewhere."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from millstream.gateway.site import POLICY, site

FOLDER = Path(str(files("millstream.gateway"))) / "page"
OURS = [
    path
    for path in FOLDER.rglob("*")
    if path.suffix in {".js", ".html", ".css"} and "vendor" not in path.parts
]


@dataclass
class Told:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: bool = False


async def get(path: str, method: str = "GET", **headers: str) -> Told:
    told = Told()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.status = message["status"]
            told.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            told.body += message["body"]

    given = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    told.taken = await site().answer({"path": path, "method": method, "headers": given}, send)
    return told


async def test_the_page_is_served_under_a_policy_that_allows_its_own_files_alone() -> None:
    told = await get("/page/")
    assert told.status == 200
    assert told.headers["content-type"].startswith("text/html")
    assert told.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    assert told.headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/page"):
        assert (await get(path)).headers["location"] == "/page/"


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    told = await get("/page/app.js")
    again = await get("/page/app.js", if_none_match=told.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert (await get("/page/app.js", if_none_match='"other"')).status == 200
    head = await get("/page/app.js", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(told.body))


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/../site.py", "/page/%2e%2e/site.py"])
async def test_what_is_no_file_of_the_page_is_not_there(path: str) -> None:
    assert (await get(path)).status == 404


async def test_all_else_goes_on_to_the_routes() -> None:
    assert not (await get("/v1/items")).taken
    assert not (await get("/page/", method="POST")).taken


def test_nothing_is_inline_which_the_policy_would_forbid() -> None:
    page = (FOLDER / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
    assert not re.findall(r"<style|\bstyle=|\bon[a-z]+=", page)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_file_names_another_origin(path: Path) -> None:
    """But for the example of the API's paths there is no address in them at all."""
    assert not re.findall(r"https?://|//cdn", path.read_text())


async def test_every_file_that_is_imported_or_linked_is_served() -> None:
    named = set()
    for path in OURS:
        at = path.parent.relative_to(FOLDER).as_posix()
        text = path.read_text()
        found = re.findall(r'from "(\.[^"]+)"', text)
        if path.suffix == ".html":
            found += re.findall(r'(?:src|href)="([^"#]+)"', text)
        named |= {posixpath.normpath(posixpath.join(at, name)) for name in found}
    assert {"vendor/preact.js", "vendor/uplot.js", "panels/models.js"} <= named
    for name in named:
        assert (await get(f"/page/{name}")).status == 200, name


def test_what_others_wrote_is_shipped_with_its_licence() -> None:
    vendor = FOLDER / "vendor"
    told = (vendor / "VERSIONS.md").read_text()
    for path in vendor.glob("*.js"):
        assert f"`{path.name}`" in told
    for licence in ("htm", "preact", "uplot"):
        assert (vendor / f"LICENSE.{licence}.txt").stat().st_size > 500


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_the_pages_own_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 150
