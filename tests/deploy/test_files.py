"""What operators install: the unit and the image are what they say."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import trio

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "scripts" / "deploy"
UNIT = DEPLOY / "moltp2p.service"
DOCKERFILE = DEPLOY / "Dockerfile"

WORST_EXPOSURE = 1.5
"""Of 10, by `systemd-analyze security`; the unit's own is 1.3."""


def unit() -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_waits_longer_than_a_node_takes_to_end() -> None:
    from moltp2p.cli.run import GRACE_S  # noqa: PLC0415 - beside what it is for

    service = unit()

    assert service["Type"] == "notify"
    assert float(service["TimeoutStopSec"]) > GRACE_S
    assert float(service["WatchdogSec"]) > GRACE_S
    assert service["ExecStart"].endswith("--home /var/lib/moltp2p run")


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)
def test_the_unit_is_hardened() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    found = re.search(r"Overall exposure level.*: ([\d.]+)", done.stdout)

    assert found, done.stderr
    assert float(found[1]) <= WORST_EXPOSURE


def instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_runs_as_nobody_special_and_says_how_it_is() -> None:
    steps = instructions()
    last = max(n for n, (word, _) in enumerate(steps) if word == "FROM")
    image = dict(steps[last:])

    assert image["USER"] == "molt"
    assert steps.index(("USER", "molt")) < steps.index(("ENTRYPOINT", '["moltp2p"]'))
    assert '["moltp2p", "admin", "health", "--live"]' in image["HEALTHCHECK"]
    assert "build-essential" not in " ".join(text for _, text in steps[last:])
    assert "--require-hashes" in DOCKERFILE.read_text()


def test_what_the_image_is_made_of_is_there() -> None:
    for word, text in instructions():
        if word == "COPY" and "--from" not in text:
            *sources, _ = shlex.split(text)
            assert all((ROOT / source).exists() for source in sources), text


def find_engine() -> str | None:
    """Return the engine that runs here, if one does."""
    for name in ("docker", "podman"):
        if shutil.which(name) and engine_says(name, "info") is not None:
            return name
    return None


def engine_says(engine: str, *words: str) -> str | None:
    """Return what a command of the engine's prints; None if it fails."""
    done = subprocess.run([engine, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no container engine runs here")
async def test_the_image_builds_and_its_node_says_that_it_is_alive() -> None:
    engine = find_engine()
    assert engine
    image = engine_says(engine, "build", "-q", "-f", str(DOCKERFILE), str(ROOT))
    assert image, "it does not build"
    node = engine_says(engine, "run", "-d", image)
    assert node, "it does not run"
    try:
        health = (engine, "exec", node, "moltp2p", "admin", "health", "--live")
        with trio.fail_after(PATIENCE_S):
            while await trio.to_thread.run_sync(engine_says, *health) is None:  # noqa: ASYNC110
                await trio.sleep(0.5)

        assert engine_says(engine, "exec", node, "id", "-u") == "10001"
        assert engine_says(engine, "stop", node) is not None
        code = "{{.State.ExitCode}}"
        assert engine_says(engine, "inspect", "--format", code, node) == "0"
    finally:
        engine_says(engine, "rm", "-f", "-v", node)
