"""`python -m CH4.experiments`."""

from CH4.experiments import main

if __name__ == "__main__":
    main()
