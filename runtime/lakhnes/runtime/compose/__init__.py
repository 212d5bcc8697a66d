"""What a user asks for: songs, continuations, accompaniments, forms, loops, and live music.

Start at `request.py` and `arrange.py`.
"""
