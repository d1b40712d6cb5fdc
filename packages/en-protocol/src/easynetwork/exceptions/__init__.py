# SPDX-License-Identifier: Apache-2.0
"""Every exception that easynetwork raises on its own account."""

from __future__ import annotations

import sys
from typing import Any

__all__ = (
    "BaseProtocolParseError",
    "BusyResourceError",
    "ClientClosedError",
    "DatagramProtocolParseError",
    "DeserializeError",
    "FrameBoundaryLostError",
    "IncrementalDeserializeError",
    "LimitOverrunError",
    "PacketConversionError",
    "ServerAlreadyRunning",
    "ServerClosedError",
    "StreamProtocolParseError",
    "TruncatedStreamError",
    "TypedAttributeLookupError",
    "UnsupportedOperation",
)

# Everything of ours comes by here. `easynetwork` is a namespace, which is in no file, unless
# somebody else has made a package of it.
if getattr(sys.modules["easynetwork"], "__file__", None) is not None:
    raise ImportError(
        "this environment also has the old easynetwork, a single distribution that shares files with the one that is imported here:"
        " uninstall it (pip uninstall easynetwork), and then install the en-* distributions again, because pip takes their files along",
        name="easynetwork",
        path=sys.modules["easynetwork"].__file__,
    )


class ClientClosedError(ConnectionError):
    """The client object has been closed on this side."""


class TruncatedStreamError(ConnectionAbortedError):
    """The stream ended inside a packet, or TLS ended without a ``close_notify``: what came before
    may be incomplete.
    """


class ServerClosedError(RuntimeError):
    """The server has been closed and cannot be used again."""


class ServerAlreadyRunning(RuntimeError):
    """``serve_forever()`` is running already."""


class BusyResourceError(RuntimeError):
    """Another task is using the resource."""


class UnsupportedOperation(NotImplementedError):
    """The transport or the platform cannot do what was asked for."""


class TypedAttributeLookupError(LookupError):
    """The object does not have the typed attribute that was asked for, and no default was given."""


def _rebuild(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    return cls.__new__(cls, *args)


class _PicklesWithState(Exception):
    # The default way calls the class with `args` alone. Keeping the payload out of `args` keeps it
    # out of repr() and of logs, so the rest travels as the instance's state instead.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__


class PacketConversionError(_PicklesWithState):
    """A converter was given a well-formed DTO packet that makes no sense to the application.

    Attributes:
        error_info: What the converter wants to tell about the fault, of any type.
    """

    def __init__(self, message: str, error_info: Any = None) -> None:
        super().__init__(message)
        self.error_info = error_info


class DeserializeError(_PicklesWithState):
    """The data is not what the serializer reads.

    Attributes:
        error_info: With ``debug=True`` on the serializer, a mapping with what is needed to see the
            fault; ``None`` otherwise.
    """

    def __init__(self, message: str, error_info: Any = None) -> None:
        super().__init__(message)
        self.error_info = error_info


class IncrementalDeserializeError(DeserializeError):
    """A frame of a stream is not what the serializer reads.

    Attributes:
        remaining_data: The bytes after the bad frame; reading goes on with them. Empty when a
            receiver raised the error, because the receiver keeps them itself.
    """

    def __init__(self, message: str, remaining_data: bytes, error_info: Any = None) -> None:
        super().__init__(message, error_info)
        self.remaining_data = remaining_data


class LimitOverrunError(IncrementalDeserializeError):
    """A frame is longer than the serializer's limit.

    ``remaining_data`` starts after `consumed` bytes of `buffer`, and after the separator if that
    comes next.

    Attributes:
        consumed: How many bytes of the over-long frame have been given up.
        separator: What ends such a frame; empty when nothing does, and then the stream reads as
            ended after this error.
        separator_found: Whether the frame's end has been reached. If not, everything up to the next
            separator still belongs to it and must be thrown away; receivers do that.
    """

    def __init__(
        self, message: str, buffer: bytes | bytearray | memoryview, consumed: int, separator: bytes = b""
    ) -> None:
        remaining = bytes(memoryview(buffer)[consumed:])
        self.consumed = consumed
        self.separator = separator
        self.separator_found = bool(separator) and remaining.startswith(separator)
        super().__init__(message, remaining.removeprefix(separator))


class FrameBoundaryLostError(IncrementalDeserializeError):
    """Bad data after which nobody can tell where the next frame starts.

    The stream reads as ended after it.
    """

    def __init__(self, message: str, error_info: Any = None) -> None:
        super().__init__(message, b"", error_info)


class BaseProtocolParseError(_PicklesWithState):
    """What a peer sent could not be made into a packet.

    Attributes:
        error: The cause, from the serializer or from the converter.
    """

    def __init__(self, error: DeserializeError | PacketConversionError) -> None:
        super().__init__(f"Error while parsing data: {error}")
        self.error = error


class DatagramProtocolParseError(BaseProtocolParseError):
    """A datagram could not be made into a packet."""


class StreamProtocolParseError(BaseProtocolParseError):
    """A frame of a stream could not be made into a packet.

    Attributes:
        remaining_data: The bytes after the bad frame. Empty when a receiver raised the error,
            because the receiver keeps them itself.
    """

    error: IncrementalDeserializeError | PacketConversionError

    def __init__(self, remaining_data: bytes, error: IncrementalDeserializeError | PacketConversionError) -> None:
        super().__init__(error)
        self.remaining_data = remaining_data
