"""From logits to events: what may come, what is unlikely to, and the draw.

Start at `song.py`; `composer.py` is the loop.
"""
