"""What is known of the versions of an environment: as its interpreter says, or from a text that describes it."""

from repro.stack.installed import stack_of
from repro.stack.models import Held, Stack
from repro.stack.reading import read_stack

__all__ = ["Held", "Stack", "read_stack", "stack_of"]
