"""What goes over a spare's socket: a command's request, and the family that it is handed.

One line of JSON each way, bounded.  Beside the family's line go descriptors: of the process of each rank's root, and of
the socket of each warm process.
"""

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from repro.launch.first_imports import Import
from repro.launch.warm import Connection, Family
from repro.model.base import Strict

REQUEST_BYTES = 1 << 10
HANDED_BYTES = 1 << 22
MAX_DESCRIPTORS = 250
"""The kernel hands over at most 253 with one message."""
_PART = 1 << 16


class HandoverError(Exception):
    """What came cannot be used."""


class Request(Strict):
    """A command asks for a spare of this kind."""

    take: str


class Handed(Strict):
    """A family as it is handed over; the descriptors follow in the order of its lists."""

    folder: str
    roots: tuple[int, ...]
    """The process id of each rank's root."""
    branches: tuple[tuple[tuple[str, str | None], ...], ...]
    """The imports that each branch has made."""


def most_branches(world_size: int) -> int:
    """How many branches a spare of so many ranks may have, so that it can be handed over."""
    return MAX_DESCRIPTORS // world_size - 1


def request_of(line: bytes) -> Request:
    """Read a request; raises HandoverError."""
    try:
        return Request.model_validate_json(line)
    except ValidationError:
        raise HandoverError("no request") from None


def send_family(connection: socket.socket, family: Family, roots: Sequence[int]) -> None:
    """Hand over a family whose roots have these process ids; raises OSError."""
    handed = Handed(folder=str(family.folder), roots=tuple(roots), branches=tuple(family.branches))
    content = handed.model_dump_json().encode() + b"\n"
    processes = [os.pidfd_open(pid) for pid in roots]
    try:
        sockets = [held.socket.fileno() for connections in family.branches.values() for held in connections]
        sent = socket.send_fds(connection, [content[:_PART]], [*processes, *sockets])
        connection.sendall(content[sent:])
    finally:
        for process in processes:
            os.close(process)


def receive_family(connection: socket.socket, world_size: int) -> tuple[Handed, list[int], list[list[Connection]]]:
    """A family, descriptors of its roots' processes, and the connections of each branch.

    Raises HandoverError; then nothing of it is kept open.
    """
    descriptors: list[int] = []
    try:
        handed = Handed.model_validate_json(_received(connection, descriptors))
        _refuse_parts(handed, descriptors, world_size)
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors[world_size:]]
    except (HandoverError, ValidationError, OSError) as error:
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)
        raise HandoverError(str(error)) from None
    connections = [Connection(held) for held in sockets]
    rows = [connections[at : at + world_size] for at in range(0, len(connections), world_size)]
    return handed, descriptors[:world_size], rows


def _received(connection: socket.socket, descriptors: list[int]) -> bytes:
    """The line that comes; the descriptors beside it are added to the list, also if the line does not come whole."""
    content = b""
    while not content.endswith(b"\n"):
        part, more, flags, _ = socket.recv_fds(connection, _PART, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        descriptors += more
        content += part
        if not part or len(content) > HANDED_BYTES or flags & socket.MSG_CTRUNC:
            raise HandoverError("no family came")
    return content


def _refuse_parts(handed: Handed, descriptors: Sequence[int], world_size: int) -> None:
    if len(handed.roots) != world_size or len(descriptors) != world_size * (1 + len(handed.branches)):
        raise HandoverError("the family is not whole")


def imports_of(branch: Sequence[tuple[str, str | None]]) -> tuple[Import, ...]:
    """The imports of a branch, as a family names them."""
    return tuple((module, name) for module, name in branch)


def words(request: Request) -> bytes:
    """A request as it is sent."""
    return json.dumps(request.model_dump()).encode() + b"\n"
