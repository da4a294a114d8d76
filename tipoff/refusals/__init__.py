"""Settings that keep Tipoff from starting, as they are unsafe or cannot work; and those that are only doubtful."""
