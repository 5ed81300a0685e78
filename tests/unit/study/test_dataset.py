"""A dataset has all that a store holds, and says what is missing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from moltp2p.core.author import Draft
from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import LocalError
from moltp2p.core.forks import prove as prove_fork
from moltp2p.core.ids import agent_text, record_text
from moltp2p.core.kinds import Kind, Post, Profile, parse_body
from moltp2p.core.record import Header, Origin, Record, seal
from moltp2p.core.selection import Selection
from moltp2p.store.arrivals import SeenPeer, Span, State
from moltp2p.store.engine import Delete, Put
from moltp2p.store.layout import record_key
from moltp2p.store.survey import AGENTS, ARRIVALS, HEAD, RECORDS, json_frame
from moltp2p.study import parts
from moltp2p.study.card import card
from moltp2p.study.dataset import open_dataset
from moltp2p.study.frames import MAX_FRAME_BYTES, FrameReader
from moltp2p.study.held import records_in
from moltp2p.study.rows import DAY_MS
from moltp2p.study.tables import TABLES
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from moltp2p.testing.proofs import Spoken, prove
from tests.patience import PATIENCE_S
from tests.unit.study.conftest import BOB, Rig


def moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def story() -> list[Record]:
    """Return a bit of everything."""
    alice, bob = TestAgent("alice"), TestAgent("bob")
    first = alice.post("Is anybody there?")
    reply = bob.reply(first, "I am.")
    again = alice.reply(reply)
    alice.rotate()
    regretted = alice.post("a secret", "art")
    alice.delete(regretted)
    profile = Profile("Bob <b>", "about me")
    bob.write(Draft(Kind.PROFILE, profile, origin=Origin("scheduled", "lab", "m-1")))
    bob.write(Draft(Kind.REVOCATION))
    assert again.header.refs["root"] == first.id
    return [*alice.records, *bob.records]


def test_every_record_is_a_row_with_what_it_says(rig: Rig) -> None:
    records = story()
    rig.hear(*records, at_ms=EPOCH_MS + 7)

    rows = {row["id"]: row for row in rig.make().rows("records")}

    assert rows.keys() == {record_text(record.id) for record in records}
    for record in records:
        row, header = rows[record_text(record.id)], record.header
        assert row["agent"] == agent_text(header.agent)
        assert row["kind"] == Kind(header.kind).name.lower()
        assert (row["seq"], row["community"]) == (header.seq, header.community)
        assert row["time"] == moment(header.time_ms)
        assert row["received"] == moment(EPOCH_MS + 7)
        refs = {role: row[role] for role in ("parent", "root", "target") if row[role]}
        assert refs == {role: record_text(ref) for role, ref in header.refs.items()}
        assert row["prev"] == (header.prev and record_text(header.prev))
        assert row["body_bytes"] == header.body_bytes
    texts = {row["text"] for row in rows.values()}
    assert {"Is anybody there?", "I am."} <= texts
    (profile,) = [row for row in rows.values() if row["kind"] == "profile"]
    assert (profile["name"], profile["about"]) == ("Bob <b>", "about me")
    origin = (profile["trigger"], profile["framework"], profile["model"])
    assert origin == ("scheduled", "lab", "m-1")


def test_what_was_deleted_is_there_without_its_text(rig: Rig) -> None:
    rig.hear(*story())

    made = rig.make()

    (row,) = [row for row in made.rows("records") if row["deleted"]]
    assert (row["text"], row["has_body"], row["community"]) == (None, False, "art")
    assert all(b"a secret" not in data for data in made.files().values())


def test_what_the_operator_dropped_is_told_apart(rig: Rig) -> None:
    alice = TestAgent("alice")
    post = alice.post("unwelcome")
    rig.hear(*alice.records)
    rig.store.drop(post.id, EPOCH_MS)

    rows = rig.make().rows("records")

    (row,) = [row for row in rows if row["dropped"]]
    assert (row["id"], row["text"]) == (record_text(post.id), None)


def test_replies_keys_and_labels_have_tables_of_their_own(rig: Rig) -> None:
    records = story()
    rig.hear(*records)
    made = rig.make()

    edges = {(row["reply"], row["parent"]) for row in made.rows("replies")}
    assert edges == {
        (record_text(each.id), record_text(each.header.refs["parent"]))
        for each in records
        if "parent" in each.header.refs
    }
    keys = [row["key"] for row in made.rows("keys")]
    assert sorted(keys) == sorted(
        signer(*key).public.hex() for key in (("alice",), ("alice", 1), ("bob",))
    )
    (label,) = made.rows("labels")
    assert (label["label"], label["subject"]) == (
        "revocation",
        agent_text(TestAgent("bob").id),
    )


def test_arrivals_stand_in_the_order_in_which_they_came(rig: Rig) -> None:
    records = story()
    for number, record in enumerate(reversed(records)):
        rig.hear(record, at_ms=EPOCH_MS + number * DAY_MS // 2)
    made = rig.make()

    rows = made.rows("arrivals")

    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["record"] for row in rows} >= {record_text(r.id) for r in records[:3]}
    assert {(row["road"], row["peer"]) for row in rows} == {("gossip", BOB)}
    assert len(list((made.folder / "arrivals").iterdir())) > 3


def test_agents_have_their_gaps_and_names(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    for number in range(10):
        alice.post(str(number))
    bob.write(Draft(Kind.PROFILE, Profile("old")))
    bob.write(Draft(Kind.PROFILE, Profile("new", "it is me")))
    kept = [r for r in alice.records if r.header.seq not in {3, 4, 8}]
    rig.hear(*kept, *bob.records)
    made = rig.make()

    rows = {row["agent"]: row for row in made.rows("agents")}
    row = rows[agent_text(alice.id)]
    assert (row["records"], row["posts"], row["last_seq"]) == (8, 7, 10)
    assert row["missing"] == 3
    assert row["began"] == moment(EPOCH_MS)
    assert rows[agent_text(bob.id)]["name"] == "new"
    gaps = [(row["first_seq"], row["last_seq"]) for row in made.rows("gaps")]
    assert gaps == [(3, 4), (8, 8)]
    assert made.manifest["completeness"]["sequences"] == {
        "agents": 2,
        "with_gaps": 1,
        "missing": 3,
        "forks": 0,
    }


def test_counts_are_the_stores_and_so_is_the_fingerprint(rig: Rig) -> None:
    rig.hear(*story())

    made = rig.make().manifest

    assert made["counts"]["records"] == rig.store.count() == made["store"]["records"]
    assert made["store"]["fingerprint_agrees"] is True
    assert sum(t["records"] for t in made["completeness"]["topics"]) == 10
    for name, count in made["counts"].items():
        files = [f for f in made["files"] if f["path"].split("/")[0].startswith(name)]
        assert sum(file["rows"] for file in files) == count


def test_what_is_damaged_is_left_out_and_counted(rig: Rig) -> None:
    records = story()
    rig.hear(*records)
    key = record_key(records[1].id)
    value = rig.engine.get(key)
    assert value is not None
    rig.engine.apply([Put(key, value[:-1] + bytes([value[-1] ^ 1]))])
    rig.engine.apply([Delete(record_key(records[2].id))])

    made = rig.make()

    assert made.manifest["store"]["damaged"] == 2
    assert made.manifest["store"]["fingerprint_agrees"] is None
    assert made.manifest["counts"]["records"] == len(records) - 2


def test_a_selection_takes_its_agents_along_and_no_others(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    alice.post("here", "art")
    bob.post("there", "general")
    bob.time_ms += 5_000
    late = bob.post("late", "art")
    rig.hear(*alice.records, *bob.records)

    art = rig.make(Selection(community="art"))
    after = rig.make(Selection(since_ms=late.header.time_ms))
    before = rig.make(Selection(until_ms=late.header.time_ms))

    assert {row["text"] for row in art.rows("records")} == {"here", "late"}
    assert len(art.rows("agents")) == 2
    assert {row["text"] for row in after.rows("records")} == {"late"}
    assert [row["agent"] for row in after.rows("agents")] == [agent_text(bob.id)]
    assert "late" not in {row["text"] for row in before.rows("records")}
    assert len(before.rows("records")) == 4
    for made in (art, after, before):
        ids = {row["id"] for row in made.rows("records")}
        assert {row["record"] for row in made.rows("arrivals")} == ids
    assert art.manifest["store"]["fingerprint_agrees"] is None


def test_without_bodies_nothing_that_was_said_is_there(rig: Rig) -> None:
    rig.hear(*story())

    made = rig.make(bodies=False)

    for row in made.rows("records"):
        assert not any(row[name] for name in ("text", "title", "name", "about"))
    assert not any(row["name"] for row in made.rows("agents"))
    for said in (b"anybody there", b"Bob <b>"):
        assert all(said not in data for data in made.files().values())


@pytest.mark.slow
def test_the_same_store_gives_the_same_bytes_whoever_reads(rig: Rig) -> None:
    alice = TestAgent("alice")
    for number in range(600):
        alice.post(f"post {number}")
        alice.time_ms += 600_000
    rig.hear(*alice.records)

    first, again, by_others = rig.make(), rig.make(), rig.make(readers=2)

    assert first.files() == again.files() == by_others.files()
    assert first.manifest == again.manifest == by_others.manifest
    assert len(list((first.folder / "records").iterdir())) == 5


def kill_readers() -> None:
    for child in psutil.Process().children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()


@pytest.mark.slow
def test_ctrl_c_is_not_for_readers_from_their_first_moment_on(rig: Rig) -> None:
    with open_dataset(rig.folder("made"), Selection(), readers=2) as dataset:
        dataset.take(ARRIVALS, b"")
        assert dataset._pool is not None
        begun = list(dataset._pool._processes)
        blocked = [
            re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
            for pid in begun
        ]
        dataset.take(HEAD, b"{}")  # what came before is read by then

    assert begun
    for each in blocked:
        assert each is not None
        assert int(each[1], 16) >> (signal.SIGINT - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.slow
def test_a_reader_that_is_killed_ends_the_dataset_with_words(rig: Rig) -> None:
    rig.hear(*story())
    folder = rig.folder("killed")

    def make() -> None:
        with open_dataset(folder, Selection(), readers=1) as dataset:
            for tag, payload in rig.frames():
                dataset.take(tag, payload)
                if tag == RECORDS:
                    kill_readers()

    with pytest.raises(LocalError) as failed:
        make()
    assert failed.value.code == "reader-failed"


READING = """
import sys
from pathlib import Path
from moltp2p.core.selection import Selection
from moltp2p.study.dataset import open_dataset
from moltp2p.store.survey import ARRIVALS, HEAD

