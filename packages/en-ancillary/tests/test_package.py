# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import easynetwork.ancillary

README = Path(__file__).parents[1] / "README.md"


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_all_names_are_there() -> None:
    for name in easynetwork.ancillary.__all__:
        assert hasattr(easynetwork.ancillary, name)


def test_it_does_no_input_or_output_of_its_own() -> None:
    loaded = run("import sys, easynetwork.ancillary; print(*sys.modules)").split()

    assert not {"asyncio", "anyio", "trio", "threading", "ssl"} & set(loaded)


def test_it_can_be_imported_where_the_system_has_no_control_messages() -> None:
    output = run(
        """
import socket
for name in dir(socket):
    if name.startswith(("SCM_", "CMSG_", "MSG_", "IPV6_", "IP_", "AF_UNIX")):
        delattr(socket, name)
from easynetwork.ancillary import PACKET_INFO_BUFSIZE, SocketAncillary
ancillary = SocketAncillary()
ancillary.update_from_raw([(socket.SOL_SOCKET, 1, bytes(4))])
ancillary.add_fds([0])
try:
    ancillary.as_raw()
except NotImplementedError as exc:
    print(exc, PACKET_INFO_BUFSIZE, list(ancillary.iter_fds()))
"""
    )

    assert output == "this system has no SCM_RIGHTS messages 0 [0]"


def test_the_examples_of_the_readme_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)

    assert examples
    exec(compile("".join(examples), README.name, "exec"), {"__name__": "readme"})
