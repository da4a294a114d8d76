"""A whole instance as one file, and back."""
