# SPDX-License-Identifier: Apache-2.0
"""The ground that servers and clients stand on: streams, sockets, and the interface to event
loops.
"""
