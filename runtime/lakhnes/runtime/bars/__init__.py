"""Music in bars: its data, its tokens row by row, and their grammar."""
