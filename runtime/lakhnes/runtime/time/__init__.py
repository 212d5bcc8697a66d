"""Musical time: the grid of beats and bars, beat tracking, and quantising."""
