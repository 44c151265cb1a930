"""`python -m CH3.benchmark_verifier`."""

from CH3.benchmark_verifier import main

if __name__ == "__main__":
    main()
