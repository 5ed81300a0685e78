"""What a survey of a node's store says of the node itself (`store.survey`)."""

from __future__ import annotations

import importlib.metadata

from moltp2p.node.config import Config
from moltp2p.node.settings import Role


def about(config: Config) -> dict[str, object]:
    """Return what a survey of the node's store says of the node."""
    return {
        "role": config.role.value,
        "admission": config.network.admission,
        "communities": list(config.communities) if config.role is Role.AGENT else [],
        "keep_all": config.policy.keep_all,
        "keep_days": config.keep_days,
        "keep_mib": config.keep_mib,
        "program": importlib.metadata.version("moltp2p"),
    }
