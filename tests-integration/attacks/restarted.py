# SPDX-License-Identifier: Apache-2.0
"""A server that is replaced under load: ``python -m attacks.restarted LOOP OPTIONS`` prints its
port and serves there, beside others, until SIGTERM.

Then it finishes its requests, and reports how often it has handled each of them, and how many
clients it cut off.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

from attacks.program import limit_memory

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.options import ServerTimeouts
from easynetwork.servers.standalone_tcp import StandaloneTCPNetworkServer
from easynetwork.servers.statistics import CloseReason


class Counting(AsyncStreamRequestHandler[str, str]):
    def __init__(self) -> None:
        self.handled: Counter[str] = Counter()

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        self.handled[request] += 1
        await client.backend().sleep(random.uniform(0, 0.01))  # so that some are under way at each moment
        await client.send_packet(request)


def main() -> None:
    _, loop, text = sys.argv
    options = json.loads(text)
    report = Path(options["report"])
    limit_memory()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    framework, runner_options = installed_event_loops()[loop]
    handler = Counting()
    server = StandaloneTCPNetworkServer(
        "127.0.0.1",
        options["port"],
        StreamProtocol(StringLineSerializer()),
        handler,
        new_builtin_backend(framework),
        runner_options=runner_options,
        reuse_port=True,
        timeouts=ServerTimeouts(drain=10),
    )
    is_up = threading.Event()
    teller = threading.Thread(target=lambda: (is_up.wait(), print(server.get_addresses()[0].port, flush=True)))
    teller.start()
    try:
        server.serve_forever(is_up_event=is_up)
    except KeyboardInterrupt:  # as SIGTERM ends it, too
        teller.join()
        cancelled = server.statistics().closed.get(CloseReason.CANCELLED, 0)
        report.write_text(json.dumps({"handled": handler.handled, "cancelled": cancelled}))
        raise


if __name__ == "__main__":
    main()
