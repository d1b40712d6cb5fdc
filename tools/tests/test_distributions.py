# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from pathlib import Path

from wslib.distributions import write_constraints


def test_constraints_are_direct_references_with_hashes(tmp_path: Path) -> None:
    wheel = tmp_path / "en_servers_tcp-1.0.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")

    write_constraints(tmp_path / "constraints.txt", [wheel])

    digest = hashlib.sha256(b"a wheel").hexdigest()
    assert (tmp_path / "constraints.txt").read_text() == f"en-servers-tcp @ file://{wheel}#sha256={digest}\n"
