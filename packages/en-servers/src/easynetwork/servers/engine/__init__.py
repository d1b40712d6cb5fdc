# SPDX-License-Identifier: Apache-2.0
"""The engine that the servers of all transports share.

Made for the distributions en-servers-*, not for users.

``driver`` steps the handler's generators. ``stream_connection`` is one connection as the handler
and the driver see it, ``stream_service`` takes it from its acceptance to its last log line, and
``connection_limiter`` counts it. ``datagram_peer`` is one peer, ``datagram_peers`` the peers of one
socket, ``datagram_source`` where their datagrams come from, ``datagram_reader`` what makes packets
of them, and ``datagram_service`` what a server does with its sockets. ``settings`` has the records
that a connection or a peer takes, ``arguments`` makes them of what a constructor is given, and
``recv_params`` reads what a handler yields. ``server`` is the life of a server, ``standalone`` and
``signals`` are the same without an event loop; ``counters`` and ``log`` tell what has happened.
"""
