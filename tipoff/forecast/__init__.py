"""Pure maths: results in, distributions over both scores out; arrays and dataclasses only."""
