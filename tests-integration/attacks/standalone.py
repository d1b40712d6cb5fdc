# SPDX-License-Identifier: Apache-2.0
"""A standalone server under attack: ``python -m attacks.standalone LOOP OPTIONS`` prints where it
serves, and serves in a thread.

Each line of its input is a time limit in seconds: it is shut down with that, and prints how long
that took. A request says how its handler takes a cancellation.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator

from attacks.program import limit_memory

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.standalone_tcp import StandaloneTCPNetworkServer

__all__ = ("Stubborn",)


class Stubborn(AsyncStreamRequestHandler[str, str]):
    """Goes on when it is cancelled, at its ``yield`` or in a thread."""

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)
        if request == "thread":
            await client.backend().run_in_thread(threading.Event().wait)
        while True:
            try:
                yield
            except client.backend().get_cancelled_exc_class():
                pass


def main() -> None:
    _, loop, _ = sys.argv
    limit_memory()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    framework, runner_options = installed_event_loops()[loop]
    backend = new_builtin_backend(framework)
    protocol = StreamProtocol(StringLineSerializer())
    server = StandaloneTCPNetworkServer("127.0.0.1", 0, protocol, Stubborn(), backend, runner_options=runner_options)
    is_up = threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"is_up_event": is_up}, daemon=True).start()
    is_up.wait()
    (address,) = server.get_addresses()
    print(json.dumps({"tcp": address.for_connection()}), flush=True)
    for line in sys.stdin:
        began = time.monotonic()
        server.shutdown(timeout=float(line))
        print(time.monotonic() - began, flush=True)
    sys.stderr.flush()
    os._exit(0)  # there may be a handler that never ends


if __name__ == "__main__":
    main()
