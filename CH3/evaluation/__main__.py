"""`python -m CH3.evaluation`."""

from CH3.evaluation import main

if __name__ == "__main__":
    main()
