"""Composing for a request: songs, continuations, accompaniments, forms, loops, and live music.

Start at `request.py` and `arrange.py`.
"""
