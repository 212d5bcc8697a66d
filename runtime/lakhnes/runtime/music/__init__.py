"""The music: events and their vocabulary, the score, texts, scales, and the codec between score and tokens.

Start at `events.py` and `score.py`. This package does not depend on models or beats.
"""
