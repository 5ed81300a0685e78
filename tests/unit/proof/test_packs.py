"""Packs are read, or refused with words that tell their author what to mend."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import UsageError
from moltp2p.core.limits import MAX_TASK_CHARS
from moltp2p.proof.cast import GOODS, HUES, NAMES, ROLES
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Phrase, pack_value
from moltp2p.proof.pack_reading import built_in, load_library, look_at, read_pack
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import shortest
from moltp2p.proof.world import Family, Memo
from tests.refusal import code_of

GOOD = json.loads(
    (Path(__file__).parents[2] / "proof" / "packs" / "tales.json").read_text("utf-8")
)

Spoil = Callable[[dict[str, Any]], object]


def problems(spoil: Spoil) -> list[str]:
    pack = copy.deepcopy(GOOD)
    spoil(pack)
    return look_at(json.dumps(pack).encode())[1]


def scene(pack: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pack["scenes"][0]
    return found


def gives(phrase: object) -> Spoil:
    return lambda pack: scene(pack)["phrases"].update(give=[phrase])


GIVE = 'scene 1 (ledger), kind "give"'


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda pack: pack.update(format="x"), '"format" is not "moltp2p-pack/1"'),
        (lambda pack: pack.pop("name"), '"name" is missing, or no text'),
        (lambda pack: pack.update(nmae=1), 'the pack has a field "nmae"'),
        (lambda pack: pack.update(scenes={}), '"scenes" is not a list'),
        (lambda pack: pack.update(scenes=[1]), "scene 1 is not a JSON object"),
        (lambda pack: pack.update(memo=["x {role}"]), '"memo", phrase 1: lacks {name}'),
        (lambda pack: pack.update(aside=["{m}"]), "nothing fills {m}"),
        (lambda pack: scene(pack).update(family="x"), 'scene 1: "family" is none of'),
        (lambda pack: scene(pack).update(words=[]), '"words" is not a JSON object'),
        (lambda pack: scene(pack).update(words={"n": ["x"]}), "three or more small"),
        (lambda pack: scene(pack).update(words={"abc": []}), "not a list with some"),
        (lambda pack: scene(pack).update(links=1), '"links" is not a list'),
        (lambda pack: scene(pack).update(links=["caf\u00e9"]), "printable ASCII"),
        (lambda pack: scene(pack).pop("phrases"), '"phrases" is missing'),
        (lambda pack: scene(pack)["phrases"].pop("give"), f"{GIVE}: no phrase"),
        (lambda pack: scene(pack)["phrases"].update(gvie=["x"]), 'no kind "gvie"'),
        (gives("{a} gives {n}"), f"{GIVE}, phrase 1: lacks {{b}}"),
        (gives("{a} {b} {n} {place}"), f"{GIVE}, phrase 1: nothing fills {{place}}"),
        (gives("{a} {b} {n} at 7"), f"{GIVE}, phrase 1: a digit"),
        (gives("{a} {b} {n} for Orla"), f"{GIVE}, phrase 1: 'Orla' is a name"),
        (gives("{a} {b} {n} {"), f"{GIVE}, phrase 1: a brace"),
        (gives("{a} {b} {n}\n"), f"{GIVE}, phrase 1: not a text of printable ASCII"),
        (gives("{a} {b} {n}" + "x" * 200), f"{GIVE}, phrase 1: more than 200"),
        (gives(7), f"{GIVE}, phrase 1: not a text"),
        (lambda pack: scene(pack)["phrases"].update(give="x"), f"{GIVE}: not a list"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(spoil: Spoil, told: str) -> None:
    found = problems(spoil)

    assert any(told in problem for problem in found), found


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b" " * 1_048_577])
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    assert code_of(lambda: read_pack(data, "x.json")) == "bad-pack"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["family", "phrases", "give"]), inner)
    ),
)


@given(
    st.dictionaries(st.sampled_from(["format", "name", "scenes", "memo", "x"]), VALUES)
)
def test_any_json_is_a_pack_or_has_problems(value: dict[str, object]) -> None:
    data = json.dumps(value).encode()
    if not look_at(data)[1]:
        read_pack(data, "x.json")


def test_a_pack_is_written_as_it_is_read() -> None:
    for pack in built_in():
        again = read_pack(json.dumps(pack_value(pack)).encode(), "again")
        assert again == pack


def test_an_operators_scenes_stand_in_for_the_built_in_ones(tmp_path: Path) -> None:
    only = {**GOOD, "scenes": GOOD["scenes"][:1], "memo": []}
    (tmp_path / "own.json").write_text(json.dumps(only), "utf-8")

    own, usual = load_library(tmp_path), load_library()

    assert [s.words for s in own.scenes[Family.LEDGER]] == [
        {"things": tuple(GOOD["scenes"][0]["words"]["things"])}
    ]
    assert own.scenes[Family.SEATS] == usual.scenes[Family.SEATS]
    assert own.memo == usual.memo
    assert own.aside != usual.aside


def test_a_folder_that_is_not_there_is_no_pack(tmp_path: Path) -> None:
    assert load_library(tmp_path / "packs") == load_library()


def test_a_pack_of_an_operator_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text("{}", "utf-8")

    with pytest.raises(UsageError, match=r"own\.json: "):
        load_library(tmp_path)


@pytest.mark.parametrize("family", Family)
def test_the_shortest_words_always_fit(family: Family) -> None:
    library = load_library()
    role = max(ROLES, key=len)
    for at in range(150):
        memo = Memo(role, "Rosalind")
        world = draw_world(family, Dice(b"short", bytes([at])), memo=memo)
        for scene in library.scenes[family]:
            text = shortest(world, library, scene, Dice(bytes([at])))
            assert len(text) <= MAX_TASK_CHARS
            assert Worlds().carries(world, text)


def test_no_name_or_word_of_a_world_is_another() -> None:
    words = [word.lower() for word in (*NAMES, *ROLES, *HUES, *GOODS)]

    assert len(set(words)) == len(words)


def test_a_phrase_is_written_as_it_was() -> None:
    text = "{a} hands {n} {things} to {b}, {a} alone"

    assert Phrase.parse(text).text == text
    assert Phrase.parse(text).slots == {"a", "b", "n", "things"}
