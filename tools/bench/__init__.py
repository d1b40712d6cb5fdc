# SPDX-License-Identifier: Apache-2.0
"""The benchmark: CPU time of a message and memory of a connection, ours beside what one would write by hand.

`./tools/ws bench` runs it. A course is one comparison (`courses.py`), and its contenders are programs of their own, which the benchmark starts and puts a load on.
"""
