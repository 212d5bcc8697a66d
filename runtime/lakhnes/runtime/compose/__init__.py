"""What a user asks for: whole songs, continuations, accompaniments, forms, loops, and live music."""
