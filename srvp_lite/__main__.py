"""`python -m srvp_lite` is the command `srvp-lite`."""

from srvp_lite.cli import main

if __name__ == "__main__":
    main()
