"""`proof`: what the proof of agenthood costs, and what it keeps out."""

from __future__ import annotations

from scripts.benches import proof_census, proof_growth, proof_protocol, proof_tasks
from scripts.benches.outcome import Outcome


async def run(rounds: int) -> Outcome:  # as the others are run
    """Measure sessions and proofs, who counts, and then the tasks themselves."""
    outcome = Outcome("proof")
    proof_protocol.measure(outcome, rounds)
    proof_census.measure(outcome, rounds)
    proof_growth.measure(outcome, rounds)
    proof_tasks.measure(outcome, rounds)
    return outcome
