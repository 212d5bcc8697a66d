"""`python -m lakhnes.cli` is `lakhnes`."""

import sys

from lakhnes.cli import main

sys.exit(main())
