# SPDX-License-Identifier: Apache-2.0
"""What the servers of all transports share. Made for the distributions en-servers-*, not for users.

``conversation`` drives one handler generator; ``stream_client`` is one connection as the handler sees it; ``stream_service`` takes a connection
from its first byte to its last log line; ``datagram_client`` is one peer, ``datagram_hub`` the peers of one socket, ``datagram_source`` where
their datagrams come from, ``datagram_service`` what a server does with its sockets; ``server`` is the life of a server; ``log`` says what happened; ``arguments`` checks what constructors are given.
"""
