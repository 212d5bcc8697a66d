"""The music: events and their vocabulary, the score, texts, scales, and the codec between score and tokens.

Start at `events.py` and `score.py`. Nothing here knows a model or a beat.
"""