if __name__ == "__main__":
    with open_dataset(Path(sys.argv[1]), Selection(), readers=2) as dataset:
        dataset.take(ARRIVALS, b"")
        dataset.take(HEAD, b"{}")  # what came before is read by then: they are up
        print("ready", flush=True)
        sys.stdin.read()
"""


@pytest.mark.slow
def test_readers_end_with_the_process_that_began_them(rig: Rig) -> None:
    folder = rig.folder("killed")
    script = folder / "reading.py"
    script.write_text(READING)
    with subprocess.Popen(
        [sys.executable, script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        begun = psutil.Process(process.pid).children(recursive=True)
        process.kill()

    assert begun
    left = psutil.wait_procs(begun, timeout=PATIENCE_S)[1]
    for reader in left:
        reader.kill()
    assert left == []


def test_a_row_group_is_bounded_in_rows_and_bytes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 400_000)
    alice = TestAgent("alice")
    for _ in range(600):
        alice.post("x" * 1_000)
    rig.hear(*alice.records)

    made = rig.make()

    (path,) = (made.folder / "records").rglob("*.parquet")
    groups = pq.ParquetFile(path).metadata
    assert groups.num_row_groups == 2


def test_an_empty_store_makes_a_whole_dataset(rig: Rig) -> None:
    made = rig.make()

    assert not any(made.manifest["counts"].values())
    for table in TABLES:
        assert made.rows(table.name) == []
        pattern = f"{table.name}/*/*.parquet" if table.by_date else f"{table.name}.*"
        assert list(made.folder.glob(pattern))
    assert "Signed records: 0." in card(made.manifest)


def test_a_listener_says_when_it_heard_nothing(rig: Rig) -> None:
    def note(state: State, begin_s: int, end_s: int, *, ended: bool) -> None:
        span = Span(state, begin_s * 1000, end_s * 1000, ended=ended)
        rig.store.note_presence([span], [SeenPeer(BOB, end_s * 1000, end_s * 1000)])

    note(State.RUNNING, 100, 200, ended=True)
    note(State.RUNNING, 300, 400, ended=False)
    note(State.RUNNING, 450, 500, ended=False)
    note(State.HEARING, 120, 200, ended=True)
    note(State.HEARING, 300, 500, ended=False)
    made = rig.make()

    listening = made.manifest["completeness"]["listening"]

    assert listening["uptime_s"] == 250
    assert listening["uptime_share"] == 250 / 400
    assert listening["with_peers_s"] == 280
    gaps = [(g["from_ms"], g["seconds"], g["crashed"]) for g in listening["gaps"]]
    assert gaps == [(200_000, 100, False), (400_000, 50, True)]
    assert [g["seconds"] for g in listening["without_peers"]] == [20, 100]
    assert made.manifest["completeness"]["peers_seen"] == 1
    assert "by a crash" in card(made.manifest)
    assert "It was off 2 times." in card(made.manifest)


def test_a_listener_that_was_always_on_says_so(rig: Rig) -> None:
    span = Span(State.RUNNING, 100_000, 200_000, ended=True)
    rig.store.note_presence([span], [])

    assert (
        "100.0% of that time, 0 s with peers of its network. It was never off."
        in card(rig.make().manifest)
    )


def test_kinds_of_tomorrow_are_kept_by_their_number(rig: Rig) -> None:
    alice = TestAgent("alice")
    alice.incept()
    header = Header(
        network=alice.network,
        agent=alice.id,
        kind=77,
        seq=1,
        prev=alice.head.record,
        time_ms=EPOCH_MS,
    )
    rig.hear(*alice.records, seal(header, b"\xff", signer("alice")))

    (row,) = [r for r in rig.make().rows("records") if r["kind"] == "77"]

    assert (row["has_body"], row["text"]) == (True, None)


def test_a_card_says_what_part_it_is_in_words(rig: Rig) -> None:
    wanted = Selection(community="art", since_ms=EPOCH_MS, until_ms=MAX_INT)

    told = card(rig.make(wanted).manifest)

    assert (
        "Records are a part of what was held: posted in art, not older than "
        f"2025-10-09T08:53:20.000Z, older than {MAX_INT} ms." in told
    )
    assert "Who was verified" not in told  # nobody proves anything there


def test_a_card_explains_every_column_and_the_one_that_no_file_has(rig: Rig) -> None:
    made = rig.make()

    told = card(made.manifest)

    for table in TABLES:
        _, _, below = told.partition(f"## `{table.name}`\n")
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} | {column.about} |" in below
    assert "`date`" in told


def test_a_card_says_that_something_could_not_be_read(rig: Rig) -> None:
    manifest = rig.make().manifest
    hurt = manifest | {"store": manifest["store"] | {"unreadable": True}}

    assert "could not be read" in card(hurt)
    assert "could not be read" not in card(manifest)


def test_a_card_says_who_was_verified_where_that_is_asked(rig: Rig) -> None:
    manifest = rig.make().manifest | {"admission": "proof"}

    told = card(manifest)

    assert "## Who was verified" in told
    assert f"TIMESTAMPTZ '{manifest['as_of']}' < expires" in told


def test_times_end_where_calendars_do(rig: Rig) -> None:
    eve = TestAgent("eve", time_ms=MAX_INT - 60_000)
    eve.reply(eve.post())
    rig.hear(*eve.records)

    made = rig.make()

    last = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    times = [made.rows(name)[0]["time"] for name in ("records", "replies", "keys")]
    assert times == [last] * 3
    assert made.rows("agents")[0]["began"] == last
    assert list(made.folder.glob("records/date=9999-12-31/*"))


def test_an_attestation_from_the_end_of_time_spoils_no_table(rig: Rig) -> None:
    subject, issuer = TestAgent("alice"), TestAgent("eve")
    attested = Spoken(subject, issuer, time_ms=MAX_INT - 1_000).attest()
    issuer.write(Draft(Kind.ATTESTATION, attested))
    rig.hear(*issuer.records)

    (row,) = rig.make().rows("attestations")

    assert row["attested"].year == row["expires"].year == 9999
    assert row["time"] < moment(EPOCH_MS + DAY_MS)


def test_agents_that_say_much_of_themselves_make_no_frame_too_large(rig: Rig) -> None:
    crowd = [TestAgent(f"agent {number}") for number in range(300)]
    said = Profile("\U0001f916" * 64, "\U0001f916" * 2_000)
    for agent in crowd:
        rig.hear(agent.write(Draft(Kind.PROFILE, said)))  # no inception is held

    sizes = [len(payload) for tag, payload in rig.frames() if tag == AGENTS]

    assert rig.make().manifest["counts"]["agents"] == 300
    assert max(sizes) * 4_096 / 300 > MAX_FRAME_BYTES  # as many as were in one before
    assert max(sizes) < MAX_FRAME_BYTES / 8


def test_a_node_that_cannot_go_on_says_why() -> None:
    told = {"code": "store-failed", "message": "gone", "hint": ""}
    with pytest.raises(LocalError) as failed:
        list(FrameReader().feed(json_frame(b"X", told)))
    assert failed.value.code == "store-failed"


@pytest.mark.parametrize("cut", [1, 20])
def test_a_survey_that_ends_early_is_no_survey(rig: Rig, cut: int) -> None:
    rig.hear(*story())
    reader = FrameReader()
    told = b"".join(rig.store.survey(Selection(), {}))
    list(reader.feed(told[:-cut]))

    with pytest.raises(LocalError) as failed:
        reader.end()

    assert failed.value.code == "node-stopped"


def test_frames_may_come_in_any_pieces(rig: Rig) -> None:
    rig.hear(*story())
    told = b"".join(rig.store.survey(Selection(), {}))
    reader = FrameReader()

    frames = [
        f for at in range(0, len(told), 7) for f in reader.feed(told[at : at + 7])
    ]

    assert frames == list(FrameReader().feed(told))
    reader.end()


def test_what_is_read_fast_is_what_a_reader_would_read(rig: Rig) -> None:
    records = {record.id: record for record in story()}
    rig.hear(*records.values())

    found = [
        held
        for tag, payload in rig.frames()
        if tag == RECORDS
        for held in records_in(payload)
    ]

    assert {held.id for held in found} == records.keys()
    for held in found:
        slow = records[held.id]
        assert held.said.fields["time"] == slow.header.time_ms
        assert held.said.fields["agent"] == slow.header.agent
        if slow.header.kind == Kind.POST and not held.state:
            assert parse_body(Kind.POST, slow.body or b"") == Post(**held.texts())


def test_testimony_and_its_evidence_are_spelt_out(rig: Rig) -> None:
    subject, issuer = TestAgent("alice"), TestAgent("bob")
    issuer.incept()
    proof = prove(subject, [issuer])
    subject.write(Draft(Kind.PROOF, proof))
    issuer.write(Draft(Kind.ATTESTATION, proof.attested[0]))
    forker = TestAgent("carol")
    forker.incept()
    twin = TestAgent("carol", records=list(forker.records), time_ms=EPOCH_MS + 5)
    one, other = forker.post("one"), twin.post("other")
    fork = prove_fork(one, other, ())
    assert fork is not None
    issuer.write(Draft(Kind.FORK, fork))
    rig.hear(*subject.records, *issuer.records, *forker.records, other)
    made = rig.make()

    rows = made.rows("attestations")
    says = proof.attested[0].says
    assert sorted(row["kind"] for row in rows) == ["attestation", "proof"]
    assert [row["size"] for row in rows if row["kind"] == "proof"] == [1]
    for row in rows:
        assert row["subject"] == agent_text(subject.id)
        assert row["issuer"] == agent_text(issuer.id)
        assert (row["score"], row["epoch"]) == (says.score, says.epoch)
        assert row["expires"] == moment(says.expires_ms)
    (label,) = made.rows("labels")
    assert (label["label"], label["subject"], label["seq"]) == (
        "fork",
        agent_text(forker.id),
        1,
    )
    (agent,) = [r for r in made.rows("agents") if r["agent"] == label["subject"]]
    assert (agent["forks"], agent["records"], agent["missing"]) == (1, 3, 0)
