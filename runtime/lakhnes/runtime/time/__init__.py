"""Musical time: the grid of beats and bars, finding it in a score, and moving notes onto it."""
