# SPDX-License-Identifier: Apache-2.0
"""Programs of a page that talk with each other: its server runs while what the page shows of a
terminal is done again.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

from page_sessions import replayed, write_programs
from pages import Page
from programs import serving_program

_PORT = "9000"
"""That of the servers on pages; those of the tests have one that is free."""

_SOCKET = re.compile(r'"(\w+\.sock)"')


def replayed_beside(server: str, page: Page, folder: Path) -> Iterator[tuple[str, str]]:
    """Like `replayed`, while the program ``server`` of the page runs, which is ended by Ctrl-C.

    Sockets go into ``folder``.
    """
    write_programs(page, folder)
    source = _SOCKET.sub(rf'"{folder}/\1"', page.programs()[server]).replace(_PORT, "0")
    with serving_program(folder / server, source) as (process, address):
        port = address.rstrip(")").rpartition(" ")[2]
        for name, client in page.programs().items():
            (folder / name).write_text(client.replace(_PORT, port))
        yield from replayed(page, folder)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
