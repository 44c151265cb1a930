"""`python -m CH2.benchmark`."""

from CH2.benchmark import main

if __name__ == "__main__":
    main()
