"""``import repro.reach.watch`` at the top of a script starts the sentinels in this process."""

from repro.reach.sentinels import start

start()
