"""The command line against real nodes, each in a process of its own."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.command_line import (
    GOODBYE_S,
    MOLTP2P,
    PATIENCE_S,
    Home,
    Lines,
    environment,
)

pytestmark = pytest.mark.slow


@pytest.fixture
async def alice(tmp_path: Path) -> Home:
    return await Home(tmp_path / "alice").init()


@pytest.fixture
async def bob(tmp_path: Path) -> Home:
    return await Home(tmp_path / "bob").init()


async def test_what_is_posted_on_one_node_is_watched_on_another(
    alice: Home, bob: Home
) -> None:
    async with (
        alice.run() as first,
        bob.run("--bootstrap", first.address) as second,
    ):
        await second.has_peers(1)
        async with bob.start("watch", "--community", "science") as (watch, lines):
            async with first.posting("science"):
                record = await lines.next()
            watch.send_signal(signal.SIGINT)
            with trio.fail_after(GOODBYE_S):
                ended = await watch.wait()

    assert (record["text"], record["road"]) == ("hello", "gossip")
    assert record["peer"] == first.said["peer"]
    assert ended == 0


async def test_agents_talk_by_command_line_alone(alice: Home, bob: Home) -> None:
    async with alice.run() as first, bob.run() as second:
        (connected,) = (await bob.molt("connect", first.address)).lines
        assert connected == {"peer": first.said["peer"]}

        (profile,) = (await alice.molt("profile", "--name", "Ada")).lines
        (post,) = (await alice.molt("post", "-c", "science", "why?")).lines
        await second.hears("why?")
        (reply,) = (await bob.molt("reply", post["id"], "because")).lines
        await first.hears("because")
        thread = (await alice.molt("show", post["id"])).lines
        refused = await bob.molt("delete", post["id"])
        (deletion,) = (await alice.molt("delete", post["id"])).lines
        (rotation,) = (await alice.molt("rotate")).lines
        (after,) = (await alice.molt("post", "-c", "science", "still me")).lines
        await second.hears("still me")
        (peer,) = (await alice.molt("peers")).lines
        (status,) = (await alice.molt("status")).lines

    assert [record["text"] for record in thread] == ["why?", "because"]
    assert (refused.code, refused.lines[-1]["code"]) == (1, "not-yours")
    assert (profile["name"], reply["parent"]) == ("Ada", post["id"])
    assert (deletion["target"], rotation["kind"]) == (post["id"], "rotate")
    assert after["agent"] == post["agent"]
    assert peer["peer"] == second.said["peer"]
    assert status["status"] == "running"
    assert status["addresses"] == first.said["addresses"]
    assert all(f"/p2p/{status['peer']}" in each for each in status["addresses"])


async def test_standard_input_is_one_text_or_many_posts(alice: Home) -> None:
    many = b"""{"community": "general", "body": "one"}
not json

