"""What documents and comments point at is there: files, documents, their sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "spec"
DOCUMENTS = {file.name[:2]: file for file in SPEC.glob("[0-9][0-9]-*.md")}
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
NAMED = re.compile(r"`((?:[\w-]+/)+[\w-]+\.py)`")
SECTION = re.compile(r"(?:spec (\d\d)|\[(\d\d)\]\([^)]*\)), section (\d+(?:\.\d+)?)")
LIBP2P = Path(str(distribution("libp2p").locate_file("libp2p")))
HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)", re.MULTILINE)
ROOMS = (ROOT, ROOT / "moltp2p", ROOT / "scripts", ROOT / "tests", SPEC, LIBP2P)
"""Where a source may stand that a document names."""


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every document, and every source with what its comments say."""
    ours = ("moltp2p/**/*.py", "scripts/**/*.py", "tests/**/*.py", "spec/**/*.md")
    for pattern in (*ours, "*.md"):
        for file in sorted(ROOT.glob(pattern)):
            if file != Path(__file__):
                yield file.relative_to(ROOT), file.read_text("utf-8")


def test_every_link_of_a_document_leads_to_a_file() -> None:
    broken = [
        f"{file}: {link}"
        for file, text in texts()
        if file.suffix == ".md" and file.name != "TEMPLATE.md"
        for link in LINK.findall(text)
        if not (ROOT / file.parent / link).exists()
    ]

    assert broken == []


def test_every_source_that_a_document_names_is_there() -> None:
    found = [
        (file, named)
        for file, text in texts()
        if file.parts[0] in {"README.md", "CONTRIBUTING.md", "spec"}
        for named in NAMED.findall(text)
    ]
    lost = [
        f"{file}: {named}"
        for file, named in found
        if not any((room / named).exists() for room in ROOMS)
    ]

    assert len(found) > 20
    assert lost == []


def test_every_section_that_is_pointed_at_is_there() -> None:
    sections = {
        number: set(HEADING.findall(file.read_text("utf-8")))
        for number, file in DOCUMENTS.items()
    }
    found = [
        (file, one or other, section)
        for file, text in texts()
        for one, other, section in SECTION.findall(text)
    ]

    assert len(found) > 50
    assert [each for each in found if each[2] not in sections[each[1]]] == []
