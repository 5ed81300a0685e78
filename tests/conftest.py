"""What all tests share: where chance comes from."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator

import hypothesis
import pytest

# A test fails for everybody or for nobody. To look for new counterexamples:
# HYPOTHESIS_PROFILE=exploring; a failure then prints how to repeat it.
# No deadlines: two busy cores would break them at random.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, print_blob=True
)
hypothesis.settings.register_profile(
    "exploring", max_examples=1_000, deadline=None, print_blob=True
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


# Most tests are about something else, and their agents prove nothing.
os.environ.setdefault("MOLTP2P_ADMISSION", "open")
# Tests that run side by side are no neighbours.
os.environ.setdefault("MOLTP2P_MDNS", "off")


@pytest.fixture
def rng() -> random.Random:
    """Dice that fall alike in every run; SEED=7 in the environment loads them."""
    seed = int(os.environ.get("SEED", "1"))
    print(f"repeat this with SEED={seed}")  # noqa: T201  # pytest shows it on failure
    return random.Random(seed)


@pytest.fixture(autouse=True)
def level_as_before() -> Iterator[None]:
    """Undo what a node under test set: the lines of later tests would be kept."""
    logger = logging.getLogger("moltp2p")
    before = logger.level
    yield
    logger.setLevel(before)
