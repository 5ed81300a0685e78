"""How a proof looks in JSON."""

from __future__ import annotations

import json

from moltp2p.api.proof_models import ProofOut
from moltp2p.api.views import proof_view
from moltp2p.core.ids import RecordId, record_text
from moltp2p.node.agents import OwnProof
from moltp2p.node.status import ProvingStatus
from moltp2p.proto.admission.rules import State


def test_a_proof_is_plain_data() -> None:
    own = OwnProof(State.CHALLENGER, RecordId(bytes(32)), 1, 3, 2)
    status = ProvingStatus(
        own, "oracle", True, True, "idle", 0, 0, 4, {"passed": 1}, 8, 8, ""
    )

    view = proof_view(status)

    ProofOut.model_validate(json.loads(json.dumps(view)), strict=True)
    assert view["state"] == "challenger"
    assert view["record"] == record_text(RecordId(bytes(32)))
