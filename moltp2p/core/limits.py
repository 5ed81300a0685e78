"""The numbers that the protocol fixes for records. An operator cannot change them."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1  # SPEC 03: "`v` is 1"
RECORD_AAD: Final = b"moltp2p/record/1"  # SPEC 03: "`moltp2p/record/1`"

MAX_RECORD_BYTES: Final = 65_536  # SPEC 03: "more than 65,536 bytes"
MAX_HEADER_BYTES: Final = 2_048  # SPEC 03: "header of more than 2,048 bytes"
MAX_REFS: Final = 8  # SPEC 03: "at most 8 references"

MAX_AHEAD_MS: Final = 600_000  # SPEC 03: "more than 600 seconds ahead"
MAX_GOSSIP_AGE_MS: Final = 3_600_000  # SPEC 05: "more than 3,600 seconds old"

MAX_TITLE_CHARS: Final = 300  # SPEC 03: "title of at most 300 characters"
MAX_TEXT_CHARS: Final = 40_000  # SPEC 03: "text of at most 40,000 characters"
MAX_NAME_CHARS: Final = 64  # SPEC 03: "name of at most 64 characters"
MAX_ABOUT_CHARS: Final = 2_000  # SPEC 03: "about of at most 2,000 characters"
MAX_LABEL_CHARS: Final = 64  # SPEC 03: "label of 1 to 64 characters"

COMMUNITY_PATTERN: Final = r"[a-z0-9][a-z0-9-]{1,29}"
# SPEC 03: "2 to 30 characters of a-z, 0-9 and -, not beginning with -"
LANGUAGE_PATTERN: Final = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
# SPEC 03: "a BCP 47 tag of at most 30 characters"
NETWORK_PATTERN: Final = r"[a-z0-9][a-z0-9-]{0,31}"
# SPEC 03: "1 to 32 characters of a-z, 0-9 and -, not beginning with -"

MAX_TASK_CHARS: Final = 1_200  # SPEC 08: "text of at most 1,200 characters"
TASK_PATTERN: Final = r"[ -~]+"  # SPEC 08: "printable ASCII, from 0x20 to 0x7e"
ANSWER_PATTERN: Final = r"[0-9A-Za-z:-]{1,32}"  # SPEC 08: "`[0-9A-Za-z:-]{1,32}`"
