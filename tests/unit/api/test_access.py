from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from moltp2p.api.access import TOKEN_FILE, Guard, open_token
from moltp2p.api.connection import Receive, Scope, Send
from moltp2p.core.errors import LocalError

TOKEN = "s3cret" * 8
PORT = 4_711


async def welcome(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def ask(**headers: str | bytes) -> tuple[int, str | None]:
    transport = httpx.ASGITransport(Guard(welcome, TOKEN, PORT))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        fields = [
            (name.encode(), text.encode() if isinstance(text, str) else text)
            for name, text in headers.items()
        ]
        response = await client.get("/v1/status", headers=fields)
    return response.status_code, response.json().get("code")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_who_holds_the_token_and_names_this_machine_gets_in(
    host: str, scheme: str
) -> None:
    answer = await ask(host=f"{host}:{PORT}", authorization=f"{scheme} {TOKEN}")

    assert answer == (200, None)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        b"Bearer \xe9",
    ],
)
async def test_who_does_not_hold_the_token_stays_out(said: str | bytes) -> None:
    answer = await ask(host=f"localhost:{PORT}", authorization=said)

    assert answer == (401, "bad-token")


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "localhost", "localhost:80", ""]
)
async def test_a_page_that_came_by_another_name_stays_out(host: str) -> None:
    answer = await ask(host=host, authorization=f"Bearer {TOKEN}")

    assert answer == (403, "bad-host")


async def test_a_token_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    token = open_token(tmp_path)

    assert open_token(tmp_path) == token
    assert len(token) >= 43
    assert (tmp_path / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


async def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_token(tmp_path)
    (tmp_path / TOKEN_FILE).chmod(0o644)

    with pytest.raises(LocalError) as caught:
        open_token(tmp_path)

    assert caught.value.code == "token-permissions"
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
async def test_a_file_that_holds_no_token_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    open_token(tmp_path)
    (tmp_path / TOKEN_FILE).write_bytes(content)

    with pytest.raises(LocalError) as caught:
        open_token(tmp_path)

    assert caught.value.code == "bad-token-file"


async def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalError) as caught:
        open_token(tmp_path / "missing")

    assert caught.value.code == "home-failed"
