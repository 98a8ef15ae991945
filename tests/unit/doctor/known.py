"""Failures whose bounds are known, and a stack that has some of them."""

from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure
from tests.unit.factories import failure


def known(failure_id: str, affected: dict[str, str], **open_below: str) -> Failure:
    return failure(id=failure_id, affected=[affected], open_below=open_below)


OLD = known("lightning-1", {"lightning": ">=2.1,<2.2.2"}, lightning="2.1")
YOUNG = known("transformers-2", {"transformers": ">=5,<5.4"})
BOTH = known("transformers-3", {"transformers": "<5.14", "lightning": ">=2.1"})
OPEN = known("torch-4", {"torch": ">=2.5"})
EVERYONE = (OLD, YOUNG, BOTH, OPEN)
STACK = Stack.of({"torch": "2.2.2", "lightning": "2.2.1", "transformers": "4.40.2"})
