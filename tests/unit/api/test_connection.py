"""One client against a small app, over a stream in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from moltp2p.api import connection
from moltp2p.api.closing import Closing
from moltp2p.api.connection import (
    App,
    ClientGoneError,
    Connection,
    Receive,
    Scope,
    Send,
)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was asked, once all of it is there."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    else:
        raise ClientGoneError
    await answer(send, f"{scope['method']} {scope['path']} ".encode() + body)


async def answer(send: Send, body: bytes, *, status: int = 200) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """The other end: speaks HTTP, or whatever it is told to."""

    def __init__(self, nursery: trio.Nursery, app: App, pair: Any) -> None:
        self.closing = Closing()
        self.ended = trio.Event()
        self.stream, served = pair
        self._http = h11.Connection(h11.CLIENT)
        nursery.start_soon(self._serve, app, served)

    async def _serve(self, app: App, served: trio.abc.Stream) -> None:
        async with served:
            await Connection(app, served, self.closing).run()
        self.ended.set()

    async def ask(self, method: str = "GET", path: str = "/", body: bytes = b"") -> str:
        headers = {"host": "x", "content-length": str(len(body))}
        await self.send(
            h11.Request(method=method, target=path, headers=list(headers.items())),
            *([h11.Data(data=body)] if body else []),
            h11.EndOfMessage(),
        )
        return await self.read()

    async def send(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        await self.stream.send_all(data)

    async def read(self) -> str:
        """Return the status and the body of one answer."""
        head = await self.event()
        assert isinstance(head, h11.Response), head
        body = b""
        while isinstance(event := await self.event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
        if self._http.our_state is self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return f"{head.status_code} {body.decode()}"

    async def event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.receive_some(4096))
        return event

    async def rest(self) -> bytes:
        """Return everything that still comes, as it comes."""
        return b"".join([bytes(piece) async for piece in self.stream])


Connect = Callable[[App], Client]


@pytest.fixture
def connect(nursery: trio.Nursery) -> Connect:
    """Connect to an app; what is sent is never held up."""
    return lambda app: Client(nursery, app, memory_stream_pair())


@pytest.fixture
def connect_tightly(nursery: trio.Nursery) -> Connect:
    """Connect to an app; whoever sends waits until it is read."""
    return lambda app: Client(nursery, app, lockstep_stream_pair())


async def test_one_connection_serves_many_requests(connect: Connect) -> None:
    client = connect(echo)

    for number in range(3):
        asked = await client.ask("POST", f"/{number}", b"body")
        assert asked == f"200 POST /{number} body"


async def test_requests_sent_at_once_are_answered_in_order(connect: Connect) -> None:
    client = connect(echo)

    for path in (b"/a", b"/b"):
        await client.stream.send_all(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path)

    answers = b""
    while b"/b" not in answers:
        answers += await client.stream.receive_some(4096)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert answers.index(b"GET /a") < answers.index(b"GET /b")


async def test_a_request_that_comes_byte_by_byte_is_one_request(
    connect: Connect,
) -> None:
    client = connect(echo)

    for byte in b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc":
        await client.stream.send_all(bytes([byte]))
    await client.stream.send_eof()

    assert (await client.rest()).endswith(b"POST /x abc")


async def test_a_body_in_chunks_is_put_together(connect: Connect) -> None:
    client = connect(echo)

    await client.send(
        h11.Request(
            method="POST",
            target="/",
            headers=[("host", "x"), ("transfer-encoding", "chunked")],
        ),
        h11.Data(data=b"ab"),
        h11.Data(data=b"cd"),
        h11.EndOfMessage(),
    )

    assert await client.read() == "200 POST / abcd"


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(
    connect: Connect,
) -> None:
    client = connect(echo)
    headers = [("host", "x"), ("content-length", "2"), ("expect", "100-continue")]

    await client.send(h11.Request(method="POST", target="/", headers=headers))
    asked = await client.event()
    await client.send(h11.Data(data=b"ok"), h11.EndOfMessage())

    assert asked.status_code == 100
    assert await client.read() == "200 POST / ok"


async def test_an_answer_to_head_has_no_body(connect: Connect) -> None:
    client = connect(echo)

    await client.stream.send_all(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
    await client.stream.send_eof()

    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


async def test_a_path_is_what_its_escapes_mean(connect: Connect) -> None:
    assert await connect(echo).ask(path="/a%20b%2e%ff?q=1") == "200 GET /a b.\ufffd "


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100,
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: two\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nnot a header\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told_so(connect: Connect, data: bytes) -> None:
    client = connect(echo)

    await client.stream.send_all(data)
    told = await client.read()

    assert told.startswith("400 ")
    assert json.loads(told[4:])["code"] == "bad-request"
    await client.ended.wait()


async def test_what_is_no_http_is_told_so_after_a_head_too(connect: Connect) -> None:
    """The body of that answer was kept back, as if it were to HEAD again."""
    client = connect(echo)
    await client.stream.send_all(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n")

    told = await client.rest()

    head, _, body = told.partition(b"HTTP/1.1 400")
    assert head.startswith(b"HTTP/1.1 200")
    assert b'"bad-request"' in body


async def test_headers_without_end_are_refused(connect: Connect) -> None:
    client = connect(echo)

    await client.stream.send_all(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000)

    assert (await client.read()).startswith("431 ")


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_who_asks_for_another_protocol_is_answered_in_this_one(
    connect: Connect, upgrade: bytes
) -> None:
    client = connect(echo)

    await client.stream.send_all(
        b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %b\r\n"
        b"http2-settings: !\r\nsec-websocket-key: !\r\n\r\n" % upgrade
    )
    await client.stream.send_eof()

    assert (await client.rest()).endswith(b"GET /x ")


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_arbitrary_bytes_end_the_connection_and_nothing_else(
    pieces: list[bytes],
) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            client = Client(nursery, echo, memory_stream_pair())
            with suppress(trio.BrokenResourceError):
                for piece in pieces:
                    await client.stream.send_all(piece)
                await client.stream.send_eof()
            await client.ended.wait()

    trio.run(main)


async def test_a_body_that_breaks_off_reaches_nobody(connect: Connect) -> None:
    client = connect(echo)

    await client.stream.send_all(
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    )
    await client.stream.send_eof()

    await client.ended.wait()


async def test_a_bug_in_the_app_ends_that_request_alone(connect: Connect) -> None:
    async def fail_at_first(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bug":
            raise KeyError("a bug")
        await echo(scope, receive, send)

    client = connect(fail_at_first)

    told = await client.ask(path="/bug")

    assert told.startswith("500 ")
    assert json.loads(told[4:])["code"] == "internal-error"
    assert await connect(fail_at_first).ask() == "200 GET / "


async def test_an_answer_that_breaks_off_is_seen_to(connect: Connect) -> None:
    async def begin(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        raise KeyError("a bug")

    client = connect(begin)

    with pytest.raises(h11.RemoteProtocolError):
        await client.ask()


async def test_a_body_that_nobody_wanted_does_not_spoil_the_next_request(
    connect: Connect,
) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await answer(send, b"no", status=413)

    client = connect(refuse)

    assert await client.ask("POST", body=b"x" * 100_000) == "413 no"
    assert await client.ask("POST", body=b"x" * 100_000) == "413 no"


async def test_a_body_far_too_long_is_cut_off(connect: Connect) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await answer(send, b"no", status=413)

    client = connect(refuse)

    assert await client.ask("POST", body=b"x" * 5_000_000) == "413 no"
    await client.ended.wait()


async def test_a_client_that_never_reads_is_hung_up_on(
    connect_tightly: Connect, autojump_clock: MockClock
) -> None:
    client = connect_tightly(echo)

    await client.stream.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await client.ended.wait()

    assert trio.current_time() == pytest.approx(connection.WRITE_S)


async def test_a_client_that_says_nothing_is_let_go(
    connect: Connect, autojump_clock: MockClock
) -> None:
    client = connect(echo)

    await client.ended.wait()

    assert trio.current_time() == pytest.approx(connection.IDLE_S)


async def test_a_request_that_never_becomes_whole_is_given_up(
    connect: Connect, autojump_clock: MockClock
) -> None:
    client = connect(echo)

    await client.stream.send_all(b"GET / HTTP/1.1\r\n")
    with suppress(trio.BrokenResourceError):
        while not client.ended.is_set():
            await trio.sleep(1)
            await client.stream.send_all(b"x: y\r\n")

    assert trio.current_time() == pytest.approx(connection.HEAD_S, abs=1)


async def test_a_body_that_stalls_is_given_up(
    connect: Connect, autojump_clock: MockClock
) -> None:
    client = connect(echo)

    await client.stream.send_all(
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    )
    await client.ended.wait()

    assert trio.current_time() == pytest.approx(connection.BODY_S)


async def test_whoever_answers_while_it_reads_can_do_both(
    connect_tightly: Connect,
) -> None:
    async def answer_pieces(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            body = message["body"]
            await send({"type": "http.response.body", "body": body, "more_body": more})

    client = connect_tightly(answer_pieces)
    headers = [("host", "x"), ("transfer-encoding", "chunked")]
    await client.send(h11.Request(method="POST", target="/", headers=headers))

    for _ in range(3):
        await client.send(h11.Data(data=b"ping"))
        if isinstance(event := await client.event(), h11.Response):
            event = await client.event()
        assert event.data == b"ping"
    await client.send(h11.EndOfMessage())

    assert isinstance(await client.event(), h11.EndOfMessage)


async def test_when_the_api_closes_idle_clients_leave_at_once(
    connect: Connect, autojump_clock: MockClock
) -> None:
    client = connect(echo)
    await client.ask()

    client.closing.begin()
    await client.ended.wait()

    assert trio.current_time() == 0


async def test_a_request_that_runs_when_the_api_closes_is_still_answered(
    connect: Connect,
) -> None:
    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        client.closing.begin()
        await echo(scope, receive, send)

    client = connect(slowly)

    assert await client.ask() == "200 GET / "
    await client.ended.wait()
