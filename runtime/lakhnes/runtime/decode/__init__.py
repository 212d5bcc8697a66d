"""From logits to events: the song's state, what may come, what is unlikely to, and the draw.

Start at `state.py`, `processors.py` and `song.py`; `composer.py` is the loop.
"""
