"""Somebody else who is attacked: takes each connection and turns it away at once.

Prints its port. What an attack takes of the machine by itself, it takes here too.
"""

from __future__ import annotations

import socket
import struct


def main() -> None:
    """Turn everybody away, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            stranger, _ = listener.accept()
            at_once = struct.pack("ii", 1, 0)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            stranger.close()


if __name__ == "__main__":
    main()
