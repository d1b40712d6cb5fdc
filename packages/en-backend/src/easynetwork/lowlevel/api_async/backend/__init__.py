# SPDX-License-Identifier: Apache-2.0
"""Event loops: the interface, how one is chosen, and what all of them share."""
