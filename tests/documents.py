"""The documents of the source tree as tests read them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "services" / "millstream"
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_COMMENT = re.compile(r"<!-- .*? -->")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for kind, body in _FENCE.findall(text_of(document)) if kind == language]


def quoted(document: str) -> list[str]:
    """What stands in single backquotes outside of fenced blocks."""
    return _QUOTED.findall(_FENCE.sub("", text_of(document)))


def links(document: str) -> list[str]:
    """Targets inside the tree, as written."""
    found = _LINK.findall(_FENCE.sub("", text_of(document)))
    return [target for target in found if "://" not in target]


def commands(document: str, program: str) -> list[list[str]]:
    """Every call of `program` that is written out, as words."""
    shell = [line.partition("#")[0] for body in blocks(document, "sh") for line in body.split("\n")]
    calls = [text.split() for text in (*quoted(document), *shell)]
    return [words[1:] for words in calls if words and words[0] == program and len(words) > 1]


def tables(document: str) -> list[list[list[str]]]:
    """Tables as rows of cells, the heading first, the ruling left out."""
    found: list[list[list[str]]] = [[]]
    for line in _COMMENT.sub("", text_of(document)).split("\n"):
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if set("".join(cells)) - set("-: ") or not found[-1]:
                found[-1].append(cells)
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


def anchors(document: str) -> set[str]:
    """The headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text_of(document)), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}
