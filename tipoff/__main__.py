"""`python -m tipoff`, the same as the `tipoff` command."""

from tipoff.cli import main

if __name__ == "__main__":
    main()
