"""Python set up for playing; in a process of its own, for the set-up lasts."""

import subprocess
import sys

KEEP = """
import gc, sys, weakref
from lakhnes.bridge.interpreter import SWITCH_SECONDS, keep_time

class Node:
    pass

keep_time()
keep_time()
before = gc.get_freeze_count()
kept = [Node() for _ in range(1000)]
cycle = Node()
cycle.itself = cycle
lost = weakref.ref(cycle)
del cycle
gc.collect()
print(sys.getswitchinterval() == SWITCH_SECONDS, gc.get_freeze_count() - before >= 1000, lost() is None)
print(len(gc.get_objects(generation=2)))
"""


def test_what_survives_a_collection_is_not_looked_at_again() -> None:
    done = subprocess.run([sys.executable, "-c", KEEP], capture_output=True, text=True, check=True)
    lasting, left = done.stdout.splitlines()
    assert lasting == "True True True"
    assert int(left) < 100
