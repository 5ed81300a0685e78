"""Packages are installed once, whole, and from whatever registry is configured."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.interop.js_install import (
    SOURCES,
    InstallError,
    NoNodeError,
    find_node,
    find_tool,
    install,
)

INSTALLS = "#!/bin/sh\necho run >>../runs\nmkdir node_modules\n"
BREAKS_OFF = INSTALLS + "echo no such registry >&2; exit 1\n"


def program(path: Path, source: str) -> str:
    path.write_text(source)
    path.chmod(0o755)
    return str(path)


ROOT = Path(__file__).parents[2]
LOCKS = [
    path
    for folder in ("tests", "scripts")
    for path in sorted((ROOT / folder).rglob("package-lock.json"))
]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_a_lock_pins_every_version_and_names_no_place(lock: Path) -> None:
    wanted = json.loads(lock.with_name("package.json").read_text())["dependencies"]
    packages = json.loads(lock.read_text())["packages"]

    root = packages.pop("")
    assert root["dependencies"] == wanted
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert not {"resolved", "link"} & package.keys()


def test_an_installation_is_made_once_and_then_used_again(tmp_path: Path) -> None:
    npm = program(tmp_path / "npm", INSTALLS)

    first = install(npm, cache=tmp_path / "cache")
    second = install(npm, cache=tmp_path / "cache")

    assert first == second
    assert (first / "node_modules").is_dir()
    assert (first / "peer.mjs").read_bytes() == (SOURCES / "peer.mjs").read_bytes()
    assert (tmp_path / "cache" / "js" / "runs").read_text() == "run\n"


def test_a_half_installation_is_made_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(InstallError, match="no such registry"):
        install(program(tmp_path / "broken", BREAKS_OFF), cache=cache)

    folder = install(program(tmp_path / "npm", INSTALLS), cache=cache)

    assert (cache / "js" / "runs").read_text() == "run\nrun\n"
    assert [each for each in (cache / "js").iterdir() if each.is_dir()] == [folder]


def test_a_new_lock_is_installed_anew_and_a_new_program_is_copied(
    tmp_path: Path,
) -> None:
    npm = program(tmp_path / "npm", INSTALLS)
    sources, cache = tmp_path / "js", tmp_path / "cache"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("node_modules"))
    first = install(npm, sources, cache)
    (sources / "peer.mjs").write_text("// another program")

    same = install(npm, sources, cache)
    (sources / "package-lock.json").write_text("{}")
    other = install(npm, sources, cache)

    assert same == first
    assert (cache / "js" / "runs").read_text() == "run\nrun\n"
    assert (other / "peer.mjs").read_text() == "// another program"
    assert not first.exists()


@pytest.mark.parametrize("version", ["v18.20.4", "v6.0.0", "nonsense"])
def test_an_old_node_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    program(tmp_path / "node", f"#!/bin/sh\necho {version}\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoNodeError, match="Node >= 20 not found"):
        find_node()
    with pytest.raises(NoNodeError, match="npm not found"):
        find_tool("npm")


@pytest.mark.parametrize("version", ["v20.0.0", "v24.1.0"])
def test_a_new_node_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    node = program(tmp_path / "node", f"#!/bin/sh\necho {version}\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_node() == node
