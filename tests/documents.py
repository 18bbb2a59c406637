"""The documents of the source tree as tests read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
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
_INDENTED = re.compile(r"(?:\A|\n)[ \t]*\n {4,}(?![-*\d ])|\n[ \t]*(?:```|~~~)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_COMMENT = re.compile(r"<!-- .*? -->")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for kind, body in fences(document) if kind == language]


def fences(document: str) -> list[tuple[str, str]]:
    """Language and body of every fenced block."""
    return _FENCE.findall(text_of(document))


def is_fenced_only(document: str) -> bool:
    """Whether no code stands in a block of another kind, where no test would find it."""
    return _INDENTED.search(_FENCE.sub("", text_of(document))) is None


def shell_calls(document: str) -> Iterator[list[str]]:
    """What the sh blocks call, as the words that a shell would make of them; variables stay."""
    for body in blocks(document, "sh"):
        text = ""
        for line in body.replace("\\\n", " ").split("\n"):
            text += line + "\n"
            try:
                words = shlex.split(text, comments=True)
            except ValueError:  # a quotation goes on in the next line
                continue
            text = ""
            if words:
                yield words
        assert not text, f"{document}: a quotation without an end"


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
