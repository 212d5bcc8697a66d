"""From logits to events: the song's state, the rules and biases of the next token, and the draw.

Start at `state.py`, `processors.py` and `song.py`; `composer.py` is the loop.
"""
