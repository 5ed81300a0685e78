"""What `moltp2p.testing` offers to embedders, and that the README has it right."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moltp2p import testing

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLE = (ROOT / "tests/embedding/test_example.py").read_text("utf-8")


@pytest.mark.parametrize("name", testing.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(testing, name)

    if callable(found):
        assert inspect.getdoc(found)
    if inspect.isclass(found):
        for method, value in vars(found).items():
            if not method.startswith("_") and callable(value):
                assert inspect.getdoc(value), method


def test_the_names_are_in_order_and_no_others_are_public() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert dir(testing) == testing.__all__
    with pytest.raises(AttributeError, match="open_village"):
        testing.open_village  # noqa: B018


def test_every_name_in_the_readmes_table_is_public() -> None:
    section = README.split("## Test what you build")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    named = {
        name.split("(")[0]
        for line in table
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }

    assert named
    assert named <= set(testing.__all__)


def test_the_readme_quotes_the_example_exactly() -> None:
    assert f"```python\n{EXAMPLE}```\n" in README


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, moltp2p.testing as t; t.TestAgent;"
        "heavy = {'libp2p', 'trio', 'pydantic', 'rich'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
