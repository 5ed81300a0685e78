"""What `/openapi.json` says of proofs, tasks and attestations."""

from __future__ import annotations

from pydantic import BaseModel


class ProofOut(BaseModel):
    """How the agent stands with its proof; null where it has none.

    `state` is unverified, verified or challenger, as others see it; `phase` what is
    done about it: idle, waiting, ticket or asking. Nothing is while `is_needed` is
    false, for the network is open then.
    """

    state: str
    record: str | None
    time_ms: int | None
    expires_ms: int | None
    renew_ms: int | None
    revoked_ms: int | None
    solver: str
    is_needed: bool
    is_ready: bool
    phase: str
    tries: int
    attestations: int
    slots_left: int
    sessions: dict[str, int]
    asked: int
    answered: int
    last_error: str


class CensusOut(BaseModel):
    """Who counts as an agent at this node; null on a network that is open.

    `unverified` are those whose proof does not count here; `known` the challengers
    that said in the last day that they can be asked; `attestations` what all proofs
    hold, and `quorum` how many a new one needs.
    """

    unverified: int
    verified: int
    challengers: int
    known: int
    attestations: int
    quorum: int


class TaskOut(BaseModel):
    """A task that waits for an answer by hand; `reminder` is an earlier text.

    It may ask about that one. Both were written by a stranger.
    """

    number: int
    text: str
    reminder: str | None
    seconds_left: float


class TasksOut(BaseModel):
    """The tasks that wait, oldest first."""

    tasks: list[TaskOut]


class AnsweredOut(BaseModel):
    """A task that is answered, and the answer that the agent is bound to."""

    number: int
    answer: str


class AttestedOut(BaseModel):
    """An attestation: who gave it, how many answers were right, until when it holds."""

    agent: str
    score: int
    expires_ms: int


class AskedOut(BaseModel):
    """A task of a session that did not pass: `right` is null where nobody told it."""

    text: str
    answer: str | None
    right: str | None


class ProvingOut(BaseModel):
    """What goes on with a proof; which fields there are depends on `event`.

    `begun` (proof), `waiting` (message), `ticket` (tries, usual), `asked` (agent),
    `task` (number, text, reminder, seconds_left), `attested` (agent, score,
    attestations), `refused` and `checked` (agent, code, message, hint, tasks),
    `failed` (code, message, hint, again_s), and at last `proved` (record, expires_ms,
    attested) or `proof` (record, expires_ms).
    """

    event: str
    proof: ProofOut | None = None
    message: str | None = None
    code: str | None = None
    hint: str | None = None
    again_s: float | None = None
    agent: str | None = None
    tries: int | None = None
    usual: int | None = None
    number: int | None = None
    text: str | None = None
    reminder: str | None = None
    seconds_left: float | None = None
    score: int | None = None
    attestations: int | None = None
    tasks: list[AskedOut] | None = None
    record: str | None = None
    expires_ms: int | None = None
    attested: list[AttestedOut] | None = None


class ChallengedOut(BaseModel):
    """How a challenge ended; `score` and `expires_ms` are null unless it passed."""

    agent: str
    passed: bool
    code: str
    message: str
    hint: str
    score: int | None
    expires_ms: int | None


class BranchOut(BaseModel):
    """An attestation, and whether it helps its subject to count here.

    `attestation` is the proof that it is in; `code` is of spec 09, section 8.
    """

    attestation: str
    attester: PedigreeOut
    counts: bool
    code: str
    reason: str
    time_ms: int
    expires_ms: int


class PedigreeOut(BaseModel):
    """How an agent stands here, and who attests for it, who for those, and so on.

    `depth` is null for one who does not count; `is_cut` tells that more attest for it
    than stand here.
    """

    agent: str
    state: str
    depth: int | None
    expires_ms: int | None
    is_cut: bool
    attested_by: list[BranchOut]