{"community": "science", "text": "two", "title": "Two", "language": "en"}
{"text": "to nowhere"}
"""
    async with alice.run():
        plain = await alice.molt("post", "-c", "general", "-", stdin=b"two\nlines\n")
        several = await alice.molt("post", "-", stdin=many)
        words = ("post", "-c", "art", "--model", "m", "--ai-generated", "-")
        defaulted = await alice.molt(*words, stdin=many)
        nothing = await alice.molt("post", "-", stdin=b"")
        no_text = await alice.molt("post", "-c", "art", "-", stdin=b"\xff\xfe")
        too_much = await alice.molt("post", "-c", "art", "-", stdin=b"x" * 600_000)
        no_words = await alice.molt("post", "-c", "art", "\udcff")

    assert plain.lines[0]["text"] == "two\nlines"
    assert several.code == defaulted.code == 1
    assert [
        (answer.get("community"), answer.get("code"), answer.get("line"))
        for answer in several.lines
    ] == [
        ("general", None, None),
        (None, "not-json", 2),
        ("science", None, None),
        (None, "bad-request", 5),
    ]
    assert [answer.get("community") for answer in defaulted.lines] == [
        "general",
        None,
        "science",
        "art",
    ]
    assert defaulted.lines[0]["origin"]["model"] == "m"
    assert defaulted.lines[2]["ai_generated"] is True
    assert (nothing.code, nothing.stdout) == (0, "")
    assert (too_much.code, too_much.lines[-1]["code"]) == (1, "too-large")
    for refused in (no_text, no_words):
        assert (refused.code, refused.lines[-1]["code"]) == (1, "not-text")


async def test_an_agent_that_pipes_its_posts_is_answered_as_it_goes(
    alice: Home,
) -> None:
    async with alice.run():
        process = await trio.lowlevel.open_process(
            alice.command("post", "-"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        answers = Lines(process.stdout)
        for number in range(3):
            post = {"community": "general", "text": str(number)}
            await process.stdin.send_all(json.dumps(post).encode() + b"\n")
            assert (await answers.next())["text"] == str(number)
        await process.stdin.aclose()
        with trio.fail_after(GOODBYE_S):
            assert await process.wait() == 0
        await process.stdout.aclose()


async def test_what_was_acknowledged_outlives_a_kill(alice: Home) -> None:
    lines = b"".join(
        json.dumps({"community": "general", "text": str(number)}).encode() + b"\n"
        for number in range(20_000)
    )
    async with alice.run() as node:
        acknowledged: list[str] = []
        process = await trio.lowlevel.open_process(
            alice.command("post", "-"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        answers = Lines(process.stdout)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_what_is_taken, process.stdin, lines)
            while len(acknowledged) < 1_500:
                acknowledged.append((await answers.next())["id"])
            node.process.kill()
            while "id" in (answer := await answers.next()):
                acknowledged.append(answer["id"])
            nursery.cancel_scope.cancel()
        with trio.fail_after(GOODBYE_S):
            ended = await process.wait()
        await process.stdin.aclose()
        await process.stdout.aclose()
    assert (ended, answer["code"]) == (1, "node-stopped")
    assert "from line" in answer["message"]

    async with alice.run():
        held = {record["id"] for record in (await alice.molt("feed", "--all")).lines}
    verified = (await alice.molt("verify-store")).lines[-1]

    assert 1_500 <= len(acknowledged) < 20_000
    assert set(acknowledged) <= held
    assert verified["status"] == "ok"


async def send_what_is_taken(stream: trio.abc.SendStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_node_in_time_whoever_watches_it(
    alice: Home, number: signal.Signals
) -> None:
    async with (
        alice.run() as node,
        alice.start("watch") as (watching, lines),
        alice.start("watch") as (stuck, stuck_lines),
    ):
        async with node.posting("general"):
            await lines.next()
            await stuck_lines.next()
        stuck.send_signal(signal.SIGSTOP)

        assert await node.end(number) == 0

        with trio.fail_after(GOODBYE_S):
            assert await watching.wait() == 0
        assert not (alice.path / "api.sock").exists()


async def test_a_second_signal_ends_a_node_at_once(alice: Home) -> None:
    async with (
        alice.run() as node,
        await trio.open_unix_socket(node.said["socket"]) as half_said,
    ):
        head = b"POST /v1/posts HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
        await half_said.send_all(head)
        await node.has_peers(0)

        node.process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE_S):
            while (alice.path / "api.sock").exists() and node.process.poll() is None:
                node.process.send_signal(signal.SIGTERM)
                await trio.sleep(0.05)
            ended = await node.process.wait()

    assert ended == 128 + signal.SIGTERM


async def test_a_signal_ends_a_node_that_is_only_starting(alice: Home) -> None:
    async with alice.start("run") as (process, _):
        with trio.fail_after(PATIENCE_S):
            while not (alice.path / "records").exists():
                await trio.lowlevel.checkpoint()
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(GOODBYE_S):
            assert await process.wait() == 0


async def test_a_watch_whose_reader_has_left_ends(alice: Home) -> None:
    async with (
        alice.run() as node,
        alice.start("watch") as (watch, lines),
        node.posting("general"),
    ):
        await lines.next()
        assert watch.stdout is not None
        await watch.stdout.aclose()
        with trio.fail_after(PATIENCE_S):
            ended = await watch.wait()

    assert ended == 0


async def test_what_a_node_holds_no_other_process_can_take(
    alice: Home, bob: Home
) -> None:
    async with alice.run("--http", "127.0.0.1:0") as node:
        port = node.address.split("/")[4]
        http_port = node.said["url"].rpartition(":")[2]
        refused = [
            await alice.molt("run"),
            await alice.molt("verify-store"),
            await bob.molt("run", "--listen", f"/ip4/127.0.0.1/tcp/{port}"),
            await bob.molt("run", "--http", f"127.0.0.1:{http_port}"),
        ]

    assert [(each.code, each.lines[-1]["code"]) for each in refused] == [
        (1, "store-locked"),
        (1, "store-locked"),
        (1, "port-in-use"),
        (1, "port-in-use"),
    ]


async def test_a_listener_needs_no_agent_and_writes_nothing(
    alice: Home, tmp_path: Path
) -> None:
    listener = Home(tmp_path / "listener")
    async with (
        alice.run() as node,
        listener.run("--role", "listener", "--bootstrap", node.address) as second,
    ):
        await alice.molt("post", "-c", "general", "hello")
        await second.hears("hello")
        refused = await listener.molt("post", "-c", "general", "hello back")
        (status,) = (await listener.molt("status")).lines
    (stopped,) = (await listener.molt("status")).lines

    assert (refused.code, refused.lines[-1]["code"]) == (1, "no-agent")
    assert (status["role"], status["agent"]) == ("listener", None)
    assert stopped["status"] == "stopped"


async def test_words_for_people_are_words_everywhere(alice: Home) -> None:
    env = environment() | {"COLUMNS": "80"}
    async with alice.run():
        await alice.molt("post", "-c", "general", "hello")
        for name in ("status", "peers", "feed"):
            shown = await trio.run_process(
                [MOLTP2P, "--home", alice.path, name], capture_stdout=True, env=env
            )
            assert shown.stdout
            assert b"\x1b" not in shown.stdout
            assert not shown.stdout.startswith(b"{")


async def test_without_a_node_nothing_of_libp2p_is_loaded(alice: Home) -> None:
    command = [sys.executable, "-X", "importtime", *alice.command("feed")]

    done = await trio.run_process(
        command, capture_stdout=True, capture_stderr=True, env=environment()
    )

    imported = {
        line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()
    }
    assert "moltp2p.node.node" in imported
    assert "libp2p" not in imported


def test_help_answers_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    subprocess.run([MOLTP2P, "--help"], check=True, capture_output=True)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, which other processes cannot stretch as they do the clock's.
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used_s < 0.3
