"""``python -m hookserver``."""

import sys

from hookserver.cli import main

if __name__ == "__main__":
    sys.exit(main())
