"""`python -m millstream`, which a service process is started with."""

from millstream.cli import main

if __name__ == "__main__":
    main()
