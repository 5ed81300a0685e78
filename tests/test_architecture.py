"""The shape of the source: what may import what.

That every public name has a docstring is ruff's to say (D), and that the spec is
quoted exactly is scripts/check_spec_quotes.py's; scripts/check runs both.
"""

from __future__ import annotations

import ast
import importlib.metadata
import logging
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "moltp2p"
BIN = Path(sys.executable).parent
PYPROJECT = ROOT / "pyproject.toml"

BREACHES = {
    "Imports point down the stack": ("proto/breach.py", "import moltp2p.net.base"),
    "The rooms of proto know nothing of each other": (
        "proto/sync/breach.py",
        "import moltp2p.proto.gossip.rpc",
    ),
    "The rooms of net know nothing of each other": (
        "net/finding/breach.py",
        "import moltp2p.net.gossip.outbox",
    ),
    "The rooms of node know nothing of each other": (
        "node/sync/breach.py",
        "import moltp2p.node.proving.telling",
    ),
    "core and proto do no I/O": ("core/breach.py", "import time"),
    "Only store/leveldb.py knows plyvel": ("store/breach.py", "import plyvel"),
    "Only net/ knows libp2p and multiaddr": ("node/breach.py", "import libp2p.host"),
    "Only api/metrics/exposition.py knows prometheus_client": (
        "api/breach.py",
        "import prometheus_client",
    ),
    "Only core/codec.py knows cbor2": ("core/breach_2.py", "import cbor2"),
    "Only core/keys.py and core/challenge/work.py know nacl": (
        "core/breach_3.py",
        "import nacl.signing",
    ),
}
"""For each import contract, a file that breaks it."""

HEAVY = {
    "fastapi", "hypercorn", "libp2p", "multiaddr", "prometheus_client", "pydantic",
    "pyarrow",
}  # fmt: skip
"""What takes a tenth of a second or more to import."""


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "lint-imports", "--no-cache", "--no-logo", "--config", PYPROJECT],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_contract_holds() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_every_import_contract_notices_a_breach(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "moltp2p")
    for file, source in BREACHES.values():
        (tmp_path / "moltp2p" / file).write_text(source)

    result = lint_imports(tmp_path)

    assert result.returncode == 1
    config = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    names = {each["name"] for each in config["tool"]["importlinter"]["contracts"]}
    assert names == set(BREACHES)
    for name in names:
        assert f"{name} BROKEN" in result.stdout


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = grimp.build_graph("moltp2p")
    needs = {
        each: graph.find_modules_directly_imported_by(each) for each in graph.modules
    }

    TopologicalSorter(needs).prepare()  # a CycleError names the modules


def test_every_folder_of_the_package_is_in_the_import_graph() -> None:
    folders = {file.parent for file in PACKAGE.rglob("*.py")}

    bare = [folder for folder in folders if not (folder / "__init__.py").exists()]

    assert bare == []


def test_every_library_imported_is_a_declared_dependency() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + extras["plot"] + extras["dataset"]
    declared = {Requirement(line).name for line in lines}
    providers = importlib.metadata.packages_distributions()
    graph = grimp.build_graph("moltp2p", include_external_packages=True)
    libraries = {
        module
        for module in graph.modules
        if graph.is_module_squashed(module) and module not in sys.stdlib_module_names
    }

    undeclared = {
        library
        for library in libraries
        if not {canonicalize_name(name) for name in providers.get(library, [])}
        & {canonicalize_name(name) for name in declared}
    }

    assert undeclared == set()


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", BIN / "moltp2p", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "Usage" in result.stdout
    assert "moltp2p.cli.main" in imported
    assert HEAVY.isdisjoint(imported)


@pytest.mark.slow
def test_a_node_is_imported_without_what_only_one_on_the_network_needs() -> None:
    names = "import sys, moltp2p.node.node; print(*sys.modules)"

    result = subprocess.run(
        [sys.executable, "-c", names], capture_output=True, text=True, check=True
    )

    assert HEAVY.isdisjoint(result.stdout.split())


def test_no_line_of_the_log_takes_a_name_that_logging_keeps_for_itself() -> None:
    kept = {*logging.makeLogRecord({}).__dict__, "message", "asctime"} - {"exc_info"}
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno} {word.arg}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        for word in call.keywords
        if word.arg in kept
    ]

    assert found == []
