# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Callable, Iterable, Sequence

from ._records import RawControlMessage, descriptors_in

__all__ = ("ReceivedControl", "truncated_error")


class ReceivedControl:
    """Control messages as they were received, and the only owner of the descriptors in them until
    `deliver` has given them away.

    Args:
        truncated: the kernel had to cut them off (``MSG_CTRUNC``). Half of what was sent is of no
            use to anybody, so the descriptors that did arrive are closed at once, and there are no
            messages.
        max_descriptors: if there are more, the messages count as truncated; None is no limit.
    """

    def __init__(
        self,
        messages: Sequence[RawControlMessage] = (),
        *,
        truncated: bool = False,
        max_descriptors: int | None = None,
    ) -> None:
        self._messages = list(messages)
        self._descriptors = descriptors_in(self._messages)
        self.truncated = truncated or (max_descriptors is not None and len(self._descriptors) > max_descriptors)
        if self.truncated:
            self.close()

    @classmethod
    def merged(cls, controls: Iterable[ReceivedControl]) -> ReceivedControl:
        """Takes over what all of ``controls`` own. Truncated if one of them is."""
        messages: list[RawControlMessage] = []
        truncated = False
        for control in controls:
            truncated |= control.truncated
            messages += control._take()
        return cls(messages, truncated=truncated)

    @property
    def messages(self) -> tuple[RawControlMessage, ...]:
        """What was not taken yet; the descriptors in them belong to this object."""
        return tuple(self._messages)

    @property
    def descriptors(self) -> int:
        """How many descriptors this object owns."""
        return len(self._descriptors)

    def deliver(self, data_received: Callable[[list[RawControlMessage]], object]) -> None:
        """Calls ``data_received(messages)``.

        When that has returned, the descriptors are its; when it raises, they are closed.

        Raises:
            OSError: they are truncated (`truncated_error`); nothing was called.
            RuntimeError: ``data_received`` raised an exception, which is the cause of this one.
        """
        if self.truncated:
            raise truncated_error()
        descriptors = self._descriptors
        try:
            data_received(self._take())
        except BaseException as exc:
            _close_all(descriptors)
            if not isinstance(exc, Exception):
                raise
            raise RuntimeError("RecvAncillaryDataParams.data_received() crashed") from exc

    def close(self) -> None:
        """Closes the descriptors that nobody has taken. Safe to repeat; never raises."""
        descriptors = self._descriptors
        self._take()
        _close_all(descriptors)

    def _take(self) -> list[RawControlMessage]:
        messages, self._messages, self._descriptors = self._messages, [], ()
        return messages

    def __del__(self) -> None:
        if self._descriptors:
            message = f"received descriptors were never delivered nor closed: {self.descriptors}"
            self.close()  # first: where warnings are errors, the next line raises
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)


def truncated_error() -> OSError:
    """The error of a reception whose control messages were cut off (``MSG_CTRUNC``), or brought too
    many descriptors.
    """
    return OSError(
        errno.EMSGSIZE,
        "received control messages were cut off: ancillary_bufsize is too small for them, there were more descriptors than the limits allow,"
        " or the process is out of descriptors",
    )


def _close_all(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        with contextlib.suppress(OSError):  # closed by somebody else, or an error of the file that is nobody's any more
            os.close(fd)
