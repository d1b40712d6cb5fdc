# SPDX-License-Identifier: Apache-2.0
"""Compares the CPU time of a message and the memory of a connection with servers written by hand.

`./tools/ws bench` runs it. A course is one comparison (`courses.py`). Its contenders are programs
of their own, which the benchmark starts and puts a load on.
"""
