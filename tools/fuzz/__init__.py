# SPDX-License-Identifier: Apache-2.0
"""Fuzz targets: what a peer can send, and the rules that must hold whatever that is.

`./tools/ws fuzz` runs them under atheris. They need it for that only: every environment of the
workspace can run a target on an input of its own choice.
"""
