"""``python -m repro.reach [--report FILE] -- COMMAND``."""

import sys

from repro.reach.sentinels import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
