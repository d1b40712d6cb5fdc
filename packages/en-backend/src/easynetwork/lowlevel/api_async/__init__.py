# SPDX-License-Identifier: Apache-2.0
"""What is asynchronous in the low level."""
