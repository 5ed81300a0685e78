"""A model behind HTTP, asked over real sockets; its owner's key is told to nobody."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.node.config import Config, load_config
from moltp2p.node.proving import openai_solver
from moltp2p.node.proving.openai_solver import MAX_SAID_BYTES, MAX_TRIES, OpenAi
from moltp2p.node.proving.proving import make_solver
from moltp2p.node.proving.solvers import Answering, Question
from moltp2p.node.solver_settings import KEY_VARIABLE
from moltp2p.proto.challenge.events import Ask
from tests.endpoint import Asked, Endpoint, Reply, open_endpoint, said
from tests.patience import PATIENCE_S

KEY = "sk-nobody-may-see-this"
QUESTION = Question("how many?", "", PATIENCE_S)

Answer = Reply | bytes


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second try come soon."""
    monkeypatch.setattr(openai_solver, "FIRST_PAUSE_S", 0.001)


def in_turn(answers: Sequence[Answer]) -> Callable[[Asked], Answer]:
    """Return what gives these answers, the last of them for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def asked_of(
    *answers: Answer, key: str = KEY, question: Question = QUESTION
) -> tuple[str, Endpoint]:
    """Ask an endpoint that gives these answers; return what came, and the endpoint."""
    async with open_endpoint(in_turn(answers)) as endpoint:
        solver = OpenAi(endpoint.url, "some-model", key)
        with trio.fail_after(PATIENCE_S):
            return await solver.solve(question), endpoint


async def failure_of(*answers: Answer, key: str = KEY) -> str:
    """Return why asking failed."""
    with pytest.raises(LocalError) as caught:
        await asked_of(*answers, key=key)
    assert caught.value.code == "solver-failed"
    assert KEY not in str(caught.value) + caught.value.hint
    return caught.value.message


async def test_a_task_goes_out_alone_and_the_answer_comes_back() -> None:
    question = Question("Whose is red?", "The grocer is Bogdan.", PATIENCE_S)

    answer, endpoint = await asked_of(said("ANSWER: 17"), question=question)

    (asked,) = endpoint.asked
    assert answer == "ANSWER: 17"
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body["model"] == "some-model"
    assert not asked.body.keys() & {"tools", "functions", "stream"}
    assert [each["role"] for each in asked.body["messages"]] == ["system", "user"]
    assert asked.prompt == question.prompt


async def test_without_a_key_none_is_sent() -> None:
    _, endpoint = await asked_of(said("17"), key="")

    assert "authorization" not in endpoint.asked[0].headers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    answer, endpoint = await asked_of(Reply(status=status), said("17"))

    assert (answer, len(endpoint.asked)) == ("17", 2)


async def test_a_connection_that_breaks_off_is_tried_again() -> None:
    answer, endpoint = await asked_of(
        b"", Reply([b'{"choices"'], length=500), b"not HTTP at all\r\n\r\n", said("17")
    )

    assert (answer, len(endpoint.asked)) == ("17", 4)


async def test_an_endpoint_that_is_told_to_wait_waits_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(trio, "sleep", sleep)
    limited = [
        Reply(status=429, headers={"retry-after": after})
        for after in ("7", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "-1")
    ]
    question = Question("how many?", "", 600.0)

    answer, _ = await asked_of(*limited, said("17"), question=question)

    assert answer == "17"
    assert pauses == [7.0, 0.002, openai_solver.MAX_PAUSE_S, 0.008]


async def test_waiting_longer_than_the_round_lasts_is_no_use() -> None:
    limited = Reply(status=429, headers={"retry-after": "30"})
    question = Question("how many?", "", 20.0)

    with pytest.raises(LocalError) as caught:
        await asked_of(limited, question=question)

    assert caught.value.message.endswith("HTTP 429: ; no time to try again")


async def test_an_endpoint_that_never_answers_well_is_given_up() -> None:
    told = await failure_of(*[Reply([b"too much to do"], status=503)] * 99)

    assert told == "the solver's endpoint failed: HTTP 503: too much to do"


async def test_tries_have_an_end() -> None:
    async with open_endpoint(lambda _: Reply(status=500)) as endpoint:
        with pytest.raises(LocalError):
            await OpenAi(endpoint.url, "", "").solve(QUESTION)

    assert len(endpoint.asked) == MAX_TRIES


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_what_is_wrong_with_us_is_not_tried_again(status: int) -> None:
    async with open_endpoint(lambda _: Reply([b"no"], status=status)) as endpoint:
        with pytest.raises(LocalError) as caught:
            await OpenAi(endpoint.url, "", "").solve(QUESTION)

    assert caught.value.message.endswith(f"HTTP {status}: no")
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_missing_or_wrong_key_is_told_from_each_other(status: int) -> None:
    echo = Reply([f"your key {KEY} is not good".encode()], status=status)

    wrong, missing = await failure_of(echo), await failure_of(echo, key="")

    assert wrong.endswith(f"HTTP {status}: it refuses the key")
    assert missing.endswith(f"HTTP {status}: it wants a key")


async def test_nobody_is_led_elsewhere_with_the_key() -> None:
    async with open_endpoint(lambda _: said("17")) as elsewhere:
        moved = Reply(status=307, headers={"location": elsewhere.url})

        told = await failure_of(moved)

    assert told.endswith("HTTP 307: ")
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>the proxy is not in the mood</html>",
        b"\xff\xfe\x00",
        b'data: {"choices":[{"delta":{"content":"17"}}]}\n\n',
        b"null",
        b"[]",
        b'{"choices": []}',
        b'{"choices": {"0": 1}}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": ["17"]}}]}',
        b"[" * 50_000,
        b'{"choices": ' + b"9" * 50_000 + b"}",
    ],
)
async def test_what_holds_no_message_is_no_answer(body: bytes) -> None:
    assert "without a message" in await failure_of(Reply([body]))


async def test_the_kind_of_an_answer_does_not_matter_if_it_is_one() -> None:
    body = said("17").body
    for kind in ("text/html", "application/octet-stream", "nonsense"):
        answer, _ = await asked_of(Reply(body, headers={"content-type": kind}))
        assert answer == "17"


async def test_an_answer_without_end_is_cut_off() -> None:
    endless = Reply([b"x" * 10_000] * 40)

    assert f"{MAX_SAID_BYTES:,}" in await failure_of(endless)


async def test_nothing_is_unpacked() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    packed = Reply([bomb[:60_000]], headers={"content-encoding": "gzip"})

    assert "without a message" in await failure_of(packed)


async def test_an_endpoint_that_says_back_the_key_does_not_spread_it() -> None:
    quoted = json.dumps({"authorization": f"Bearer {KEY}"}).encode()

    assert KEY not in await failure_of(Reply([quoted]))
    assert KEY not in await failure_of(Reply([quoted], status=400))
    answer, _ = await asked_of(said(f"ANSWER: {KEY}"))
    assert KEY not in answer


async def test_nobody_at_the_address_is_a_failure_like_any_other() -> None:
    async with open_endpoint(lambda _: said("17")) as endpoint:
        url = endpoint.url
    with pytest.raises(LocalError) as caught:
        await OpenAi(url, "", KEY).solve(QUESTION)

    assert caught.value.message.endswith("ConnectError")


@pytest.mark.parametrize("stuck", [Reply(is_stuck=True, length=5), said("17")])
async def test_a_round_ends_in_time_whoever_hangs(
    stuck: Reply, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("moltp2p.node.proving.solvers.MARGIN_S", 0.0)
    slow = Reply(stuck.body, is_stuck=True, length=1_000_000)
    async with open_endpoint(lambda _: slow) as endpoint:
        answering = Answering(OpenAi(endpoint.url, "", KEY))
        with trio.fail_after(PATIENCE_S), caplog.at_level(logging.DEBUG):
            answers = await answering.answer(Ask(0, ("a", "b"), (), 200))

    assert answers == (None, None)
    assert answering.last_error
    assert KEY not in answering.last_error + caplog.text


async def test_the_model_is_asked_for_a_whole_round() -> None:
    async with open_endpoint(lambda asked: said(f"ANSWER: {asked.prompt}")) as endpoint:
        answering = Answering(OpenAi(endpoint.url, "", ""))
        texts = ("one", "two", "three", "four")
        answers = await answering.answer(Ask(0, texts, (), 30_000))

    assert answers == texts
    assert (answering.asked, answering.answered) == (4, 4)


def test_the_key_comes_from_the_environment_alone(tmp_path: Path) -> None:
    config = load_config(
        tmp_path,
        {KEY_VARIABLE: KEY},
        {"solver": "openai:https://models.example/v1", "admission": "open"},
    )

    assert KEY not in repr(config)
    assert isinstance(make_solver(config, {KEY_VARIABLE: f" {KEY}\n"}), OpenAi)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "a\0b"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    config = Config(Path(), solver="openai:http://127.0.0.1:1/v1")

    with pytest.raises(UsageError) as caught:
        make_solver(config, {KEY_VARIABLE: key})

    assert caught.value.code == "bad-setting"
    assert KEY_VARIABLE in caught.value.message
    assert key not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///v1",
        "http://[::1/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://host:0/v1",
        "http://ho st/v1",
        "http://host/v1\r\nx: y",
        "http://höst/v1",
        f"https://me:{KEY}@host/v1",
        f"https://{KEY}@host/v1",
        f"https://host/v1?key={KEY}",
        f"https://host/v1#{KEY}",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_and_not_shown(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path, {}, {"solver": f"openai:{url}"})

    assert caught.value.code == "bad-setting"
    assert KEY not in str(caught.value) + caught.value.hint
