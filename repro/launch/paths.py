"""Rewrites paths in a rank's output so that they mean the same on every machine.  Pure."""

import os
import re
from dataclasses import dataclass

from repro.environments.interpreter import Interpreter
from repro.model.observation import Frame, Origin

MAX_STACK_FRAMES = 200


@dataclass(frozen=True)
class Layout:
    """The folders of one run."""

    script: str
    harness: str
    """The folder of the bootstrap and the gates."""
    failure: str
    """The folder of the failure: script and backports."""
    libraries: tuple[str, ...]
    stdlib: tuple[str, ...]
    folder: str
    """The run's own temporary folder."""
    prefix: str
    home: str

    @classmethod
    def of(cls, interpreter: Interpreter, script: str, harness: str, folder: str) -> "Layout":
        return cls(
            script=script,
            harness=harness,
            failure=os.path.dirname(script),  # noqa: PTH120 - text, not a file
            libraries=tuple(sorted(interpreter.libraries, key=len, reverse=True)),
            stdlib=interpreter.stdlib,
            folder=folder,
            prefix=interpreter.prefix,
            home=os.path.expanduser("~"),  # noqa: PTH111 - text, not a file
        )

    def locate(self, file: str) -> tuple[Origin, str]:
        """The owner of a file, and its path relative to the owner."""
        if file == self.script:
            return Origin.SCRIPT, os.path.basename(file)  # noqa: PTH119 - text, not a file
        for root in self.libraries:
            if file.startswith(root + "/"):
                return Origin.LIBRARY, file[len(root) + 1 :]
        if file.startswith(self.harness + "/"):
            return Origin.HARNESS, file[len(self.harness) + 1 :]
        if file.startswith(self.failure + "/"):
            return Origin.HARNESS, file[len(self.failure) + 1 :]
        for root in self.stdlib:
            if file.startswith(root + "/"):
                return Origin.STDLIB, file[len(root) + 1 :]
        if file.startswith("<"):
            return Origin.OTHER, file
        return Origin.OTHER, self.scrub(file)

    def path_in(self, text: str) -> str:
        """The known path with which a text ends, without the words before it; the text where there is none."""
        roots = (self.script, *self.libraries, self.harness, self.failure, *self.stdlib)
        found = (text[text.index(root) :] for root in roots if root in text)
        return next(found, text)

    def scrub(self, text: str) -> str:
        """The text without this machine's folders."""
        places = [(self.folder, "<run>"), (self.script, os.path.basename(self.script))]  # noqa: PTH119 - text, not a file
        places += [(root, "<environment>") for root in self.libraries]
        places += [(self.failure, "<failure>"), (self.harness, "<harness>"), (self.prefix, "<environment>")]
        places += [(root, "<python>") for root in self.stdlib]
        # A library may cut a path that it prints, so that the name of the failure's folder is not whole.
        catalog = os.path.join(os.path.dirname(self.failure), "")  # noqa: PTH118, PTH120 - text, not a file
        places.append((catalog, "<catalog>/"))
        places.append((self.home, "~"))
        for path, name in places:
            if len(path) > 1:
                text = text.replace(path, name)
        return text

    def frame(self, file: str, function: str, line: int, code: str = "") -> Frame:
        origin, path = self.locate(file)
        return Frame(origin=origin, file=path, function=function, line=line, code=code[:200])

    def stack(self, dump: str) -> tuple[Frame, ...]:
        """The main thread's frames in a faulthandler dump, the innermost last."""
        threads = re.split(r"^(?=(?:Current thread|Thread) 0x)", dump, flags=re.MULTILINE)
        # faulthandler prints the main thread last.
        main = next((text for text in reversed(threads) if text.startswith(("Thread", "Current"))), "")
        found = re.findall(r'^\s+File "(.+?)", line (\d+) in (.+)$', main, re.MULTILINE)
        inner = found[:MAX_STACK_FRAMES]  # faulthandler writes the innermost first
        return tuple(self.frame(file, function[:500], int(line[:9])) for file, line, function in reversed(inner))
